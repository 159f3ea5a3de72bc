// SPDX-License-Identifier: GPL-2.0
/*
 * Attaching: a session's scope, and the mappings of those that are in it.
 */

#include "attach.h"

#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "session.h"
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

void instr_attach_rescan(struct instr_session *session)
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
	if (mm->task_size <= 1UL << 32)
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
