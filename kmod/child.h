/* SPDX-License-Identifier: GPL-2.0 */
/* Children: what is to be done in them before they run. */
#ifndef INSTR_CHILD_H
#define INSTR_CHILD_H

#include <linux/types.h>

struct instr_session;
struct instr_space;
struct instr_work;
struct task_struct;

/*
 * The current thread made @child, with an address space of its own, which has not run yet.
 * @space: the parent's, or NULL: slots are taken off the child's stacks. @session: by which
 * it is followed, or NULL. Atomic.
 */
void instr_child_forked(struct task_struct *child, struct instr_space *space,
			struct instr_session *session);

/* The child what->due is to do that. False: there was no memory. Atomic. */
bool instr_child_expect(const struct instr_work *what);

/* The thread work->due is to do that: a child, or the parent that waits for one. Atomic. */
void instr_child_note(struct instr_work *work);

/*
 * The current thread begins, and has not been in user mode; or it is about to wait for the
 * vfork child that it made. Atomic.
 */
void instr_child_due(void);

/* Nobody tells any more who begins. */
void instr_children_flush(void);

#endif
