// SPDX-License-Identifier: GPL-2.0
/*
 * What a slab's code writes down, page by page as it needs them: counters, times, frames.
 *
 * They are not pinned, but for a control block that says something. While the address space lives its
 * pages are looked up when they are read; those that were never written to have no memory,
 * and get none by that. At its end, before they are unmapped (hook.c), references are taken
 * on those that are there, and the slab keeps them.
 *
 * An mmu_notifier would tell of the end, too, but have it wait for a grace period of SRCU: a
 * hundred times what is done here.
 */

#include "keep.h"

#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "frames.h"
#include "gate.h"
#include "live.h"
#include "overlay.h"
#include "page.h"
#include "space.h"

/*
 * For what the task that happens to be there can't do: with a signal pending it would
 * get no page. The end of a process waits for it.
 */
static struct workqueue_struct *keep_wq;

/* ---- the end of an address space ------------------------------------------------- */

/* Those that are gone can't be reclaimed, as pinned ones can't. */
static bool keep_is_too_much(void)
{
	return atomic64_read(&instr_live.pinned) >= totalram_pages() / 4;
}

/*
 * What is read: @len bytes at @start in a mapping of @file; or, when that is gone, @kept.
 */
struct keep_region {
	const struct file *file;
	unsigned long start;
	u64 len;
	struct xarray *kept;
};

static struct keep_region region_of_counters(struct instr_slab *slab)
{
	const struct instr_code *code = slab->overlay->code;

	return (struct keep_region){ code->ro, instr_slab_data(code, slab->base),
				     code->data_len, &slab->counters };
}

static struct keep_region region_of_times(struct instr_slab *slab)
{
	const struct instr_code *code = slab->overlay->code;

	return (struct keep_region){ code->ro, instr_slab_times(code, slab->base),
				     code->times_len, &slab->times };
}

static struct keep_region region_of_frames(struct instr_space *space)
{
	return (struct keep_region){ instr_frames_file(), space->frames,
				      space->frames_len, &space->keep.frames };
}

/* False: not all, there is too much already. */
static bool region_keep(struct mm_struct *mm, struct keep_region region)
{
	unsigned long vaddr, next;

	for (vaddr = region.start; vaddr - region.start < region.len; vaddr = next) {
		struct page *page = instr_page_get(mm, region.file, vaddr, &next);

		cond_resched();
		if (!page)
			continue;
		if (keep_is_too_much() ||
		    xa_err(xa_store(region.kept, (vaddr - region.start) >> PAGE_SHIFT, page,
				    GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN))) {
			put_page(page);
			return false;
		}
		atomic64_inc(&instr_live.pinned);
	}
	return true;
}

struct keep_work {
	struct work_struct work;
	struct instr_space *space;
};

/* No slab is added any more. */
static void keep_pages(struct work_struct *work)
{
	struct keep_work *arg = container_of(work, struct keep_work, work);
	struct mm_struct *mm = arg->space->mm;
	struct instr_slab *slab;
	bool all = true;

	mmap_read_lock(mm);
	list_for_each_entry(slab, &arg->space->slabs, node)
		all &= region_keep(mm, region_of_counters(slab)) &&
		       region_keep(mm, region_of_times(slab));
	all &= region_keep(mm, region_of_frames(arg->space));
	mmap_read_unlock(mm);
	if (!all)
		WRITE_ONCE(arg->space->refused, ENOMEM);
}

/*
 * A thread that ends with no signal gets none any more; others may, in the middle of it, and
 * leave it to a worker.
 */
static void keep_somewhere(struct instr_space *space)
{
	struct keep_work arg = { .space = space };

	if ((current->flags & PF_EXITING) && !signal_pending(current)) {
		keep_pages(&arg.work);
		return;
	}
	INIT_WORK_ONSTACK(&arg.work, keep_pages);
	queue_work(keep_wq, &arg.work);
	flush_work(&arg.work);
	destroy_work_on_stack(&arg.work);
}

static void keep_space(struct instr_space *space)
{
	if (!READ_ONCE(space->keep.unwanted))
		keep_somewhere(space);
	instr_gate_leave(space);
	complete_all(&space->keep.kept);
}

/* Others have nobody who reads them, or are on their way out. RCU. */
static bool space_is_due(struct instr_space *space, const struct mm_struct *mm)
{
	return space->mm == mm && space->session_id && kref_read(&space->ref) &&
	       !completion_done(&space->keep.kept);
}

bool instr_keep_is_due(struct mm_struct *mm)
{
	return instr_space_any(mm, space_is_due);
}

/* Another of @mm, with a reference, or NULL. */
static struct instr_space *keep_next(struct mm_struct *mm)
{
	struct instr_space *space;

	rcu_read_lock();
	do
		space = instr_space_any(mm, space_is_due);
	while (space && !instr_space_tryget(space));
	rcu_read_unlock();
	return space;
}

void instr_keep_all(struct mm_struct *mm)
{
	struct instr_space *space;

	while ((space = keep_next(mm))) {
		keep_space(space);
		instr_space_put(space);
	}
}

void instr_keep_missed(struct instr_space *space)
{
	if (completion_done(&space->keep.kept))
		return;
	if (!READ_ONCE(space->keep.unwanted))
		WRITE_ONCE(space->refused, EIO);
	complete_all(&space->keep.kept);
}

void instr_keep_begin(struct instr_space *space)
{
	init_completion(&space->keep.kept);
	xa_init(&space->keep.frames);
}

void instr_keep_give_up(struct instr_space *space)
{
	WRITE_ONCE(space->keep.unwanted, true);
}

static void kept_forget(struct xarray *kept)
{
	unsigned long index;
	struct page *page;

	xa_for_each(kept, index, page) {
		put_page(page);
		atomic64_dec(&instr_live.pinned);
		cond_resched();
	}
	xa_destroy(kept);
}

void instr_keep_free(struct instr_space *space)
{
	struct instr_slab *slab;

	kept_forget(&space->keep.frames);
	list_for_each_entry(slab, &space->slabs, node) {
		kept_forget(&slab->counters);
		kept_forget(&slab->times);
	}
}

/* ---- reading --------------------------------------------------------------------- */

/* With a reference, or NULL; *next: the first byte behind that for which it is said. */
static struct page *region_page(struct mm_struct *mm, const struct keep_region *region,
				u64 offset, u64 *next)
{
	unsigned long behind;
	struct page *page;

	if (mm) {
		mmap_read_lock(mm);
		page = instr_page_get(mm, region->file, region->start + offset, &behind);
		mmap_read_unlock(mm);
		*next = behind - region->start;
		return page;
	}
	*next = (offset & PAGE_MASK) + PAGE_SIZE;
	page = xa_load(region->kept, offset >> PAGE_SHIFT);
	if (page)
		get_page(page);
	return page;
}

static int page_copy(struct page *page, u64 offset, u64 len, u8 __user *to)
{
	unsigned long left;
	u8 *bytes;

	if (!page)
		return clear_user(to, len) ? -EFAULT : 0;
	bytes = kmap_local_page(page);
	left = copy_to_user(to, bytes + offset_in_page(offset), len);
	kunmap_local(bytes);
	put_page(page);
	return left ? -EFAULT : 0;
}

/* @mm: NULL: what is kept is read. */
static int region_copy(struct mm_struct *mm, const struct keep_region *region, u64 offset,
		       u64 len, u8 __user *to)
{
	u64 end = offset + len, next;
	int err = 0;

	for (; offset < end && !err; offset = next) {
		struct page *page = region_page(mm, region, offset, &next);

		next = min(next, end);
		err = page_copy(page, offset, next - offset, to);
		to += next - offset;
		if (fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	return err;
}

/* *mm: the address space, with a reference; NULL: it is gone, and all is kept that was there. */
static int region_open(struct instr_space *space, struct mm_struct **mm)
{
	*mm = mmget_not_zero(space->mm) ? space->mm : NULL;
	if (*mm)
		return 0;
	return wait_for_completion_killable(&space->keep.kept);
}

static void region_close(struct mm_struct *mm)
{
	if (mm)
		mmput_async(mm);
}

static int region_read(struct instr_space *space, struct keep_region region, u64 offset,
		       u64 len, u8 __user *to)
{
	struct mm_struct *mm;
	int err = region_open(space, &mm);

	if (!err)
		err = region_copy(mm, &region, offset, len, to);
	region_close(mm);
	return err;
}

int instr_keep_read_times(struct instr_space *space, struct instr_slab *slab, u64 offset,
			  u64 len, u8 __user *to)
{
	return region_read(space, region_of_times(slab), offset, len, to);
}

int instr_keep_read_frames(struct instr_space *space, u64 offset, u64 len,
			   u8 __user *to)
{
	return region_read(space, region_of_frames(space), offset, len, to);
}

static void page_add(const struct page *page, u64 offset, u64 nr, u64 *sums)
{
	const u64 *counter = page_address(page) + offset_in_page(offset);

	while (nr--)
		*sums++ += READ_ONCE(*counter++);
}

/* @mm as region_copy() has it. */
static void slab_add(struct mm_struct *mm, struct instr_slab *slab, u64 offset, u64 nr,
		     u64 *sums)
{
	const struct keep_region region = region_of_counters(slab);
	u64 end = min(offset + nr * sizeof(*sums), region.len), next;

	for (; offset < end; offset = next) {
		struct page *page = region_page(mm, &region, offset, &next);

		next = min(next, end);
		if (page) {
			page_add(page, offset, (next - offset) / sizeof(*sums), sums);
			put_page(page);
		}
		sums += (next - offset) / sizeof(*sums);
		cond_resched();
	}
}

int instr_keep_add_counters(struct instr_space *space, const struct instr_overlay *overlay,
			    u64 offset, u64 nr, u64 *sums)
{
	struct instr_slab *slab;
	struct mm_struct *mm;
	int err = region_open(space, &mm);

	if (err)
		return err;
	list_for_each_entry(slab, &space->slabs, node)
		if (slab->overlay == overlay)
			slab_add(mm, slab, offset, nr, sums);
	region_close(mm);
	return 0;
}

struct instr_unwinds instr_keep_unwinds(struct instr_space *space)
{
	const struct keep_region region = region_of_frames(space);
	struct instr_unwinds unwinds = {};
	struct mm_struct *mm;
	struct page *page;
	u64 next;

	if (!space->frames || region_open(space, &mm))
		return unwinds;
	page = region_page(mm, &region, INSTR_UNWINDS_AT, &next);
	if (page) {
		memcpy_from_page((char *)&unwinds, page, offset_in_page(INSTR_UNWINDS_AT),
				 sizeof(unwinds));
		put_page(page);
	}
	region_close(mm);
	return unwinds;
}

static u64 kept_pages(struct xarray *kept)
{
	unsigned long index;
	struct page *page;
	u64 nr = 0;

	xa_for_each(kept, index, page)
		nr++;
	return nr;
}

/* @mm as region_copy() has it. */
static u64 region_pages(struct mm_struct *mm, const struct keep_region *region)
{
	u64 offset, next, nr = 0;

	if (!mm)
		return kept_pages(region->kept);
	for (offset = 0; offset < region->len && !fatal_signal_pending(current); offset = next) {
		struct page *page = region_page(mm, region, offset, &next);

		cond_resched();
		if (!page)
			continue;
		put_page(page);
		nr++;
	}
	return nr;
}

u64 instr_keep_memory(struct instr_space *space)
{
	struct keep_region region = region_of_frames(space);
	struct instr_slab *slab;
	struct mm_struct *mm;
	u64 pages;

	if (region_open(space, &mm))
		return 0;
	pages = region_pages(mm, &region);
	list_for_each_entry(slab, &space->slabs, node) {
		region = region_of_counters(slab);
		pages += region_pages(mm, &region);
		region = region_of_times(slab);
		pages += region_pages(mm, &region);
	}
	region_close(mm);
	return pages << PAGE_SHIFT;
}

int instr_keep_init(void)
{
	keep_wq = alloc_workqueue("instr-keep", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return keep_wq ? 0 : -ENOMEM;
}

void instr_keep_exit(void)
{
	destroy_workqueue(keep_wq);
}
