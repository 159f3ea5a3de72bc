// SPDX-License-Identifier: GPL-2.0
/*
 * Attaching: a session's scope, and the mappings of those that are in it.
 */

#include "attach.h"

#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "filter.h"
#include "session.h"
#include "space.h"
#include "takeover.h"
#include "work.h"

/* ---- what is mapped: in a worker, as vm_mmap() acts on current->mm ----------------- */

struct attach_work {
	struct work_struct work;
	struct instr_session *session;
	struct task_struct *task;
	struct mm_struct *mm;
	int views;
};

static void attach_fn(struct work_struct *work)
{
	struct attach_work *attach = container_of(work, struct attach_work, work);

	kthread_use_mm(attach->mm);
	mutex_lock(&attach->session->lock);
	/* It may have been detached again since. */
	if (!attach->session->dead &&
	    instr_scope_covers(&attach->session->scope, attach->task))
		attach->views = instr_takeover(attach->session, attach->task);
	mutex_unlock(&attach->session->lock);
	kthread_unuse_mm(attach->mm);
}

/* Looks through what @task has mapped by now. Returns the number of views. */
static int session_scan(struct instr_session *session, struct task_struct *task)
{
	struct attach_work attach = { .session = session, .task = task };

	attach.mm = get_task_mm(task);
	if (!attach.mm)
		return 0;
	INIT_WORK_ONSTACK(&attach.work, attach_fn);
	queue_work(instr_work_wq, &attach.work);
	flush_work(&attach.work);
	destroy_work_on_stack(&attach.work);
	mmput(attach.mm);
	return attach.views;
}

/* Processes: each by a thread, with a reference. */
struct attach_crowd {
	u32 nr;
	struct task_struct **task;
};

static u32 count_processes(void)
{
	struct task_struct *process;
	u32 nr = 0;

	rcu_read_lock();
	for_each_process(process)
		nr++;
	rcu_read_unlock();
	return nr;
}

/*
 * A thread of @process with an address space of its own: a vfork child has its parent's, who
 * is there as well, and a leader may have left its behind. RCU.
 */
static struct task_struct *process_thread(struct task_struct *process)
{
	struct task_struct *thread;

	if ((process->flags & PF_KTHREAD) || READ_ONCE(process->vfork_done))
		return NULL;
	for_each_thread(process, thread)
		if (READ_ONCE(thread->mm))
			return thread;
	return NULL;
}

/*
 * All that were there when they were counted: new ones come last. What is forked since
 * finds the scope busy.
 */
static int crowd_fill(struct attach_crowd *crowd)
{
	struct task_struct *process, *thread;
	u32 room = count_processes();

	crowd->nr = 0;
	crowd->task = kvmalloc_array(room, sizeof(*crowd->task), GFP_KERNEL);
	if (!crowd->task)
		return -ENOMEM;
	rcu_read_lock();
	for_each_process(process) {
		if (crowd->nr == room)
			break;
		thread = process_thread(process);
		if (thread)
			crowd->task[crowd->nr++] = get_task_struct(thread);
	}
	rcu_read_unlock();
	return 0;
}

/* *views: what they got. Looks at all of them, or fails and looks at none. */
static int session_scan_all(struct instr_session *session, u32 *views)
{
	struct attach_crowd crowd;
	int err;
	u32 i;

	*views = 0;
	instr_scope_busy(&session->scope);
	err = crowd_fill(&crowd);
	for (i = 0; !err && i < crowd.nr; i++) {
		*views += session_scan(session, crowd.task[i]);
		put_task_struct(crowd.task[i]);
		cond_resched();
	}
	kvfree(crowd.task);
	instr_scope_idle(&session->scope);
	return err;
}

static void session_rescan(struct instr_session *session)
{
	struct task_struct *task;

	mutex_lock(&session->lock);
	instr_scope_rescan(&session->scope);
	while ((task = instr_scope_next(&session->scope))) {
		mutex_unlock(&session->lock);
		session_scan(session, task);
		put_task_struct(task);
		mutex_lock(&session->lock);
	}
	mutex_unlock(&session->lock);
}

void instr_attach_rescan(struct instr_session *session)
{
	u32 views;

	session_rescan(session);
	if (instr_scope_is_all(&session->scope))
		session_scan_all(session, &views);
}

static void attach_current(struct instr_session *session, struct task_struct *task)
{
	/* Killed meanwhile: there is nothing left to be done for it. */
	if (mutex_lock_killable(&session->lock))
		return;
	/* The scope may have changed since. */
	if (!session->dead && instr_scope_covers(&session->scope, task))
		instr_takeover(session, task);
	mutex_unlock(&session->lock);
}

static void attach_borrowed(struct instr_session *session, struct task_struct *task,
			    struct mm_struct *mm)
{
	if (!mmget_not_zero(mm))
		return;
	kthread_use_mm(mm);
	attach_current(session, task);
	kthread_unuse_mm(mm);
	mmput_async(mm);
}

/* A dying thread may have no address space any more: nothing is to be done in it. */
void instr_attach_mm(struct instr_session *session, struct task_struct *task,
		     struct mm_struct *mm)
{
	if (current->flags & PF_KTHREAD)
		attach_borrowed(session, task, mm);
	else if (current->mm == mm)
		attach_current(session, task);
}

/* ---- who is in the scope ------------------------------------------------------------ */

static int task_check(struct task_struct *task)
{
	struct mm_struct *mm;
	int err = 0;

	if (task->flags & PF_KTHREAD)
		return -EPERM;
	mm = get_task_mm(task);
	if (!mm)
		return -ESRCH;
	if (!instr_mm_is_64bit(mm))
		err = -ENOEXEC;
	mmput(mm);
	return err;
}

int instr_attach(struct instr_session *session, struct instr_attach *arg)
{
	struct task_struct *task;
	struct pid *tgid;
	int err;

	if (arg->flags & ~INSTR_ATTACH_FLAGS_ALL)
		return -EOPNOTSUPP;
	if ((arg->flags & INSTR_ATTACH_FOLLOW_EXEC) && !(arg->flags & INSTR_ATTACH_FOLLOW))
		return -EINVAL;
	rcu_read_lock();
	task = pid_task(find_vpid(arg->pid), PIDTYPE_PID);
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	if (!task)
		return -ESRCH;
	tgid = get_task_pid(task, PIDTYPE_TGID);
	err = tgid ? task_check(task) : -ESRCH;
	if (!err) {
		mutex_lock(&session->lock);
		err = session->dead ? -ESHUTDOWN :
		      instr_scope_add(&session->scope, task, tgid, arg->flags);
		mutex_unlock(&session->lock);
	}
	arg->out_views = 0;
	if (!err && !(arg->flags & INSTR_ATTACH_ON_EXEC))
		arg->out_views = session_scan(session, task);
	put_pid(tgid);
	put_task_struct(task);
	return err;
}

int instr_attach_all(struct instr_session *session, struct instr_attach_all *arg)
{
	struct instr_filter *filter;
	int err;

	if (arg->flags & ~INSTR_ALL_FLAGS_ALL)
		return -EOPNOTSUPP;
	filter = instr_filter_create(arg);
	if (IS_ERR(filter))
		return PTR_ERR(filter);
	mutex_lock(&session->lock);
	err = session->dead ? -ESHUTDOWN : instr_scope_add_all(&session->scope, filter);
	mutex_unlock(&session->lock);
	if (err) {
		instr_filter_free(filter);
		return err;
	}
	err = session_scan_all(session, &arg->out_views);
	if (err)
		instr_scope_remove_all(&session->scope);
	return err;
}

int instr_detach(struct instr_session *session, const struct instr_detach *arg)
{
	struct pid *tgid;
	bool found;

	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->pad)
		return -EINVAL;
	lockdep_assert_held(&session->lock);
	if (!arg->pid) {
		instr_scope_clear(&session->scope);
		instr_session_withdraw(session, NULL);
		return 0;
	}
	tgid = find_get_pid(arg->pid);
	found = tgid && instr_scope_remove(&session->scope, tgid);
	if (found)
		instr_session_withdraw(session, tgid);
	put_pid(tgid);
	return found ? 0 : -ESRCH;
}
