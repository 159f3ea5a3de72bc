// SPDX-License-Identifier: GPL-2.0
/*
 * Times: what a slab's code writes down, page by page as it needs them.
 *
 * They are not pinned. While the address space lives its pages are looked up when they
 * are read; those that were never written to have no memory, and get none by that. At
 * its end, before they would be unmapped, a notifier takes references on those that are
 * there, and the slab keeps them.
 */

#include "times.h"

#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <asm/cpufeature.h>
#include <asm/tsc.h>

#include "frames.h"
#include "live.h"
#include "overlay.h"
#include "page.h"
#include "space.h"

/*
 * For what the task that happens to be there can't do: with a signal pending it would
 * register no notifier, and get no page. The end of a process waits for it.
 */
static struct workqueue_struct *times_wq;

u32 instr_times_khz(void)
{
	if (check_tsc_unstable() || !boot_cpu_has(X86_FEATURE_FSGSBASE))
		return 0;
	return tsc_khz;
}

/* ---- the end of an address space ------------------------------------------------- */

/* Those that are gone can't be reclaimed, as pinned ones can't. */
static bool keep_is_too_much(void)
{
	return atomic64_read(&instr_live.pinned) >= totalram_pages() / 4;
}

/* What is read: @len bytes at @start in a mapping of @file; or, when that is gone, @kept. */
struct times_region {
	const struct file *file;
	unsigned long start;
	u64 len;
	struct xarray *kept;
};

static struct times_region region_of_slab(struct instr_slab *slab)
{
	const struct instr_code *code = slab->overlay->code;

	return (struct times_region){ code->ro, instr_slab_times(code, slab->base),
				      code->times_len, &slab->times };
}

static struct times_region region_of_frames(struct instr_space *space)
{
	return (struct times_region){ instr_frames_file(), space->frames,
				      space->frames_len, &space->times.frames };
}

static void region_keep(struct mm_struct *mm, struct times_region region)
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
			return;
		}
		atomic64_inc(&instr_live.pinned);
	}
}

struct times_work {
	struct work_struct work;
	struct instr_space *space;
	int err;
};

static int times_do(struct instr_space *space, work_func_t fn)
{
	struct times_work arg = { .space = space };

	INIT_WORK_ONSTACK(&arg.work, fn);
	queue_work(times_wq, &arg.work);
	flush_work(&arg.work);
	destroy_work_on_stack(&arg.work);
	return arg.err;
}

/* No slab is added any more. */
static void times_keep(struct work_struct *work)
{
	struct times_work *arg = container_of(work, struct times_work, work);
	struct mm_struct *mm = arg->space->mm;
	struct instr_slab *slab;

	mmap_read_lock(mm);
	list_for_each_entry(slab, &arg->space->slabs, node)
		region_keep(mm, region_of_slab(slab));
	region_keep(mm, region_of_frames(arg->space));
	mmap_read_unlock(mm);
}

/* In exit_mmap(), or when we unregister. */
static void times_on_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct instr_space *space = container_of(notifier, struct instr_space,
						 times.notifier);

	if (!READ_ONCE(space->times.unwanted))
		times_do(space, times_keep);
	complete_all(&space->times.kept);
}

static const struct mmu_notifier_ops times_ops = {
	.release = times_on_release,
};

static void times_register(struct work_struct *work)
{
	struct times_work *arg = container_of(work, struct times_work, work);

	arg->err = mmu_notifier_register(&arg->space->times.notifier, arg->space->mm);
}

int instr_times_watch(struct instr_space *space)
{
	int err;

	if (space->times.watched)
		return 0;
	space->times.notifier.ops = &times_ops;
	init_completion(&space->times.kept);
	xa_init(&space->times.frames);
	err = times_do(space, times_register);
	space->times.watched = !err;
	return err;
}

void instr_times_give_up(struct instr_space *space)
{
	WRITE_ONCE(space->times.unwanted, true);
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

void instr_times_free(struct instr_space *space)
{
	struct instr_slab *slab;

	instr_times_give_up(space);
	if (space->times.watched) {
		mmu_notifier_unregister(&space->times.notifier, space->mm);
		kept_forget(&space->times.frames);
	}
	list_for_each_entry(slab, &space->slabs, node)
		kept_forget(&slab->times);
}

/* ---- reading --------------------------------------------------------------------- */

/* With a reference, or NULL; *next: the first byte behind that for which it is said. */
static struct page *region_page(struct mm_struct *mm, const struct times_region *region,
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
static int region_copy(struct mm_struct *mm, const struct times_region *region, u64 offset,
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
	return *mm ? 0 : wait_for_completion_killable(&space->times.kept);
}

static void region_close(struct mm_struct *mm)
{
	if (mm)
		mmput_async(mm);
}

static int region_read(struct instr_space *space, struct times_region region, u64 offset,
		       u64 len, u8 __user *to)
{
	struct mm_struct *mm;
	int err = region_open(space, &mm);

	if (!err)
		err = region_copy(mm, &region, offset, len, to);
	region_close(mm);
	return err;
}

int instr_times_read(struct instr_space *space, struct instr_slab *slab, u64 offset,
		     u64 len, u8 __user *to)
{
	return region_read(space, region_of_slab(slab), offset, len, to);
}

int instr_times_read_frames(struct instr_space *space, u64 offset, u64 len,
			    u8 __user *to)
{
	return region_read(space, region_of_frames(space), offset, len, to);
}

struct instr_unwinds instr_times_unwinds(struct instr_space *space)
{
	const struct times_region region = region_of_frames(space);
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

int instr_times_init(void)
{
	times_wq = alloc_workqueue("instr-times", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return times_wq ? 0 : -ENOMEM;
}

void instr_times_exit(void)
{
	destroy_workqueue(times_wq);
}
