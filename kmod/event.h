/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Generic netlink family "instr": tells listeners, never waits for them. All
 * events may be sent from atomic context.
 */
#ifndef INSTR_EVENT_H
#define INSTR_EVENT_H

#include <linux/instr_event.h>
#include <linux/types.h>

struct instr_session;
struct instr_space;
struct task_struct;

void instr_event_space(enum instr_event event, const struct instr_space *space);
void instr_event_refused(const struct instr_space *space, u32 overlay_id, int err);
void instr_event_fork(const struct instr_space *space, struct task_struct *parent,
		      struct task_struct *child);
void instr_event_exec(struct instr_session *session, struct task_struct *task);
void instr_event_exit_process(struct instr_session *session, struct task_struct *task);

int instr_event_init(void);
void instr_event_exit(void);

#endif
