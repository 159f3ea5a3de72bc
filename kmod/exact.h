/* SPDX-License-Identifier: GPL-2.0 */
/* vfork children that find the files' own text, byte for byte. */
#ifndef INSTR_EXACT_H
#define INSTR_EXACT_H

struct instr_exact;
struct instr_space;
struct task_struct;

/*
 * The current thread, of @space, waits for @child, which has not run yet and runs in it. To
 * be given to instr_exact_end() by it when it waits no longer; NULL: the child is not to be
 * cared for, or can't be. Atomic.
 */
struct instr_exact *instr_exact_begin(struct instr_space *space, struct task_struct *child);
void instr_exact_end(struct instr_exact *exact);

#endif
