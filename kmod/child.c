// SPDX-License-Identifier: GPL-2.0
/*
 * Children: a fork child has its parent's stacks. It has to do itself what is to be done
 * there before its first step in user mode, as its parent can't wait for it, or sleep. So
 * the fork leaves a note, which the child finds when it begins. Who has no slots leaves
 * none, and a child of his only finds that there are no notes, or not one for it.
 *
 * vfork children, and all others in their parent's address space, have his slots, and may
 * have: it is his text that they run.
 */

#include "child.h"

#include <linux/list.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>

#include "slot.h"
#include "space.h"
#include "work.h"

/* The notes; a child's task is only compared. */
static LIST_HEAD(children);
static DEFINE_SPINLOCK(children_lock);

static void child_end(struct instr_work *work)
{
	mmput_async(work->space->mm);
	mmput_async(work->mm);
	instr_space_put(work->space);
}

static void child_restore(struct instr_work *work)
{
	instr_slots_restore(work->space, work->frames, work->mm);
	child_end(work);
}

/*
 * The parent may end before the child is done, or its session may, but they leave it what
 * says where slots are. Without memory for the note the child keeps its slots.
 */
void instr_child_expect(struct instr_space *space, struct task_struct *child)
{
	struct instr_work what = {
		.fn = child_restore, .task = child, .mm = child->mm, .space = space,
		.frames = READ_ONCE(space->frames),
	};
	struct instr_work *work;

	if (!instr_slots_are_there(space) || !instr_space_tryget(space))
		return;
	mmget(space->mm);
	mmget(what.mm);
	work = instr_work_make(&what);
	if (!work) {
		child_end(&what);
		return;
	}
	spin_lock(&children_lock);
	list_add(&work->node, &children);
	spin_unlock(&children_lock);
}

/* A note for @task, or for anybody if that is NULL. */
static struct instr_work *child_take(const struct task_struct *task)
{
	struct instr_work *work, *found = NULL;

	spin_lock(&children_lock);
	list_for_each_entry(work, &children, node)
		if (!task || work->task == task) {
			list_del(&work->node);
			found = work;
			break;
		}
	spin_unlock(&children_lock);
	return found;
}

/* Its parent's two sessions leave two. */
void instr_child_begin(void)
{
	struct instr_work *work;

	if (list_empty(&children))
		return;
	while ((work = child_take(current)))
		instr_work_queue_made(work);
}

/* Somebody else does it, and the child may be a little earlier. */
void instr_children_flush(void)
{
	struct instr_work *work;

	while ((work = child_take(NULL)))
		instr_work_queue_made(work);
}
