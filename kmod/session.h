/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_SESSION_H
#define INSTR_SESSION_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched.h>

#include "scope.h"

struct instr_space;
struct mm_struct;
struct pid;

/**
 * struct instr_session - one open /dev/instr
 *
 * @lock protects all lists, and everything in overlays and spaces that does not
 * say otherwise. @scope has a lock of its own.
 *
 * Locks nest: instr_session::lock -> mmap_lock -> i_mmap_rwsem,
 * instr_space::lock; those of scope.c, child.c, frames.c and thread.c are the last. What
 * runs below an mmap lock (view.c) never takes a session's lock. A target can hold its mmap lock for long: so no session's lock is taken
 * where others would have to wait for it, below the lock of the list in particular.
 */
struct instr_session {
	u32 id;
	struct kref ref;
	struct list_head node;		/* of all sessions, under their lock */
	struct mutex lock;
	bool dead;
	bool unlisted;			/* under the lock of the list */
	struct list_head overlays;
	struct list_head spaces;
	struct instr_scope scope;
	struct pid *owner;
	char comm[TASK_COMM_LEN];
	struct rcu_head rcu;
};

struct instr_session *instr_session_create(void);
bool __must_check instr_session_tryget(struct instr_session *session);
void instr_session_put(struct instr_session *session);

/* Undoes all that it did. Harmless when repeated. */
void instr_session_end(struct instr_session *session);
/* Ends session @id, or with 0 all but @self; returns how many, or -ENOENT. */
int instr_session_remove(struct instr_session *self, u32 id);

/* Makes spaces pristine, those of @tgid or all. Under its lock. */
void instr_session_withdraw(struct instr_session *session, struct pid *tgid);

/* @space, which shows nothing any more, is none of its session's. Under the session's lock. */
void instr_session_drop_space(struct instr_space *space);

/* Under RCU; NULL: it has ended. */
struct instr_session *instr_session_find(u32 id);
/* The same with a reference, under nothing. Atomic. */
struct instr_session *instr_session_get_by_id(u32 id);
/* Is the process in a scope, or does it descend from one that is? Atomic. */
bool instr_session_knows(struct pid *tgid);

/*
 * Tell listeners of each session that knows the process: the current one has made a child,
 * which has not run yet, or could not; it executes another image; it ended. Atomic.
 */
void instr_session_on_fork(struct task_struct *child, u32 clone_flags);
void instr_session_on_fork_failed(u32 clone_flags, int err);
void instr_session_on_exec(struct task_struct *task);
void instr_session_on_exit(struct task_struct *task);

/* A debugger took hold of a thread of @mm. */
void instr_session_on_trace(struct mm_struct *mm);

/* For dumps: calls @fn for each session, in order, locked; stops at a non-zero. */
int instr_session_for_each(int (*fn)(struct instr_session *session, void *data),
			   void *data);

#endif
