/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events of the generic netlink family "instr": tell listeners, never wait for them.
 * All may be sent from atomic context.
 */
#ifndef INSTR_EVENT_H
#define INSTR_EVENT_H

#include <linux/instr_event.h>
#include <linux/types.h>

struct genl_family;
struct instr_kin;
struct instr_space;
struct task_struct;

void instr_event_space(enum instr_event event, const struct instr_space *space);
void instr_event_refused(const struct instr_space *space, u32 overlay_id, int err);
/* A program that the process of @task executes is. */
void instr_event_refused_image(u32 session_id, struct task_struct *task, int err);
/* The current thread, of a space or not (0), made a child, or could not. */
void instr_event_fork(u32 session_id, u32 space_id, const struct instr_kin *child,
		      u32 clone_flags);
void instr_event_fork_failed(u32 session_id, u32 clone_flags, int err);
void instr_event_exec(u32 session_id, struct task_struct *task);
void instr_event_exit_process(u32 session_id, struct task_struct *task);

/* By which they are sent: before there are any. */
void instr_event_set_family(const struct genl_family *family);

#endif
