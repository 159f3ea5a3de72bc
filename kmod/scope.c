// SPDX-License-Identifier: GPL-2.0
#include "scope.h"

#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "view.h"

/*
 * A process in the scope. With @skip_mm, it counts only once it has executed
 * another image.
 */
struct scope_entry {
	struct list_head node;
	struct pid *tgid;
	struct mm_struct *skip_mm;
	u32 scan;		/* the last scope->scan that it took part in */
	bool exited;		/* its end has been told */
	struct rcu_work free;
};

void instr_scope_init(struct instr_scope *scope)
{
	INIT_LIST_HEAD(&scope->entries);
}

/* ---- entries ------------------------------------------------------------------- */

/* In a worker: mmdrop() may not be called from where RCU callbacks run. */
static void entry_free(struct work_struct *work)
{
	struct scope_entry *entry = container_of(to_rcu_work(work),
						 struct scope_entry, free);

	put_pid(entry->tgid);
	if (entry->skip_mm)
		mmdrop(entry->skip_mm);
	kfree(entry);
}

static void entry_remove(struct scope_entry *entry)
{
	list_del_rcu(&entry->node);
	INIT_RCU_WORK(&entry->free, entry_free);
	queue_rcu_work(instr_view_wq, &entry->free);
}

static struct scope_entry *entry_find(const struct instr_scope *scope, struct pid *tgid)
{
	struct scope_entry *entry;

	/* Or the session's lock is held. */
	list_for_each_entry_rcu(entry, &scope->entries, node, true)
		if (entry->tgid == tgid)
			return entry;
	return NULL;
}

static bool entry_covers(const struct scope_entry *entry, const struct task_struct *task)
{
	return !entry->skip_mm || entry->skip_mm != task->mm;
}

/* Processes that are gone need no entry any more. */
static void scope_prune(struct instr_scope *scope)
{
	struct scope_entry *entry, *next;

	list_for_each_entry_safe(entry, next, &scope->entries, node) {
		bool gone;

		rcu_read_lock();
		gone = !pid_task(entry->tgid, PIDTYPE_TGID);
		rcu_read_unlock();
		if (gone)
			entry_remove(entry);
	}
}

/* ---- changing it --------------------------------------------------------------- */

int instr_scope_add(struct instr_scope *scope, struct task_struct *task, struct pid *tgid,
		    bool on_exec)
{
	struct scope_entry *entry;

	scope_prune(scope);
	if (entry_find(scope, tgid))
		return -EEXIST;
	entry = kzalloc(sizeof(*entry), GFP_KERNEL);
	if (!entry)
		return -ENOMEM;
	entry->tgid = get_pid(tgid);
	entry->scan = scope->scan;
	if (on_exec) {
		entry->skip_mm = get_task_mm(task);
		if (entry->skip_mm) {
			mmgrab(entry->skip_mm);
			mmput(entry->skip_mm);
		}
	}
	list_add_tail_rcu(&entry->node, &scope->entries);
	return 0;
}

bool instr_scope_remove(struct instr_scope *scope, struct pid *tgid)
{
	struct scope_entry *entry = entry_find(scope, tgid);

	if (entry)
		entry_remove(entry);
	return entry;
}

void instr_scope_clear(struct instr_scope *scope)
{
	struct scope_entry *entry, *next;

	list_for_each_entry_safe(entry, next, &scope->entries, node)
		entry_remove(entry);
}

/* ---- asking it ----------------------------------------------------------------- */

bool instr_scope_covers(const struct instr_scope *scope, struct task_struct *task)
{
	struct scope_entry *entry = entry_find(scope, task_tgid(task));

	return entry && entry_covers(entry, task);
}

bool instr_scope_has(const struct instr_scope *scope, struct pid *tgid)
{
	return entry_find(scope, tgid);
}

/* Several threads may each believe to be the last. */
bool instr_scope_has_ended(const struct instr_scope *scope, struct pid *tgid)
{
	struct scope_entry *entry = entry_find(scope, tgid);

	return entry && !xchg(&entry->exited, true);
}

void instr_scope_rescan(struct instr_scope *scope)
{
	scope->scan++;
}

struct task_struct *instr_scope_next(struct instr_scope *scope)
{
	struct scope_entry *entry;
	struct task_struct *task;

	list_for_each_entry(entry, &scope->entries, node) {
		if (entry->scan == scope->scan)
			continue;
		entry->scan = scope->scan;
		task = get_pid_task(entry->tgid, PIDTYPE_TGID);
		if (!task)
			continue;
		if (entry_covers(entry, task))
			return task;
		put_task_struct(task);
	}
	return NULL;
}
