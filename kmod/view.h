/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_VIEW_H
#define INSTR_VIEW_H

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>

struct instr_edition;
struct instr_overlay;
struct instr_space;

/**
 * struct instr_view - one mapping of an overlay's file in one space
 * @ops: what its VMAs have for vm_ops; leads back here
 * @orig: what they had
 * @base: where offset 0 of the file would be
 * @edition: what it shows; NULL: the file. Changes under mmap_write_lock() and
 *	vma_start_write() of all its VMAs, so that no fault is under way
 * @vmas: one for each VMA that has @ops, and one for whoever withdraws it
 * @node: in space->views; readers under RCU
 * @held: in space->held, while it is being withdrawn
 *
 * A view keeps no pointer to a VMA: VMAs are split, merged and freed at any time.
 * It ends when its last VMA does. A view with no edition still answers traps:
 * a page that a debugger copied may hold patched bytes for good.
 */
struct instr_view {
	struct vm_operations_struct ops;
	const struct vm_operations_struct *orig;
	struct instr_space *space;
	struct instr_overlay *overlay;
	unsigned long base;
	struct instr_edition *edition;
	refcount_t vmas;
	struct list_head node;
	struct list_head held;
	struct rcu_work free;
};

/* Frees what RCU readers may still see; its works wait for nobody. */
extern struct workqueue_struct *instr_view_wq;
/* Waits until all that was given up before is freed. */
void instr_view_flush(void);

int instr_view_init(void);
void instr_view_exit(void);

/* The view of a VMA, or NULL. */
struct instr_view *instr_vma_view(const struct vm_area_struct *vma);

/* Where the file's offset 0 would be, if the mapping went that far. */
static inline unsigned long instr_vma_base(const struct vm_area_struct *vma)
{
	return vma->vm_start - (vma->vm_pgoff << PAGE_SHIFT);
}

/* May @vma have private copies of pages that it showed? */
bool instr_view_may_copy(const struct instr_view *view, struct vm_area_struct *vma);

/* Could this mapping have a view? Only private, plain ones of a regular file. */
bool instr_vma_is_plain(const struct vm_area_struct *vma);

/**
 * instr_view_create - make a view, with one count in @vmas for the caller
 *
 * It is found by traps from now on, and has no VMA yet.
 */
struct instr_view *instr_view_create(struct instr_space *space,
				     struct instr_overlay *overlay,
				     const struct vm_operations_struct *orig,
				     unsigned long base);

/* Gives up one count; the last one ends the view. */
void instr_view_drop(struct instr_view *view);

/* mmap_write_lock(vma->vm_mm) is held, and vma_start_write() was called. */
void instr_view_install(struct instr_view *view, struct vm_area_struct *vma);
void instr_view_uninstall(struct instr_view *view, struct vm_area_struct *vma);

#endif
