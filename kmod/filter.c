// SPDX-License-Identifier: GPL-2.0
#include "filter.h"

#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/glob.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "view.h"

static bool request_is_sane(const struct instr_attach_all *arg)
{
	if (arg->pad || (arg->uid && !(arg->flags & INSTR_ALL_UID)) ||
	    (arg->cgroup_fd && !(arg->flags & INSTR_ALL_CGROUP)))
		return false;
	if (!(arg->flags & INSTR_ALL_COMM))
		return !memchr_inv(arg->comm, 0, sizeof(arg->comm));
	return arg->comm[0] && memchr(arg->comm, 0, sizeof(arg->comm));
}

static int filter_set(struct instr_filter *filter, const struct instr_attach_all *arg)
{
	struct cgroup *cgroup;

	filter->flags = arg->flags;
	memcpy(filter->comm, arg->comm, sizeof(filter->comm));
	filter->uid = make_kuid(current_user_ns(), arg->uid);
	if (!uid_valid(filter->uid))
		return -EINVAL;
	if (!(arg->flags & INSTR_ALL_CGROUP))
		return 0;
	cgroup = cgroup_get_from_fd(arg->cgroup_fd);
	if (IS_ERR(cgroup))
		return PTR_ERR(cgroup);
	filter->cgroup = cgroup;
	return 0;
}

struct instr_filter *instr_filter_create(const struct instr_attach_all *arg)
{
	struct instr_filter *filter;
	int err;

	if (!request_is_sane(arg))
		return ERR_PTR(-EINVAL);
	filter = kzalloc(sizeof(*filter), GFP_KERNEL);
	if (!filter)
		return ERR_PTR(-ENOMEM);
	err = filter_set(filter, arg);
	if (!err)
		return filter;
	kfree(filter);
	return ERR_PTR(err);
}

static void filter_free(struct work_struct *work)
{
	struct instr_filter *filter = container_of(to_rcu_work(work), struct instr_filter, free);

	if (filter->cgroup)
		cgroup_put(filter->cgroup);
	kfree(filter);
}

void instr_filter_free(struct instr_filter *filter)
{
	INIT_RCU_WORK(&filter->free, filter_free);
	queue_rcu_work(instr_view_wq, &filter->free);
}

bool instr_filter_passes(const struct instr_filter *filter, struct task_struct *task)
{
	char comm[TASK_COMM_LEN];

	if ((filter->flags & INSTR_ALL_UID) && !uid_eq(task_euid(task), filter->uid))
		return false;
	if (filter->cgroup && !task_under_cgroup_hierarchy(task, filter->cgroup))
		return false;
	if (!(filter->flags & INSTR_ALL_COMM))
		return true;
	/* Its lock is not to be had in a hook: a name that changes now may be half one. */
	strscpy(comm, task->group_leader->comm, sizeof(comm));
	return glob_match(filter->comm, comm);
}
