/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_SCOPE_H
#define INSTR_SCOPE_H

#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

struct instr_filter;
struct pid;

/**
 * struct instr_scope - the processes that a session knows: those that it attached, and
 *	their descendants; and those that it measures, which may be all
 * @lock: of changes; readers use RCU
 * @entries: all that it knows, the oldest first
 * @all: NULL, or which others are measured
 * @busy: how many are about to find mappings that nobody has looked at
 * @numbers: of entries that there have been
 * @scan: counts the times that all of them were looked through; under the session's lock
 *
 * What a session holds of a process ends with the process.
 */
struct instr_scope {
	spinlock_t lock;
	struct list_head entries;
	DECLARE_HASHTABLE(by_tgid, 6);
	struct instr_filter __rcu *all;
	atomic_t busy;
	u64 numbers;
	u32 scan;
};

/**
 * struct instr_kin - who is whose child
 * @number: they ascend, in the order in which processes were made, or attached
 * @pid: in the initial pid namespace
 * @parent: who made it; 0: it was attached
 * @clone_flags: INSTR_CLONE_*, with which
 * @start: ns of CLOCK_BOOTTIME
 * @measured: all that it does now is measured
 */
struct instr_kin {
	u64 number;
	pid_t pid, parent;
	u32 clone_flags;
	u64 start;
	bool measured;
	char comm[TASK_COMM_LEN];
};

void instr_scope_init(struct instr_scope *scope);

/*
 * Takes in the process @tgid, which @task is a thread of; @flags: INSTR_ATTACH_*. -EEXIST:
 * it is measured already. -ESRCH: it has ended. Under the session's lock.
 */
int instr_scope_add(struct instr_scope *scope, struct task_struct *task, struct pid *tgid,
		    u32 flags);
/* False: it is not measured. */
bool instr_scope_remove(struct instr_scope *scope, struct pid *tgid);
/* Those too that @filter lets pass: the scope frees it. -EEXIST: there is one. */
int instr_scope_add_all(struct instr_scope *scope, struct instr_filter *filter);
void instr_scope_remove_all(struct instr_scope *scope);
/* Nothing is known, or measured, any more. */
void instr_scope_clear(struct instr_scope *scope);

/*
 * The current thread made the process @child, which has not run yet. False: nothing is known
 * of its own. Under RCU. No lock is needed, nor for the next ones.
 */
bool instr_scope_fork(struct instr_scope *scope, struct task_struct *child, u32 clone_flags,
		      struct instr_kin *kin);
/* It ended: forgets it. False: it was not there. */
bool instr_scope_end(struct instr_scope *scope, struct pid *tgid);

/* Is the process of @task to be measured, with the image it has now? */
bool instr_scope_covers(const struct instr_scope *scope, struct task_struct *task);
/* Is there more than those that it knows? Under the session's lock, or RCU. */
bool instr_scope_is_all(const struct instr_scope *scope);

/*
 * Between them mappings of the scope wait for their views: what is forked meanwhile by who
 * has none may have them, too.
 */
void instr_scope_busy(struct instr_scope *scope);
void instr_scope_idle(struct instr_scope *scope);
/* What was found for mappings that were there when this says no can be seen afterwards. */
bool instr_scope_is_busy(const struct instr_scope *scope);
/* Is it known, with whatever image? */
bool instr_scope_has(const struct instr_scope *scope, struct pid *tgid);
/* INSTR_ATTACH_*, with which it, or whom it descends from, was attached; 0: it is not known. */
u32 instr_scope_flags(const struct instr_scope *scope, struct pid *tgid);

/* Calls @fn for each that lives, in order; stops at a non-zero. @fn can't sleep. */
int instr_scope_for_each(struct instr_scope *scope,
			 int (*fn)(const struct instr_kin *kin, void *data), void *data);

/* Begins to look through all of them again. Under the session's lock. */
void instr_scope_rescan(struct instr_scope *scope);
/* The next that it covers and that was not looked at, with a reference; NULL: none. */
struct task_struct *instr_scope_next(struct instr_scope *scope);

#endif
