// SPDX-License-Identifier: GPL-2.0
/*
 * Children: what is to be done in one before its first step in user mode it has to do
 * itself, as its parent can't wait for it, or sleep. So the fork leaves a note, which the
 * child finds when it begins. Most forks leave none, and their children only find that there
 * are no notes, or not one for them.
 *
 * A fork child has its parent's stacks, and with them slots that lead to code which is not
 * told of any more. A child that is followed gets views of its own. The two are one note,
 * in this order, as both are about the same slabs.
 *
 * A vfork child's parent has a note, too: what it has to do when it waits no longer.
 *
 * vfork children, and all others in their parent's address space, have his slots, and may
 * have: it is his text that they run.
 */

#include "child.h"

#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/spinlock.h>

#include "attach.h"
#include "session.h"
#include "slot.h"
#include "space.h"
#include "work.h"

/* The notes. All tasks of the machine look for theirs, without the lock. */
static DEFINE_HASHTABLE(children, 8);
static DEFINE_SPINLOCK(children_lock);

static struct hlist_head *bucket_of(const struct task_struct *due)
{
	return &children[hash_ptr(due, HASH_BITS(children))];
}

void instr_child_note(struct instr_work *work)
{
	spin_lock(&children_lock);
	hlist_add_head(&work->by_due, bucket_of(work->due));
	spin_unlock(&children_lock);
}

bool instr_child_expect(const struct instr_work *what)
{
	struct instr_work *work = instr_work_make(what);

	if (work)
		instr_child_note(work);
	return work;
}

/* ---- a fork child ---------------------------------------------------------------- */

static void child_end(struct instr_work *work)
{
	if (work->space) {
		mmput_async(work->space->mm);
		instr_space_put(work->space);
	}
	if (work->session)
		instr_session_put(work->session);
	put_task_struct(work->task);
	mmdrop(work->mm);
}

static void child_run(struct instr_work *work)
{
	if (work->space && mmget_not_zero(work->mm)) {
		instr_slots_restore(work->space, work->frames, work->mm);
		mmput_async(work->mm);
	}
	if (work->session)
		instr_attach_mm(work->session, work->task, work->mm);
	child_end(work);
}

/*
 * The parent may end before the child is done, or its session may, but they leave it what
 * says where slots are.
 */
static bool child_take_slots(struct instr_work *work, struct instr_space *space)
{
	if (!space || !instr_slots_are_there(space) || !instr_space_tryget(space))
		return false;
	mmget(space->mm);
	work->space = space;
	work->frames = READ_ONCE(space->frames);
	return true;
}

/* Without memory for the note the child keeps its slots, and runs as it is. */
void instr_child_forked(struct task_struct *child, struct instr_space *space,
			struct instr_session *session)
{
	struct instr_work work = {
		.fn = child_run, .due = child, .task = child, .mm = child->mm,
	};
	bool slots = child_take_slots(&work, space);

	if (session && instr_session_tryget(session))
		work.session = session;
	if (!slots && !work.session)
		return;
	get_task_struct(child);
	mmgrab(child->mm);
	if (!instr_child_expect(&work))
		child_end(&work);
}

/* ---- it is time ------------------------------------------------------------------ */

/* A note of @bucket for @task, or for anybody if that is NULL. */
static struct instr_work *child_take(struct hlist_head *bucket, const struct task_struct *task)
{
	struct instr_work *work, *found = NULL;

	spin_lock(&children_lock);
	hlist_for_each_entry(work, bucket, by_due)
		if (!task || work->due == task) {
			hlist_del(&work->by_due);
			found = work;
			break;
		}
	spin_unlock(&children_lock);
	return found;
}

/* Its parent's two sessions leave two. */
void instr_child_due(void)
{
	struct hlist_head *bucket = bucket_of(current);
	struct instr_work *work;

	if (hlist_empty(bucket))
		return;
	while ((work = child_take(bucket, current)))
		instr_work_queue_made(work);
}

/* Somebody else does it, and the child may be a little earlier. */
void instr_children_flush(void)
{
	struct instr_work *work;
	int i;

	for (i = 0; i < HASH_SIZE(children); i++)
		while ((work = child_take(&children[i], NULL)))
			instr_work_queue_made(work);
}
