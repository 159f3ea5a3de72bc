// SPDX-License-Identifier: GPL-2.0
/*
 * Telling: what needs a page has to be done by who may sleep. When a process makes its first
 * thread that is two, of which neither waits for the other; a vfork child does it alone.
 */

#include "tell.h"

#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "child.h"
#include "event.h"
#include "gate.h"
#include "session.h"
#include "space.h"
#include "work.h"

/* What can't be told apart is not counted any more: it finds the files' own text. */
static void tell_failed(struct instr_space *space, int err)
{
	struct instr_session *session = instr_session_get_by_id(space->session_id);

	WRITE_ONCE(space->refused, -err);
	instr_event_refused(space, 0, -err);
	if (!session)
		return;
	if (!mutex_lock_killable(&session->lock)) {
		if (!session->dead)
			instr_space_hide(space);
		mutex_unlock(&session->lock);
	}
	instr_session_put(session);
}

static void tell_here(struct instr_space *space)
{
	int err = instr_gate_tell(space);

	/* Who is about to be killed does not run. */
	if (err && !fatal_signal_pending(current))
		tell_failed(space, err);
}

static void tell_borrowed(struct instr_space *space)
{
	if (!mmget_not_zero(space->mm))
		return;
	kthread_use_mm(space->mm);
	tell_here(space);
	kthread_unuse_mm(space->mm);
	mmput_async(space->mm);
}

static void tell(struct instr_work *work)
{
	struct instr_space *space = work->space;

	if (current->flags & PF_KTHREAD)
		tell_borrowed(space);
	else if (current->mm == space->mm)
		tell_here(space);
	instr_space_put(space);
}

void instr_tell(struct instr_space *space, struct task_struct *task)
{
	const struct instr_work work = { .fn = tell, .space = space, .due = task };
	bool left;

	if (!instr_gate_is_untold(space) || !instr_space_tryget(space))
		return;
	left = task == current ? instr_work_queue(&work) : instr_child_expect(&work);
	if (left)
		return;
	WRITE_ONCE(space->refused, ENOMEM);
	instr_space_put(space);
}
