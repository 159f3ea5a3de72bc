/* SPDX-License-Identifier: GPL-2.0 */
/* Pages that are there in an address space: memory of ours that a process may not use. */
#ifndef INSTR_PAGE_H
#define INSTR_PAGE_H

#include <linux/types.h>

struct file;
struct mm_struct;
struct page;

/*
 * The page at @vaddr of a private mapping of @file, with a reference, or NULL: nothing was
 * written there; *next: where the next may be. One that was swapped out, or is being moved,
 * comes back; none gets there that was not. mmap_lock is held.
 */
struct page *instr_page_get(struct mm_struct *mm, const struct file *file,
			    unsigned long vaddr, unsigned long *next);

/* May there be a page at @vaddr? mmap_lock is held. */
bool instr_page_is_there(struct mm_struct *mm, unsigned long vaddr);

#endif
