// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions: who asked for what, and the one place that undoes it.
 *
 * Everything here is called from a system call, from a worker, or from a process
 * on its way back to user mode, with no lock held, but for what tells listeners.
 */

#include "session.h"

#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "child.h"
#include "edition.h"
#include "event.h"
#include "frames.h"
#include "live.h"
#include "overlay.h"
#include "space.h"

static LIST_HEAD(sessions);
static DEFINE_MUTEX(sessions_lock);
static u32 session_last_id;

/* ---- life -------------------------------------------------------------------- */

struct instr_session *instr_session_create(void)
{
	struct instr_session *session = kzalloc(sizeof(*session), GFP_KERNEL);

	if (!session)
		return ERR_PTR(-ENOMEM);
	kref_init(&session->ref);
	mutex_init(&session->lock);
	INIT_LIST_HEAD(&session->overlays);
	INIT_LIST_HEAD(&session->spaces);
	instr_scope_init(&session->scope);
	session->owner = get_pid(task_tgid(current));
	strscpy(session->comm, current->group_leader->comm, sizeof(session->comm));
	atomic_inc(&instr_live.sessions);

	mutex_lock(&sessions_lock);
	session->id = ++session_last_id;
	list_add_tail_rcu(&session->node, &sessions);
	mutex_unlock(&sessions_lock);
	return session;
}

bool instr_session_tryget(struct instr_session *session)
{
	return kref_get_unless_zero(&session->ref);
}

static void session_release(struct kref *ref)
{
	struct instr_session *session = container_of(ref, struct instr_session, ref);

	put_pid(session->owner);
	kfree_rcu(session, rcu);
	atomic_dec(&instr_live.sessions);
}

void instr_session_put(struct instr_session *session)
{
	kref_put(&session->ref, session_release);
}

/*
 * The pages go first, then the views that answer their traps: behind a grace period
 * for traps that are under way.
 */
void instr_session_withdraw(struct instr_session *session, struct pid *tgid)
{
	struct instr_overlay *overlay;
	struct instr_space *space;

	list_for_each_entry(overlay, &session->overlays, node)
		WRITE_ONCE(overlay->unsettled, true);
	list_for_each_entry(space, &session->spaces, node)
		if (!tgid || space->tgid == tgid)
			instr_space_withdraw(space);
	list_for_each_entry(overlay, &session->overlays, node) {
		instr_overlay_zap(overlay, instr_overlay_edition(overlay), NULL);
		WRITE_ONCE(overlay->unsettled, false);
	}
	synchronize_rcu();
	list_for_each_entry(space, &session->spaces, node)
		instr_space_release(space);
}

/* Views of private copies may hold it for as long as the process lives. */
void instr_session_drop_space(struct instr_space *space)
{
	instr_threads_clear(space);
	instr_keep_give_up(space);
	instr_frames_release(space);
	list_del(&space->node);
	instr_space_put(space);
}

static void session_undo(struct instr_session *session)
{
	struct instr_overlay *overlay, *next_overlay;
	struct instr_space *space, *next_space;

	instr_scope_clear(&session->scope);
	instr_session_withdraw(session, NULL);
	list_for_each_entry(overlay, &session->overlays, node)
		instr_overlay_withdraw(overlay);
	/* For hooks that found an overlay. */
	synchronize_rcu();
	list_for_each_entry_safe(space, next_space, &session->spaces, node)
		instr_session_drop_space(space);
	list_for_each_entry_safe(overlay, next_overlay, &session->overlays, node) {
		list_del(&overlay->node);
		instr_edition_free(rcu_replace_pointer(overlay->edition, NULL, true));
		instr_overlay_put(overlay);
	}
}

void instr_session_end(struct instr_session *session)
{
	mutex_lock(&sessions_lock);
	if (!session->unlisted)
		list_del_rcu(&session->node);
	session->unlisted = true;
	mutex_unlock(&sessions_lock);

	/* A target can make this wait: nobody else's session may have to. */
	mutex_lock(&session->lock);
	if (!session->dead) {
		session->dead = true;
		session_undo(session);
	}
	mutex_unlock(&session->lock);
}

static struct instr_session *session_take_victim(struct instr_session *self, u32 id)
{
	struct instr_session *session;

	list_for_each_entry(session, &sessions, node)
		if (id ? session->id == id : session != self)
			return instr_session_tryget(session) ? session : NULL;
	return NULL;
}

int instr_session_remove(struct instr_session *self, u32 id)
{
	struct instr_session *session;
	int nr = 0;

	do {
		mutex_lock(&sessions_lock);
		session = session_take_victim(self, id);
		mutex_unlock(&sessions_lock);
		if (!session)
			break;
		instr_session_end(session);
		instr_session_put(session);
		nr++;
	} while (!id);
	return nr || !id ? nr : -ENOENT;
}

/* The first session behind @id, which they are listed by, with a reference. */
static struct instr_session *session_next(u32 id)
{
	struct instr_session *session, *next = NULL;

	mutex_lock(&sessions_lock);
	list_for_each_entry(session, &sessions, node) {
		if (session->id > id && instr_session_tryget(session)) {
			next = session;
			break;
		}
	}
	mutex_unlock(&sessions_lock);
	return next;
}

int instr_session_for_each(int (*fn)(struct instr_session *session, void *data),
			   void *data)
{
	struct instr_session *session;
	u32 id = 0;
	int ret = 0;

	while (!ret && (session = session_next(id))) {
		id = session->id;
		mutex_lock(&session->lock);
		if (!session->dead)
			ret = fn(session, data);
		mutex_unlock(&session->lock);
		instr_session_put(session);
	}
	return ret;
}

/* ---- what happens to processes --------------------------------------------------- */

struct instr_session *instr_session_find(u32 id)
{
	struct instr_session *session;

	list_for_each_entry_rcu(session, &sessions, node)
		if (session->id == id)
			return session;
	return NULL;
}

struct instr_session *instr_session_get_by_id(u32 id)
{
	struct instr_session *session;

	rcu_read_lock();
	session = instr_session_find(id);
	if (session && !instr_session_tryget(session))
		session = NULL;
	rcu_read_unlock();
	return session;
}

bool instr_session_knows(struct pid *tgid)
{
	struct instr_session *session;
	bool knows = false;

	rcu_read_lock();
	list_for_each_entry_rcu(session, &sessions, node)
		knows |= instr_scope_has(&session->scope, tgid);
	rcu_read_unlock();
	return knows;
}

void instr_session_on_fork(struct task_struct *child, u32 clone_flags)
{
	struct instr_session *session;
	struct instr_space *space;
	struct instr_kin kin;

	rcu_read_lock();
	list_for_each_entry_rcu(session, &sessions, node) {
		bool known = instr_scope_fork(&session->scope, child, clone_flags, &kin);
		bool busy = instr_scope_is_busy(&session->scope);

		if (!known && !busy)
			continue;
		space = instr_space_find_of(current->mm, session->id);
		if (known)
			instr_event_fork(session->id, space ? space->id : 0, &kin, clone_flags);
		/* It may map what its parent was not looked through for yet. */
		if (!space && child->mm != current->mm &&
		    instr_scope_covers(&session->scope, child))
			instr_child_forked(child, NULL, session);
	}
	rcu_read_unlock();
}

void instr_session_on_fork_failed(u32 clone_flags, int err)
{
	struct instr_session *session;

	rcu_read_lock();
	list_for_each_entry_rcu(session, &sessions, node)
		if (instr_scope_has(&session->scope, task_tgid(current)))
			instr_event_fork_failed(session->id, clone_flags, err);
	rcu_read_unlock();
}

/* Of what is not measured there is no space to say so. */
static void session_check_image(struct instr_session *session, struct task_struct *task)
{
	if (!instr_mm_is_64bit(task->mm) && instr_scope_covers(&session->scope, task))
		instr_event_refused_image(session->id, task, ENOEXEC);
}

void instr_session_on_exec(struct task_struct *task)
{
	struct instr_session *session;

	rcu_read_lock();
	list_for_each_entry_rcu(session, &sessions, node)
		if (instr_scope_has(&session->scope, task_tgid(task))) {
			instr_event_exec(session->id, task);
			session_check_image(session, task);
		}
	rcu_read_unlock();
}

void instr_session_on_exit(struct task_struct *task)
{
	struct instr_session *session;

	rcu_read_lock();
	list_for_each_entry_rcu(session, &sessions, node)
		if (instr_scope_end(&session->scope, task_tgid(task)))
			instr_event_exit_process(session->id, task);
	rcu_read_unlock();
}

static int session_on_trace(struct instr_session *session, void *mm)
{
	struct instr_overlay *overlay;
	struct instr_space *space;

	list_for_each_entry(space, &session->spaces, node) {
		if (space->mm != mm || space->traced)
			continue;
		instr_space_set_traced(space);
		list_for_each_entry(overlay, &session->overlays, node)
			instr_overlay_zap(overlay, instr_overlay_edition(overlay), NULL);
	}
	return 0;
}

void instr_session_on_trace(struct mm_struct *mm)
{
	instr_session_for_each(session_on_trace, mm);
}
