// SPDX-License-Identifier: GPL-2.0
/*
 * Pointers: an import's slot, a table's entry, a callback, that lead into the slab
 * instead of to their function. The text stays as it is.
 *
 * What a pointer was is kept in the slab, where its block goes on to, and written
 * there first. A process changes its pointers as it likes: one is exchanged only
 * if it still is what we read, and given back only if it still is ours. A fork
 * child has a copy of both, so its calls go the same way, and end up right.
 *
 * Before its relocations are done, a pointer is no address. The loader makes the
 * pages that it relocated last read-only (PT_GNU_RELRO): that is what we wait for.
 * A slot that is bound lazily leads to the loader before its first call, which will
 * write to it: it is left alone.
 */

#include "pointer.h"

#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "overlay.h"
#include "slab.h"
#include "space.h"

/*
 * One 8-byte word of @mm, where it lies in one page: becomes @to if it is *@was, or
 * if @was is NULL. Returns what it was. Read-only pages of a private mapping become
 * the process's own copies, as for a debugger.
 */
static int word_exchange(struct mm_struct *mm, unsigned long vaddr, const u64 *was,
			 u64 to, u64 *ret)
{
	struct page *page;
	u64 *word;

	if (get_user_pages_remote(mm, vaddr, 1, FOLL_WRITE | FOLL_FORCE, &page,
				  NULL) != 1)
		return -EFAULT;
	word = kmap_local_page(page) + offset_in_page(vaddr);
	*ret = was ? cmpxchg(word, *was, to) : xchg(word, to);
	kunmap_local(word);
	set_page_dirty_lock(page);
	put_page(page);
	return 0;
}

static int word_read(struct mm_struct *mm, unsigned long vaddr, u64 *ret)
{
	struct page *page;
	u64 *word;

	if (get_user_pages_remote(mm, vaddr, 1, 0, &page, NULL) != 1)
		return -EFAULT;
	word = kmap_local_page(page) + offset_in_page(vaddr);
	*ret = READ_ONCE(*word);
	kunmap_local(word);
	put_page(page);
	return 0;
}

/* ---- one pointer; mmap_lock is held ------------------------------------------- */

struct pointer_place {
	unsigned long vaddr, target, kept;
	unsigned long lazy_start, lazy_end;
};

static struct pointer_place pointer_locate(const struct instr_slab *slab,
					   const struct instr_pointer *pointer)
{
	const struct instr_overlay *overlay = slab->overlay;
	const struct instr_code *code = overlay->code;

	return (struct pointer_place){
		.vaddr = slab->base + pointer->position,
		.target = slab->base + pointer->target,
		.kept = slab->base + overlay->slab_start + code->code_len +
			code->data_len + pointer->kept,
		.lazy_start = slab->base + pointer->lazy_start,
		.lazy_end = slab->base + pointer->lazy_end,
	};
}

/* Not code, and nobody else's memory: it might be mapped there by now. */
static bool place_is_data(struct mm_struct *mm, unsigned long vaddr)
{
	struct vm_area_struct *vma = find_vma(mm, vaddr);

	return vma && vma->vm_start <= vaddr && !(vma->vm_flags & (VM_EXEC | VM_SHARED));
}

static bool pointer_is_bound(const struct pointer_place *at, u64 value)
{
	return value && (value < at->lazy_start || value >= at->lazy_end);
}

static bool pointer_set(struct mm_struct *mm, const struct pointer_place *at)
{
	int tries;

	if (!place_is_data(mm, at->vaddr) || !place_is_data(mm, at->kept))
		return false;
	for (tries = 0; tries < 8; tries++) {
		u64 value, was;

		if (word_read(mm, at->vaddr, &value))
			return false;
		if (value == at->target)
			return true;
		if (!pointer_is_bound(at, value) ||
		    word_exchange(mm, at->kept, NULL, value, &was) ||
		    word_exchange(mm, at->vaddr, &value, at->target, &was))
			return false;
		if (was == value)
			return true;
	}
	return false;
}

static void pointer_restore(struct mm_struct *mm, const struct pointer_place *at)
{
	u64 ours = at->target, kept, was;

	if (place_is_data(mm, at->vaddr) && !word_read(mm, at->vaddr, &was) && was == ours &&
	    !word_read(mm, at->kept, &kept))
		word_exchange(mm, at->vaddr, &ours, kept, &was);
}

/* ---- all of a slab ------------------------------------------------------------ */

static bool slab_is_ready(struct mm_struct *mm, const struct instr_slab *slab)
{
	const struct instr_overlay *overlay = slab->overlay;
	unsigned long vaddr = slab->base + overlay->pointers->ready;
	struct vm_area_struct *vma;

	if (!overlay->pointers->ready)
		return true;
	vma = find_vma(mm, vaddr);
	return vma && vma->vm_start <= vaddr && vma->vm_file &&
	       file_inode(vma->vm_file) == overlay->inode && !(vma->vm_flags & VM_WRITE);
}

static u32 slab_set(struct instr_space *space, struct instr_slab *slab)
{
	const struct instr_pointer_set *set = slab->overlay->pointers;
	struct mm_struct *mm = space->mm;
	u32 i, unset = 0;
	bool ready;

	if (!set || !mmget_not_zero(mm))
		return 0;
	mmap_read_lock(mm);
	ready = slab_is_ready(mm, slab);
	for (i = 0; i < set->nr; i++) {
		struct pointer_place at = pointer_locate(slab, &set->pointer[i]);

		unset += !ready || !pointer_set(mm, &at);
	}
	mmap_read_unlock(mm);
	mmput_async(mm);
	return unset;
}

static void slab_restore(struct instr_space *space, struct instr_slab *slab)
{
	const struct instr_pointer_set *set = slab->overlay->pointers;
	struct mm_struct *mm = space->mm;
	u32 i;

	if (!set || !mmget_not_zero(mm))
		return;
	mmap_read_lock(mm);
	for (i = 0; i < set->nr; i++) {
		struct pointer_place at = pointer_locate(slab, &set->pointer[i]);

		pointer_restore(mm, &at);
	}
	mmap_read_unlock(mm);
	mmput_async(mm);
}

/* ---- all of a space ----------------------------------------------------------- */

u32 instr_pointers_set(struct instr_space *space)
{
	struct instr_slab *slab;
	u32 unset = 0;

	list_for_each_entry(slab, &space->slabs, node)
		unset += slab_set(space, slab);
	return unset;
}

void instr_pointers_restore(struct instr_space *space)
{
	struct instr_slab *slab;

	list_for_each_entry(slab, &space->slabs, node)
		slab_restore(space, slab);
}
