/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_SCOPE_H
#define INSTR_SCOPE_H

#include <linux/list.h>
#include <linux/sched.h>

struct pid;

/**
 * struct instr_scope - the processes that a session attached
 * @entries: readers under RCU
 * @scan: counts the times that all of them were looked through
 *
 * Who changes it holds the session's lock.
 */
struct instr_scope {
	struct list_head entries;
	u32 scan;
};

void instr_scope_init(struct instr_scope *scope);

/*
 * Takes in the process @tgid, which @task is a thread of. With @on_exec it counts only
 * once it has executed another image than the one it has. -EEXIST: it is there.
 */
int instr_scope_add(struct instr_scope *scope, struct task_struct *task, struct pid *tgid,
		    bool on_exec);
/* False: it is not there. */
bool instr_scope_remove(struct instr_scope *scope, struct pid *tgid);
void instr_scope_clear(struct instr_scope *scope);

/* Does it hold the process of @task, with the image it has now? Under RCU, too. */
bool instr_scope_covers(const struct instr_scope *scope, struct task_struct *task);
/* Does it hold the process, with whatever image? Under RCU. */
bool instr_scope_has(const struct instr_scope *scope, struct pid *tgid);
/* The same; true only once, for the end of a process. */
bool instr_scope_has_ended(const struct instr_scope *scope, struct pid *tgid);

/* Begins to look through all of them again. */
void instr_scope_rescan(struct instr_scope *scope);
/* The next that it covers and that was not looked at, with a reference; NULL: none. */
struct task_struct *instr_scope_next(struct instr_scope *scope);

#endif
