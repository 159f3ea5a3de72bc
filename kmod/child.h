/* SPDX-License-Identifier: GPL-2.0 */
/* Fork children: their text is the file's, so their stacks have no slots (slot.h). */
#ifndef INSTR_CHILD_H
#define INSTR_CHILD_H

struct instr_space;
struct task_struct;

/* The current thread, of @space, made @child, which has not run yet. Atomic. */
void instr_child_expect(struct instr_space *space, struct task_struct *child);

/* The current thread begins; it has not been in user mode. Atomic. */
void instr_child_begin(void);

/* Nobody tells any more who begins. */
void instr_children_flush(void);

#endif
