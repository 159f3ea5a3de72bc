/* SPDX-License-Identifier: GPL-2.0 */
/* vfork children: they are told from who counts (gate.h) as long as they run in its memory. */
#ifndef INSTR_VFORK_H
#define INSTR_VFORK_H

#include <linux/types.h>

struct instr_space;
struct task_struct;

/*
 * The current thread made @child in its address space, and will wait for it; it has not run
 * yet. Atomic.
 */
void instr_vfork_begin(struct instr_space *space, struct task_struct *child);

/*
 * The same of all who run in @space by now, which nothing was known of when they were made.
 * Returns how many there are.
 */
int instr_vfork_find(struct instr_space *space);

#endif
