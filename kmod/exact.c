// SPDX-License-Identifier: GPL-2.0
/*
 * A vfork child has its parent's page tables, so that what it is to find in the text the
 * parent must not have: before the child's first step in user mode the space is hidden, by
 * the child, and before the parent's next one it is revealed, by the parent. Whoever has
 * other threads can't have that, as they are to be measured.
 *
 * A child that is killed may come to its note after its parent has gone on: then there is
 * nothing to be done any more.
 */

#include "exact.h"

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "child.h"
#include "session.h"
#include "space.h"
#include "work.h"

/* @ref: the child's, and the parent's. @state: under the session's lock. */
struct instr_exact {
	struct kref ref;
	struct instr_session *session;
	struct instr_space *space;
	enum { EXACT_EXPECTED, EXACT_HIDDEN, EXACT_OVER } state;
};

static void exact_release(struct kref *ref)
{
	struct instr_exact *exact = container_of(ref, struct instr_exact, ref);

	instr_space_put(exact->space);
	instr_session_put(exact->session);
	kfree(exact);
}

/* In the child. */
static void exact_hide(struct instr_work *work)
{
	struct instr_exact *exact = work->exact;

	if (!mutex_lock_killable(&exact->session->lock)) {
		if (exact->state == EXACT_EXPECTED && !exact->session->dead) {
			exact->state = EXACT_HIDDEN;
			instr_space_hide(exact->space);
		}
		mutex_unlock(&exact->session->lock);
	}
	kref_put(&exact->ref, exact_release);
}

void instr_exact_end(struct instr_exact *exact)
{
	/* A parent that was killed while it waited runs nothing any more, but its child does. */
	if (!fatal_signal_pending(current) && !(current->flags & PF_EXITING) &&
	    !mutex_lock_killable(&exact->session->lock)) {
		if (exact->state == EXACT_HIDDEN && !exact->session->dead)
			instr_space_reveal(exact->space, &exact->session->overlays);
		exact->state = EXACT_OVER;
		mutex_unlock(&exact->session->lock);
	}
	kref_put(&exact->ref, exact_release);
}

static bool exact_get(struct instr_exact *exact, struct instr_space *space)
{
	exact->session = instr_session_get_by_id(space->session_id);
	if (!exact->session)
		return false;
	instr_space_get(space);
	exact->space = space;
	return true;
}

struct instr_exact *instr_exact_begin(struct instr_space *space, struct task_struct *child)
{
	struct instr_work work = { .fn = exact_hide, .due = child };

	if (!space->exact || READ_ONCE(space->many))
		return NULL;
	work.exact = kzalloc(sizeof(*work.exact), GFP_ATOMIC | __GFP_NOWARN);
	if (!work.exact)
		return NULL;
	kref_init(&work.exact->ref);
	if (!exact_get(work.exact, space)) {
		kfree(work.exact);
		return NULL;
	}
	if (!instr_child_expect(&work)) {
		kref_put(&work.exact->ref, exact_release);
		return NULL;
	}
	/* It can't have begun. */
	kref_get(&work.exact->ref);
	return work.exact;
}
