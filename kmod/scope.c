// SPDX-License-Identifier: GPL-2.0
#include "scope.h"

#include <linux/instr.h>
#include <linux/instr_event.h>
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "filter.h"
#include "space.h"
#include "view.h"

/* Which images of a process are measured. */
enum scope_when {
	SCOPE_ALWAYS,
	SCOPE_FIRST,	/* as long as it has the one it had */
	SCOPE_LATER,	/* as soon as it has another one */
	SCOPE_NEVER,
};

/* In the flags of an entry: of a child of who is measured as one of all, which is not. */
#define SCOPE_OF_ALL	(1U << 31)

/*
 * A process.
 *
 * @mm: SCOPE_FIRST, SCOPE_LATER: the image that it had; only compared
 * @flags: INSTR_ATTACH_*, of the one that was attached; SCOPE_OF_ALL
 * @scan: the last scope->scan that it took part in
 */
struct scope_entry {
	struct list_head node;
	struct hlist_node hash;
	struct pid *tgid;
	enum scope_when when;
	struct mm_struct *mm;
	u32 flags;
	u64 number;
	pid_t parent;
	u32 clone_flags;
	u32 scan;
	struct rcu_work free;
};

void instr_scope_init(struct instr_scope *scope)
{
	spin_lock_init(&scope->lock);
	INIT_LIST_HEAD(&scope->entries);
	hash_init(scope->by_tgid);
}

/* ---- entries ------------------------------------------------------------------- */

static struct scope_entry *entry_make(struct pid *tgid, enum scope_when when,
				      struct mm_struct *mm, gfp_t gfp)
{
	struct scope_entry *entry = kzalloc(sizeof(*entry), gfp);

	if (!entry)
		return NULL;
	entry->tgid = get_pid(tgid);
	entry->when = when;
	if (when == SCOPE_FIRST || when == SCOPE_LATER) {
		mmgrab(mm);
		entry->mm = mm;
	}
	return entry;
}

/* In a worker: mmdrop() may not be called from where RCU callbacks run. */
static void entry_free(struct work_struct *work)
{
	struct scope_entry *entry = container_of(to_rcu_work(work),
						 struct scope_entry, free);

	put_pid(entry->tgid);
	if (entry->mm)
		mmdrop(entry->mm);
	kfree(entry);
}

static void entry_add(struct instr_scope *scope, struct scope_entry *entry)
{
	lockdep_assert_held(&scope->lock);
	entry->number = ++scope->numbers;
	list_add_tail_rcu(&entry->node, &scope->entries);
	hash_add_rcu(scope->by_tgid, &entry->hash, (unsigned long)entry->tgid);
}

static void entry_put(struct scope_entry *entry)
{
	INIT_RCU_WORK(&entry->free, entry_free);
	queue_rcu_work(instr_view_wq, &entry->free);
}

static void entry_remove(struct instr_scope *scope, struct scope_entry *entry)
{
	lockdep_assert_held(&scope->lock);
	list_del_rcu(&entry->node);
	hash_del_rcu(&entry->hash);
	entry_put(entry);
}

/* Under RCU, or its lock. */
static struct scope_entry *entry_find(const struct instr_scope *scope, struct pid *tgid)
{
	struct scope_entry *entry;

	hash_for_each_possible_rcu(scope->by_tgid, entry, hash, (unsigned long)tgid,
				   lockdep_is_held(&scope->lock))
		if (entry->tgid == tgid)
			return entry;
	return NULL;
}

static bool entry_covers(const struct scope_entry *entry, const struct mm_struct *mm)
{
	switch (entry->when) {
	case SCOPE_ALWAYS:
		return true;
	case SCOPE_FIRST:
		return entry->mm == mm;
	case SCOPE_LATER:
		return mm && entry->mm != mm;
	default:
		return false;
	}
}

/* ---- changing it --------------------------------------------------------------- */

/* What was known of it as a descendant stays known, and at no time is it unknown. */
static void entry_replace(struct instr_scope *scope, struct scope_entry *entry)
{
	struct scope_entry *known = entry_find(scope, entry->tgid);

	if (!known) {
		entry_add(scope, entry);
		return;
	}
	entry->number = known->number;
	entry->parent = known->parent;
	entry->clone_flags = known->clone_flags;
	list_replace_rcu(&known->node, &entry->node);
	hlist_replace_rcu(&known->hash, &entry->hash);
	entry_put(known);
}

/* What it executed may not be. */
static bool entry_is_measured(const struct scope_entry *entry, const struct mm_struct *mm)
{
	return entry->when == SCOPE_LATER || entry_covers(entry, mm);
}

static bool has_ended(const struct task_struct *task)
{
	return !atomic_read(&task->signal->live);
}

int instr_scope_add(struct instr_scope *scope, struct task_struct *task, struct pid *tgid,
		    u32 flags)
{
	struct mm_struct *mm = flags & INSTR_ATTACH_ON_EXEC ? get_task_mm(task) : NULL;
	struct scope_entry *entry;
	bool measured;

	rcu_read_lock();
	entry = entry_find(scope, tgid);
	measured = entry && entry_is_measured(entry, READ_ONCE(task->mm));
	rcu_read_unlock();
	/* One that has no memory any more will execute nothing. */
	entry = measured ? NULL : entry_make(tgid, mm ? SCOPE_LATER : SCOPE_ALWAYS, mm,
					     GFP_KERNEL);
	if (mm)
		mmput(mm);
	if (!entry)
		return measured ? -EEXIST : -ENOMEM;
	entry->flags = flags & ~INSTR_ATTACH_ON_EXEC;
	entry->scan = scope->scan;
	spin_lock(&scope->lock);
	entry_replace(scope, entry);
	spin_unlock(&scope->lock);
	/* Either its end finds the entry, or we see its end. */
	smp_mb();
	return has_ended(task) && instr_scope_end(scope, tgid) ? -ESRCH : 0;
}

bool instr_scope_remove(struct instr_scope *scope, struct pid *tgid)
{
	struct scope_entry *entry;
	bool found;

	spin_lock(&scope->lock);
	entry = entry_find(scope, tgid);
	found = entry && entry->when != SCOPE_NEVER;
	if (found)
		entry_remove(scope, entry);
	spin_unlock(&scope->lock);
	return found;
}

int instr_scope_add_all(struct instr_scope *scope, struct instr_filter *filter)
{
	int err = 0;

	spin_lock(&scope->lock);
	if (rcu_access_pointer(scope->all))
		err = -EEXIST;
	else
		rcu_assign_pointer(scope->all, filter);
	spin_unlock(&scope->lock);
	return err;
}

void instr_scope_remove_all(struct instr_scope *scope)
{
	struct instr_filter *all;

	spin_lock(&scope->lock);
	all = rcu_replace_pointer(scope->all, NULL, lockdep_is_held(&scope->lock));
	spin_unlock(&scope->lock);
	if (all)
		instr_filter_free(all);
}

void instr_scope_clear(struct instr_scope *scope)
{
	struct scope_entry *entry, *next;

	instr_scope_remove_all(scope);
	spin_lock(&scope->lock);
	list_for_each_entry_safe(entry, next, &scope->entries, node)
		entry_remove(scope, entry);
	spin_unlock(&scope->lock);
}

/* ---- children and ends ----------------------------------------------------------- */

/* What is to be measured of a child of @parent, the current process. */
static enum scope_when child_when(const struct scope_entry *parent, bool shares)
{
	bool exec = parent->flags & INSTR_ATTACH_FOLLOW_EXEC;
	bool covered = entry_covers(parent, current->mm);

	if (parent->flags & SCOPE_OF_ALL)
		return SCOPE_LATER;
	if (!(parent->flags & INSTR_ATTACH_FOLLOW))
		return SCOPE_NEVER;
	if (covered && !shares)
		return exec ? SCOPE_ALWAYS : SCOPE_FIRST;
	/* Also what is made by a child that has not executed anything yet. */
	return exec && (covered || parent->when == SCOPE_LATER) ? SCOPE_LATER : SCOPE_NEVER;
}

static bool task_is_64bit(struct task_struct *task)
{
	bool is;

	task_lock(task);
	is = task->mm && instr_mm_is_64bit(task->mm);
	task_unlock(task);
	return is;
}

static struct instr_kin entry_kin(const struct scope_entry *entry,
				  struct task_struct *task)
{
	struct instr_kin kin = {
		.number = entry->number,
		.pid = pid_nr(entry->tgid),
		.parent = entry->parent,
		.clone_flags = entry->clone_flags,
		.start = task->start_boottime,
		.measured = entry_covers(entry, READ_ONCE(task->mm)) && task_is_64bit(task),
	};

	strscpy(kin.comm, task->comm, sizeof(kin.comm));
	return kin;
}

/* Does @task belong to it, as one of all? */
static const struct instr_filter *scope_all_for(const struct instr_scope *scope,
						struct task_struct *task)
{
	const struct instr_filter *all = rcu_dereference(scope->all);

	return all && instr_filter_passes(all, task) ? all : NULL;
}

/*
 * How a child of the current process is to be known, and whether it is. Without one of its
 * parent's an entry is only for those that are left alone for a while.
 */
static bool scope_child(const struct instr_scope *scope, bool shares, u32 *flags,
			enum scope_when *when)
{
	const struct scope_entry *parent = entry_find(scope, task_tgid(current));
	const struct instr_filter *all;

	if (parent) {
		*flags = parent->flags;
		*when = child_when(parent, shares);
		return true;
	}
	all = scope_all_for(scope, current);
	if (!all || (all->flags & INSTR_ATTACH_FOLLOW))
		return false;
	*flags = (all->flags & INSTR_ATTACH_FLAGS_ALL) | SCOPE_OF_ALL;
	*when = SCOPE_LATER;
	return true;
}

/* The scope may have been left meanwhile, by its parent or by all. */
static bool scope_has_parent(struct instr_scope *scope, const struct scope_entry *child)
{
	return entry_find(scope, task_tgid(current)) ||
	       ((child->flags & SCOPE_OF_ALL) && rcu_access_pointer(scope->all));
}

/* With no memory left the child is told of, and not known any more. */
bool instr_scope_fork(struct instr_scope *scope, struct task_struct *child, u32 clone_flags,
		      struct instr_kin *kin)
{
	struct scope_entry *entry;
	enum scope_when when;
	bool known;
	u32 flags;

	if (!scope_child(scope, child->mm == current->mm, &flags, &when))
		return false;
	*kin = (struct instr_kin){ .pid = task_tgid_nr(child), .start = child->start_boottime };
	entry = entry_make(task_tgid(child), when, child->mm, GFP_ATOMIC | __GFP_NOWARN);
	if (!entry)
		return true;
	entry->flags = flags;
	entry->parent = task_tgid_nr(current);
	entry->clone_flags = clone_flags;
	entry->scan = READ_ONCE(scope->scan);
	*kin = entry_kin(entry, child);
	spin_lock(&scope->lock);
	known = scope_has_parent(scope, entry);
	if (known)
		entry_add(scope, entry);
	else
		entry_put(entry);
	spin_unlock(&scope->lock);
	return known;
}

bool instr_scope_end(struct instr_scope *scope, struct pid *tgid)
{
	struct scope_entry *entry;

	/* Most ends are no concern of ours. */
	if (!instr_scope_has(scope, tgid))
		return false;
	spin_lock(&scope->lock);
	entry = entry_find(scope, tgid);
	if (entry)
		entry_remove(scope, entry);
	spin_unlock(&scope->lock);
	return entry;
}

/* ---- asking it ----------------------------------------------------------------- */

bool instr_scope_covers(const struct instr_scope *scope, struct task_struct *task)
{
	struct scope_entry *entry;
	bool covers;

	rcu_read_lock();
	entry = entry_find(scope, task_tgid(task));
	covers = !entry || entry_covers(entry, READ_ONCE(task->mm));
	if (covers && (!entry || (entry->flags & SCOPE_OF_ALL)))
		covers = scope_all_for(scope, task);
	rcu_read_unlock();
	return covers;
}

bool instr_scope_is_all(const struct instr_scope *scope)
{
	return rcu_access_pointer(scope->all);
}

/* Each is a barrier: who finds it idle sees the spaces that were made. */
void instr_scope_busy(struct instr_scope *scope)
{
	atomic_inc(&scope->busy);
	smp_mb__after_atomic();
}

void instr_scope_idle(struct instr_scope *scope)
{
	smp_mb__before_atomic();
	atomic_dec(&scope->busy);
}

bool instr_scope_is_busy(const struct instr_scope *scope)
{
	bool busy = atomic_read(&scope->busy);

	smp_mb();
	return busy;
}

bool instr_scope_has(const struct instr_scope *scope, struct pid *tgid)
{
	bool has;

	rcu_read_lock();
	has = entry_find(scope, tgid);
	rcu_read_unlock();
	return has;
}

u32 instr_scope_flags(const struct instr_scope *scope, struct pid *tgid)
{
	const struct instr_filter *all;
	struct scope_entry *entry;
	u32 flags;

	rcu_read_lock();
	entry = entry_find(scope, tgid);
	all = rcu_dereference(scope->all);
	flags = entry ? entry->flags : all ? all->flags : 0;
	rcu_read_unlock();
	return flags & INSTR_ATTACH_FLAGS_ALL;
}

int instr_scope_for_each(struct instr_scope *scope,
			 int (*fn)(const struct instr_kin *kin, void *data), void *data)
{
	struct scope_entry *entry;
	struct task_struct *task;
	int ret = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(entry, &scope->entries, node) {
		struct instr_kin kin;

		task = pid_task(entry->tgid, PIDTYPE_TGID);
		if (!task)
			continue;
		kin = entry_kin(entry, task);
		ret = fn(&kin, data);
		if (ret)
			break;
	}
	rcu_read_unlock();
	return ret;
}

void instr_scope_rescan(struct instr_scope *scope)
{
	WRITE_ONCE(scope->scan, scope->scan + 1);
}

struct task_struct *instr_scope_next(struct instr_scope *scope)
{
	struct task_struct *task, *found = NULL;
	struct scope_entry *entry;

	rcu_read_lock();
	list_for_each_entry_rcu(entry, &scope->entries, node) {
		if (entry->scan == scope->scan)
			continue;
		entry->scan = scope->scan;
		task = pid_task(entry->tgid, PIDTYPE_TGID);
		if (!task || !entry_covers(entry, READ_ONCE(task->mm)))
			continue;
		get_task_struct(task);
		found = task;
		break;
	}
	rcu_read_unlock();
	return found;
}
