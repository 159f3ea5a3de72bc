/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_COMPAT_LINUX_MM_H
#define INSTR_COMPAT_LINUX_MM_H

#include <linux/version.h>
#include_next <linux/mm.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
/* Commit bc292ab00f6c ("mm: introduce vma->vm_flags wrapper functions"), v6.3. */
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
/*
 * Commit 5e31275cc997 ("mm: add per-VMA lock and helper functions to control
 * it"), v6.4: before it there was the mmap lock only, which the caller holds.
 */
static inline void vma_start_write(struct vm_area_struct *vma)
{
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
/* Commit ca5e863233e8 ("mm/gup: remove vmas parameter from
 * get_user_pages_remote()"), v6.5.
 */
#define get_user_pages_remote(mm, start, nr, flags, pages, locked) \
	get_user_pages_remote(mm, start, nr, flags, pages, NULL, locked)
#endif

#endif
