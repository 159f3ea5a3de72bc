// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions: who asked for what, and the one place that undoes it.
 *
 * Everything here is called from a system call, from a worker, or from a process
 * on its way back to user mode, with no lock held.
 */

#include "session.h"

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "check.h"
#include "edition.h"
#include "event.h"
#include "hook.h"
#include "live.h"
#include "overlay.h"
#include "pointer.h"
#include "space.h"
#include "view.h"

/*
 * A process in the scope. With @skip_mm, it counts only once it has executed
 * another image.
 */
struct scope_entry {
	struct list_head node;
	struct pid *tgid;
	struct mm_struct *skip_mm;
	u32 scan;		/* the last session->scan that it took part in */
	bool exited;		/* its end has been told */
	struct rcu_work free;
};

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
	INIT_LIST_HEAD(&session->scope);
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

/* In a worker: mmdrop() may not be called from where RCU callbacks run. */
static void scope_free(struct work_struct *work)
{
	struct scope_entry *entry = container_of(to_rcu_work(work),
						 struct scope_entry, free);

	put_pid(entry->tgid);
	if (entry->skip_mm)
		mmdrop(entry->skip_mm);
	kfree(entry);
}

static void scope_remove(struct scope_entry *entry)
{
	list_del_rcu(&entry->node);
	INIT_RCU_WORK(&entry->free, scope_free);
	queue_rcu_work(instr_view_wq, &entry->free);
}

static struct instr_edition *overlay_edition(struct instr_session *session,
					     struct instr_overlay *overlay)
{
	return rcu_dereference_protected(overlay->edition,
					 lockdep_is_held(&session->lock));
}

/*
 * Makes spaces pristine, those of @tgid or all. The pages go first, then the views
 * that answer their traps: behind a grace period for traps that are under way.
 */
static void session_withdraw(struct instr_session *session, struct pid *tgid)
{
	struct instr_overlay *overlay;
	struct instr_space *space;

	list_for_each_entry(overlay, &session->overlays, node)
		WRITE_ONCE(overlay->unsettled, true);
	list_for_each_entry(space, &session->spaces, node)
		if (!tgid || space->tgid == tgid)
			instr_space_withdraw(space);
	list_for_each_entry(overlay, &session->overlays, node) {
		instr_overlay_zap(overlay, overlay_edition(session, overlay), NULL);
		WRITE_ONCE(overlay->unsettled, false);
	}
	synchronize_rcu();
	list_for_each_entry(space, &session->spaces, node)
		instr_space_release(space);
}

static void session_undo(struct instr_session *session)
{
	struct scope_entry *entry, *next_entry;
	struct instr_overlay *overlay, *next_overlay;
	struct instr_space *space, *next_space;

	list_for_each_entry_safe(entry, next_entry, &session->scope, node)
		scope_remove(entry);
	session_withdraw(session, NULL);
	list_for_each_entry(overlay, &session->overlays, node)
		instr_overlay_withdraw(overlay);
	/* For hooks that found an overlay. */
	synchronize_rcu();
	list_for_each_entry_safe(space, next_space, &session->spaces, node) {
		list_del(&space->node);
		instr_space_put(space);
	}
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

/* ---- the scope ----------------------------------------------------------------- */

bool instr_session_covers(struct instr_session *session, struct task_struct *task)
{
	struct scope_entry *entry;

	list_for_each_entry_rcu(entry, &session->scope, node,
				lockdep_is_held(&session->lock))
		if (entry->tgid == task_tgid(task))
			return !entry->skip_mm || entry->skip_mm != task->mm;
	return false;
}

static void scopes_tell(struct task_struct *task,
			void (*fn)(struct instr_session *session,
				   struct scope_entry *entry, struct task_struct *task))
{
	struct instr_session *session;
	struct scope_entry *entry;

	rcu_read_lock();
	list_for_each_entry_rcu(session, &sessions, node)
		list_for_each_entry_rcu(entry, &session->scope, node)
			if (entry->tgid == task_tgid(task))
				fn(session, entry, task);
	rcu_read_unlock();
}

static void tell_exec(struct instr_session *session, struct scope_entry *entry,
		      struct task_struct *task)
{
	instr_event_exec(session, task);
}

/* Several threads may each believe to be the last: one of them tells. */
static void tell_exit(struct instr_session *session, struct scope_entry *entry,
		      struct task_struct *task)
{
	if (!xchg(&entry->exited, true))
		instr_event_exit_process(session, task);
}

void instr_session_on_exec(struct task_struct *task)
{
	scopes_tell(task, tell_exec);
}

void instr_session_on_exit(struct task_struct *task)
{
	scopes_tell(task, tell_exit);
}

static struct scope_entry *scope_find(struct instr_session *session, struct pid *tgid)
{
	struct scope_entry *entry;

	list_for_each_entry(entry, &session->scope, node)
		if (entry->tgid == tgid)
			return entry;
	return NULL;
}

/* Processes that are gone need no entry any more. */
static void scope_prune(struct instr_session *session)
{
	struct scope_entry *entry, *next;

	list_for_each_entry_safe(entry, next, &session->scope, node) {
		bool gone;

		rcu_read_lock();
		gone = !pid_task(entry->tgid, PIDTYPE_TGID);
		rcu_read_unlock();
		if (gone)
			scope_remove(entry);
	}
}

void instr_session_on_map(struct instr_session *session, struct task_struct *task)
{
	/* Killed meanwhile: there is nothing left to be done for it. */
	if (mutex_lock_killable(&session->lock))
		return;
	/* The scope may have changed since. */
	if (!session->dead && instr_session_covers(session, task))
		instr_space_sync(session, task);
	mutex_unlock(&session->lock);
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
			instr_overlay_zap(overlay, overlay_edition(session, overlay),
					  NULL);
	}
	return 0;
}

void instr_session_on_trace(struct mm_struct *mm)
{
	instr_session_for_each(session_on_trace, mm);
}

/* ---- attach: in a worker, as vm_mmap() acts on current->mm ----------------------- */

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
	    instr_session_covers(attach->session, attach->task))
		attach->views = instr_space_sync(attach->session, attach->task);
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
	queue_work(instr_hook_wq, &attach.work);
	flush_work(&attach.work);
	destroy_work_on_stack(&attach.work);
	mmput(attach.mm);
	return attach.views;
}

/* A process of the scope that the current scan has not seen, with a reference. */
static struct task_struct *scope_next_unscanned(struct instr_session *session)
{
	struct scope_entry *entry;
	struct task_struct *task;

	lockdep_assert_held(&session->lock);
	list_for_each_entry(entry, &session->scope, node) {
		if (entry->scan == session->scan)
			continue;
		entry->scan = session->scan;
		task = get_pid_task(entry->tgid, PIDTYPE_TGID);
		if (!task)
			continue;
		if (instr_session_covers(session, task))
			return task;
		put_task_struct(task);
	}
	return NULL;
}

void instr_session_rescan(struct instr_session *session)
{
	struct task_struct *task;

	mutex_lock(&session->lock);
	session->scan++;
	while ((task = scope_next_unscanned(session))) {
		mutex_unlock(&session->lock);
		session_scan(session, task);
		put_task_struct(task);
		mutex_lock(&session->lock);
	}
	mutex_unlock(&session->lock);
}

static int scope_add(struct instr_session *session, struct task_struct *task,
		     struct pid *tgid, bool on_exec)
{
	struct scope_entry *entry;

	lockdep_assert_held(&session->lock);
	if (session->dead)
		return -ESHUTDOWN;
	scope_prune(session);
	if (scope_find(session, tgid))
		return -EEXIST;
	entry = kzalloc(sizeof(*entry), GFP_KERNEL);
	if (!entry)
		return -ENOMEM;
	entry->tgid = get_pid(tgid);
	entry->scan = session->scan;
	if (on_exec) {
		entry->skip_mm = get_task_mm(task);
		if (entry->skip_mm) {
			mmgrab(entry->skip_mm);
			mmput(entry->skip_mm);
		}
	}
	list_add_tail_rcu(&entry->node, &session->scope);
	return 0;
}

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

int instr_session_attach(struct instr_session *session, struct instr_attach *arg)
{
	struct task_struct *task;
	struct pid *tgid;
	int err;

	if (arg->flags & ~INSTR_ATTACH_FLAGS_ALL)
		return -EOPNOTSUPP;
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
		err = scope_add(session, task, tgid, arg->flags & INSTR_ATTACH_ON_EXEC);
		mutex_unlock(&session->lock);
	}
	arg->out_views = 0;
	if (!err && !(arg->flags & INSTR_ATTACH_ON_EXEC))
		arg->out_views = session_scan(session, task);
	put_pid(tgid);
	put_task_struct(task);
	return err;
}

int instr_session_detach(struct instr_session *session,
			 const struct instr_detach *arg)
{
	struct scope_entry *entry = NULL;
	struct pid *tgid;

	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->pad)
		return -EINVAL;
	lockdep_assert_held(&session->lock);
	tgid = find_get_pid(arg->pid);
	if (tgid)
		entry = scope_find(session, tgid);
	if (entry) {
		scope_remove(entry);
		session_withdraw(session, tgid);
	}
	put_pid(tgid);
	return entry ? 0 : -ESRCH;
}

/* ---- overlays -------------------------------------------------------------------- */

static struct instr_overlay *session_find_overlay(struct instr_session *session, u32 id)
{
	struct instr_overlay *overlay;

	lockdep_assert_held(&session->lock);
	list_for_each_entry(overlay, &session->overlays, node)
		if (overlay->id == id)
			return overlay;
	return NULL;
}

static int file_check(struct file *file)
{
	struct inode *inode;

	if (!(file->f_mode & FMODE_READ) || (file->f_mode & FMODE_PATH))
		return -EBADF;
	inode = d_real_inode(file_dentry(file));
	if (!S_ISREG(inode->i_mode) || IS_DAX(inode) ||
	    inode->i_sb->s_magic == HUGETLBFS_MAGIC ||
	    inode->i_sb->s_magic == SECRETMEM_MAGIC)
		return -ENOEXEC;
	return 0;
}

int instr_session_overlay_create(struct instr_session *session,
				 struct instr_overlay_create *arg)
{
	struct instr_overlay *overlay;
	struct file *file;
	int err;

	lockdep_assert_held(&session->lock);
	err = instr_check_overlay(arg);
	if (err)
		return err;
	file = fget(arg->file_fd);
	if (!file)
		return -EBADF;
	err = file_check(file);
	if (err)
		goto out_put_file;
	overlay = instr_overlay_create(session, file, arg);
	err = PTR_ERR_OR_ZERO(overlay);
	if (err)
		goto out_put_file;
	err = instr_overlay_announce(overlay);
	if (err) {
		instr_overlay_put(overlay);
		goto out_put_file;
	}
	list_add_tail(&overlay->node, &session->overlays);
	arg->out_overlay_id = overlay->id;
out_put_file:
	fput(file);
	return err;
}

static bool session_uses(struct instr_session *session,
			 const struct instr_overlay *overlay)
{
	struct instr_space *space;
	struct instr_slab *slab;

	list_for_each_entry(space, &session->spaces, node)
		list_for_each_entry(slab, &space->slabs, node)
			if (slab->overlay == overlay)
				return true;
	return false;
}

int instr_session_pointers(struct instr_session *session, u32 overlay_id,
			   struct instr_pointer_set *set)
{
	struct instr_overlay *overlay = session_find_overlay(session, overlay_id);
	u32 i;

	if (!overlay)
		return -ENOENT;
	if (overlay->pointers || session_uses(session, overlay))
		return -EBUSY;
	for (i = 0; i < set->nr; i++)
		if (!instr_check_pointer(&set->pointer[i], overlay->slab_start,
					 overlay->code->code_len,
					 overlay->code->kept_len))
			return -ERANGE;
	overlay->pointers = set;
	return 0;
}

static struct instr_check_code overlay_code(const struct instr_overlay *overlay)
{
	return (struct instr_check_code){
		.start = overlay->slab_start,
		.len = overlay->code->code_len,
		.annex_start = overlay->annex_start,
		.annex_len = overlay->code->annex_len,
	};
}

int instr_session_slab_read(struct instr_session *session,
			    const struct instr_slab_io *arg)
{
	struct instr_overlay *overlay = session_find_overlay(session, arg->overlay_id);
	int err;

	if (!overlay)
		return -ENOENT;
	err = instr_check_slab_io(arg, instr_code_len(overlay->code));
	if (err)
		return err;
	return instr_code_read(overlay->code, arg->offset, u64_to_user_ptr(arg->ptr),
			       arg->len);
}

int instr_session_slab_write(struct instr_session *session,
			     const struct instr_slab_io *arg)
{
	struct instr_overlay *overlay = session_find_overlay(session, arg->overlay_id);
	u8 *bytes;
	int err;

	if (!overlay)
		return -ENOENT;
	err = instr_check_slab_io(arg, instr_code_len(overlay->code));
	if (err)
		return err;
	bytes = vmemdup_user(u64_to_user_ptr(arg->ptr), arg->len);
	if (IS_ERR(bytes))
		return PTR_ERR(bytes);
	err = instr_code_append(overlay->code, arg->offset, bytes, arg->len);
	kvfree(bytes);
	return err;
}

/* A new edition becomes what all views show. Nothing can fail any more. */
static void session_commit(struct instr_session *session,
			   struct instr_overlay *overlay, struct instr_traps *traps,
			   struct instr_edition *edition)
{
	struct instr_traps *old_traps;
	struct instr_edition *old;
	struct instr_space *space;

	/* A page may only be served once its traps are found. */
	old_traps = rcu_replace_pointer(overlay->traps, traps,
					lockdep_is_held(&session->lock));
	old = rcu_replace_pointer(overlay->edition, edition,
				  lockdep_is_held(&session->lock));
	WRITE_ONCE(overlay->unsettled, true);
	list_for_each_entry(space, &session->spaces, node)
		instr_space_show(space, overlay, edition);
	instr_overlay_zap(overlay, old, edition);
	WRITE_ONCE(overlay->unsettled, false);
	instr_edition_free(old);
	if (old_traps)
		kvfree_rcu(old_traps, rcu);
}

int instr_session_publish(struct instr_session *session, struct instr_publish *arg,
			  const struct instr_site *sites,
			  const struct instr_trap *traps)
{
	struct instr_overlay *overlay = session_find_overlay(session, arg->overlay_id);
	struct instr_edition *edition;
	struct instr_check_code code;
	struct instr_traps *merged;
	int err;

	if (!overlay)
		return -ENOENT;
	code = overlay_code(overlay);
	err = instr_check_sites(sites, arg->nr_sites, &arg->out_bad) ?:
	      instr_check_traps(traps, arg->nr_traps, &code, &arg->out_bad) ?:
	      instr_check_fragile(sites, arg->nr_sites, traps, arg->nr_traps,
				  &arg->out_bad);
	if (err)
		return err;
	merged = instr_traps_merge(overlay, arg, sites, traps, &arg->out_bad);
	if (IS_ERR(merged))
		return PTR_ERR(merged);
	edition = instr_edition_build(overlay, overlay_edition(session, overlay), sites,
				      arg->nr_sites, &arg->out_bad);
	err = PTR_ERR_OR_ZERO(edition);
	if (err)
		goto err_free_traps;
	session_commit(session, overlay, merged, edition);
	return 0;

err_free_traps:
	kvfree(merged);
	return err;
}

/* ---- spaces ---------------------------------------------------------------------- */

int instr_session_space_next(struct instr_session *session,
			     struct instr_space_next *arg)
{
	struct instr_space *space;

	if (arg->flags)
		return -EOPNOTSUPP;
	lockdep_assert_held(&session->lock);
	list_for_each_entry(space, &session->spaces, node) {
		if (space->id <= arg->space_id)
			continue;
		*arg = (struct instr_space_next){
			.size = arg->size,
			.space_id = space->id,
			.out_pid = pid_vnr(space->tgid),
			.out_live = instr_space_lives(space) && !space->detached,
			.out_refused = space->refused,
			.out_private = space->private,
			.out_slabs = instr_space_count_slabs(space),
			.out_unset = space->unset,
		};
		strscpy((char *)arg->out_comm, space->comm, sizeof(arg->out_comm));
		return 0;
	}
	return -ENOENT;
}

int instr_session_data_read(struct instr_session *session,
			    const struct instr_data_read *arg, u64 *sums)
{
	struct instr_overlay *overlay = session_find_overlay(session, arg->overlay_id);
	struct instr_space *space;

	if (!overlay)
		return -ENOENT;
	list_for_each_entry(space, &session->spaces, node) {
		if (space->id != arg->space_id)
			continue;
		instr_space_read(space, overlay, arg->offset, arg->nr, sums);
		return 0;
	}
	return -ENOENT;
}
