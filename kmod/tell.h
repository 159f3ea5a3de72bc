/* SPDX-License-Identifier: GPL-2.0 */
/* Telling a space's slabs what its gate says, where they have no page for it yet (gate.h). */
#ifndef INSTR_TELL_H
#define INSTR_TELL_H

struct instr_space;
struct task_struct;

/*
 * Before its next step in user mode @task, the current thread or a child of it that has not
 * run yet, sees to it that all is told. Atomic. Without memory for that it is not.
 */
void instr_tell(struct instr_space *space, struct task_struct *task);

#endif
