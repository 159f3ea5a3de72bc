/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_TAKEOVER_H
#define INSTR_TAKEOVER_H

struct instr_session;
struct task_struct;

/**
 * instr_takeover - give all mappings of current->mm that want a view one
 * @task: a task of that mm
 *
 * Under the session's lock, no other. Returns the number of views installed.
 */
int instr_takeover(struct instr_session *session, struct task_struct *task);

#endif
