// SPDX-License-Identifier: GPL-2.0
/*
 * vfork children. One begins when its parent makes it, or when it is found, and has its
 * parent note what is to be done at the end of the wait. That comes before the parent's next
 * step in user mode.
 */

#include "vfork.h"

#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>

#include "child.h"
#include "exact.h"
#include "gate.h"
#include "space.h"
#include "tell.h"
#include "work.h"

/* A parent that is killed does not wait: its child goes on in what was its memory. */
static bool vfork_is_left(const struct instr_work *work)
{
	return (fatal_signal_pending(current) || (current->flags & PF_EXITING)) &&
	       READ_ONCE(work->task->mm) == work->space->mm;
}

/* The child has ended, or executes another image. */
static void vfork_end(struct instr_work *work)
{
	if (!vfork_is_left(work))
		instr_gate_vfork_end(work->space, work->fs_base);
	if (work->exact)
		instr_exact_end(work->exact);
	put_task_struct(work->task);
	instr_space_put(work->space);
}

/* What @parent will have to do; NULL: there is no memory, nobody would say when it is over. */
static struct instr_work *vfork_make(struct instr_space *space, struct task_struct *parent,
				     struct task_struct *child)
{
	const struct instr_work what = {
		.fn = vfork_end, .space = space, .task = child, .due = parent,
		.fs_base = parent == current ? child->thread.fsbase :
					       READ_ONCE(parent->thread.fsbase),
	};
	struct instr_work *work;

	if (!instr_space_tryget(space))
		return NULL;
	work = instr_work_make(&what);
	if (work)
		get_task_struct(child);
	else
		instr_space_put(space);
	return work;
}

void instr_vfork_begin(struct instr_space *space, struct task_struct *child)
{
	struct instr_work *work = vfork_make(space, current, child);

	if (!work)
		return;
	work->exact = instr_exact_begin(space, child);
	instr_gate_vfork_begin(space, work->fs_base);
	instr_child_note(work);
	instr_tell(space, child);
}

/* ---- those that run already -------------------------------------------------------- */

/*
 * What the child has to complete lies on the stack of who waits: with CLONE_PARENT that is not
 * its parent, and then it is not known who it is. A child with an FS base of its own, that no
 * C library makes, counts.
 */
static bool vfork_waits(const struct task_struct *parent, const struct task_struct *child)
{
	unsigned long stack = (unsigned long)task_stack_page(parent);

	return (unsigned long)child->vfork_done - stack < THREAD_SIZE &&
	       READ_ONCE(child->thread.fsbase) == READ_ONCE(parent->thread.fsbase);
}

/*
 * The child's lock: as long as it has vfork_done its parent is not at the end of the wait, and
 * will find the note. Under RCU.
 */
static bool vfork_note(struct instr_space *space, struct task_struct *child)
{
	struct task_struct *parent;
	struct instr_work *work = NULL;

	task_lock(child);
	parent = rcu_dereference(child->real_parent);
	if (child->vfork_done && child->mm == space->mm && vfork_waits(parent, child))
		work = vfork_make(space, parent, child);
	if (work) {
		instr_gate_vfork_begin(space, work->fs_base);
		instr_child_note(work);
	}
	task_unlock(child);
	return work;
}

int instr_vfork_find(struct instr_space *space)
{
	struct task_struct *process;
	int nr = 0;

	rcu_read_lock();
	for_each_process(process)
		if (READ_ONCE(process->vfork_done) && READ_ONCE(process->mm) == space->mm)
			nr += vfork_note(space, process);
	rcu_read_unlock();
	return nr;
}
