/* SPDX-License-Identifier: GPL-2.0 */
/* Which of all processes a session is about. */
#ifndef INSTR_FILTER_H
#define INSTR_FILTER_H

#include <linux/instr.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

struct cgroup;
struct task_struct;

/**
 * struct instr_filter - what a process has to be like
 * @flags: INSTR_ATTACH_*, INSTR_ALL_*
 * @cgroup: with a reference; NULL: any
 */
struct instr_filter {
	u32 flags;
	kuid_t uid;
	struct cgroup *cgroup;
	char comm[32];
	struct rcu_work free;
};

/* An ERR_PTR: -EINVAL, -EBADF, -ENOMEM. */
struct instr_filter *instr_filter_create(const struct instr_attach_all *arg);
/* Once all have ended that may look at it under RCU. */
void instr_filter_free(struct instr_filter *filter);

/* As @task is now. Under RCU. */
bool instr_filter_passes(const struct instr_filter *filter, struct task_struct *task);

#endif
