/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_ATTACH_H
#define INSTR_ATTACH_H

#include <linux/instr.h>
#include <linux/sched.h>

struct instr_session;
struct mm_struct;

/* INSTR_ATTACH: with no lock held. */
int instr_attach(struct instr_session *session, struct instr_attach *arg);
/* INSTR_ATTACH_ALL: with no lock held. */
int instr_attach_all(struct instr_session *session, struct instr_attach_all *arg);
/* INSTR_DETACH: under the session's lock. */
int instr_detach(struct instr_session *session, const struct instr_detach *arg);

/* With no lock held: gives mappings made before an overlay was published views. */
void instr_attach_rescan(struct instr_session *session);

/*
 * A mapping of an overlay's file appeared in @mm, or all of them, as it is a child's, which
 * is @task's: with no lock held, by that thread itself, or by a worker.
 */
void instr_attach_mm(struct instr_session *session, struct task_struct *task,
		     struct mm_struct *mm);

#endif
