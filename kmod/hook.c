// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks: what the kernel tells us, and when the work for it is done.
 *
 * A hook runs in atomic context, in the middle of somebody's system call. What
 * needs to sleep is done by the same thread when it goes back to user mode,
 * before its next instruction there. Mainline exports no task_work_add(), but
 * fput() does the same: the ->release() of a file whose last reference was
 * dropped runs at that point. Prepared files wait in a pool; each refills it.
 * Should the pool run dry, a worker does the work a little later.
 */

#include "hook.h"

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/perf_event.h>
#include <linux/ptrace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/tracepoint.h>

#include "event.h"
#include "overlay.h"
#include "session.h"
#include "space.h"
#include "view.h"

/* ---- work on the way back to user mode ----------------------------------------------- */

#define HOOK_POOL	64

/* One thing to be done, by @task itself or, where there is no @file, a worker. */
struct hook_work {
	struct list_head node;
	struct file *file;
	struct work_struct work;
	/* A mapping appeared in the mm of @task; NULL: a debugger came to @mm. */
	struct instr_session *session;
	struct task_struct *task;
	/* Held by mmgrab() for a debugger, by mmget() for a worker. */
	struct mm_struct *mm;
};

static LIST_HEAD(hook_pool);
static DEFINE_SPINLOCK(hook_pool_lock);
static bool hook_pool_open;

static void hook_pool_add(void);

static void hook_run(struct hook_work *work)
{
	if (work->session) {
		instr_session_on_map(work->session, work->task);
		instr_session_put(work->session);
	} else if (work->mm) {
		instr_session_on_trace(work->mm);
		mmdrop(work->mm);
	}
}

static int hook_release(struct inode *inode, struct file *file)
{
	struct hook_work *work = file->private_data;

	/* By then a dying thread may have no address space: nothing to do in it. */
	if (work->session && !current->mm) {
		instr_session_put(work->session);
		work->session = NULL;
	}
	hook_run(work);
	kfree(work);
	hook_pool_add();
	return 0;
}

static const struct file_operations hook_fops = {
	.owner = THIS_MODULE,
	.release = hook_release,
};

static void hook_pool_add(void)
{
	struct hook_work *work;
	bool open;

	if (!READ_ONCE(hook_pool_open))
		return;
	work = kzalloc(sizeof(*work), GFP_KERNEL);
	if (!work)
		return;
	work->file = anon_inode_getfile("[instr-work]", &hook_fops, work, O_RDONLY);
	if (IS_ERR(work->file)) {
		kfree(work);
		return;
	}
	spin_lock_irq(&hook_pool_lock);
	open = hook_pool_open;
	if (open)
		list_add(&work->node, &hook_pool);
	spin_unlock_irq(&hook_pool_lock);
	if (!open)
		fput(work->file);
}

static struct hook_work *hook_pool_take(void)
{
	struct hook_work *work;
	unsigned long flags;

	spin_lock_irqsave(&hook_pool_lock, flags);
	work = list_first_entry_or_null(&hook_pool, struct hook_work, node);
	if (work)
		list_del(&work->node);
	spin_unlock_irqrestore(&hook_pool_lock, flags);
	return work;
}

static void hook_pool_fill(void)
{
	int i;

	hook_pool_open = true;
	for (i = 0; i < HOOK_POOL; i++)
		hook_pool_add();
}

static void hook_pool_drain(void)
{
	struct hook_work *work;

	spin_lock_irq(&hook_pool_lock);
	hook_pool_open = false;
	spin_unlock_irq(&hook_pool_lock);
	while ((work = hook_pool_take()))
		fput(work->file);
}

static void hook_worker(struct work_struct *work)
{
	struct hook_work *late = container_of(work, struct hook_work, work);

	if (late->session) {
		struct mm_struct *mm = late->mm;

		kthread_use_mm(mm);
		hook_run(late);
		kthread_unuse_mm(mm);
		mmput(mm);
		put_task_struct(late->task);
	} else {
		hook_run(late);
	}
	kfree(late);
	module_put(THIS_MODULE);
}

/* The pool is dry. Takes over the references in @session and @mm. */
static void hook_defer(struct instr_session *session, struct mm_struct *mm)
{
	struct hook_work *work = kzalloc(sizeof(*work), GFP_ATOMIC);

	if (!work) {
		if (session)
			instr_session_put(session);
		else
			mmdrop(mm);
		return;
	}
	__module_get(THIS_MODULE);
	work->session = session;
	work->mm = mm;
	if (session) {
		work->task = get_task_struct(current);
		work->mm = current->mm;
		mmget(work->mm);
	}
	INIT_WORK(&work->work, hook_worker);
	queue_work(instr_view_wq, &work->work);
}

static void hook_queue(struct instr_session *session, struct mm_struct *mm)
{
	struct hook_work *work = hook_pool_take();

	if (!work) {
		hook_defer(session, mm);
		return;
	}
	work->session = session;
	work->task = current;
	work->mm = mm;
	fput(work->file);
}

/* ---- mappings: each mmap(), exec segment, mprotect() passes perf_event_mmap() ---------- */

static int on_map(struct kprobe *probe, struct pt_regs *regs)
{
	struct vm_area_struct *vma = (void *)regs_get_kernel_argument(regs, 0);
	struct instr_session *session;

	if (!vma->vm_file || (vma->vm_flags & (VM_EXEC | VM_SHARED)) != VM_EXEC ||
	    vma->vm_mm != current->mm || (current->flags & PF_KTHREAD))
		return 0;
	rcu_read_lock();
	session = instr_overlay_session(file_inode(vma->vm_file));
	if (session && (instr_vma_view(vma) ||
			!instr_session_covers(session, current))) {
		instr_session_put(session);
		session = NULL;
	}
	rcu_read_unlock();
	if (session)
		hook_queue(session, NULL);
	return 0;
}
NOKPROBE_SYMBOL(on_map);

/* ---- debuggers: attach, seize and traceme pass __ptrace_link() -------------------------- */

static int on_trace(struct kprobe *probe, struct pt_regs *regs)
{
	struct task_struct *task = (void *)regs_get_kernel_argument(regs, 0);
	struct mm_struct *mm = READ_ONCE(task->mm);
	struct instr_space *space;

	if (!mm || (current->flags & PF_KTHREAD))
		return 0;
	rcu_read_lock();
	/* The task may leave its mm meanwhile; a space that we find holds it. */
	space = instr_space_find(mm);
	if (space)
		mmgrab(mm);
	rcu_read_unlock();
	if (space)
		hook_queue(NULL, mm);
	return 0;
}
NOKPROBE_SYMBOL(on_trace);

/* ---- uprobes: not on a page that is patched ---------------------------------------------- */

static long hook_busy(void)
{
	return -EBUSY;
}

/* uprobe_register(inode, offset, ...): returns an errno, or an ERR_PTR. */
static int on_uprobe(struct kprobe *probe, struct pt_regs *regs)
{
	struct inode *inode = (void *)regs_get_kernel_argument(regs, 0);
	loff_t offset = regs_get_kernel_argument(regs, 1);
	bool patched;

	rcu_read_lock();
	patched = instr_overlay_patches(inode, offset >> PAGE_SHIFT);
	rcu_read_unlock();
	if (!patched)
		return 0;
	instruction_pointer_set(regs, (unsigned long)hook_busy);
	return 1;
}
NOKPROBE_SYMBOL(on_uprobe);

/* Its presence is what lets on_uprobe() go elsewhere. */
static void after_uprobe(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

/* ---- tracepoints --------------------------------------------------------------------------- */

static void on_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	struct instr_space *space;

	if (!parent->mm || child->signal == parent->signal ||
	    (child->flags & PF_KTHREAD))
		return;
	rcu_read_lock();
	space = instr_space_find(parent->mm);
	if (space && space->session_id && !space->detached)
		instr_event_fork(space, parent, child);
	rcu_read_unlock();
}

static void on_exec(void *data, struct task_struct *task, pid_t old_pid,
		    struct linux_binprm *bprm)
{
	instr_session_for_covering(task, instr_event_exec);
}

static void on_exit(void *data, struct task_struct *task)
{
	if (!atomic_read(&task->signal->live))
		instr_session_for_covering(task, instr_event_exit_process);
}

struct hook_tracepoint {
	const char *name;
	void *fn;
	struct tracepoint *tp;
};

static struct hook_tracepoint hook_tracepoints[] = {
	{ .name = "sched_process_fork", .fn = on_fork },
	{ .name = "sched_process_exec", .fn = on_exec },
	{ .name = "sched_process_exit", .fn = on_exit },
};

static void hook_tracepoint_find(struct tracepoint *tp, void *data)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(hook_tracepoints); i++)
		if (!strcmp(tp->name, hook_tracepoints[i].name))
			hook_tracepoints[i].tp = tp;
}

/* ---- on and off ------------------------------------------------------------------------------ */

/* @optional: the symbol need not exist in all kernels. */
struct hook_probe {
	struct kprobe kp;
	bool optional;
	bool on;
};

static struct hook_probe hook_probes[] = {
	{ .kp = { .symbol_name = "perf_event_mmap", .pre_handler = on_map } },
	{ .kp = { .symbol_name = "__ptrace_link", .pre_handler = on_trace } },
	{ .kp = { .symbol_name = "uprobe_register", .pre_handler = on_uprobe,
		  .post_handler = after_uprobe } },
	/* Gone with 3c83a9ad0295 ("uprobes: make uprobe_register() return ..."), v6.12. */
	{ .kp = { .symbol_name = "uprobe_register_refctr", .pre_handler = on_uprobe,
		  .post_handler = after_uprobe }, .optional = true },
};

static DEFINE_MUTEX(hook_lock);
static int hook_users;

static void hook_disable(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(hook_tracepoints); i++)
		if (hook_tracepoints[i].tp)
			tracepoint_probe_unregister(hook_tracepoints[i].tp,
						    hook_tracepoints[i].fn, NULL);
	tracepoint_synchronize_unregister();
	for (i = 0; i < ARRAY_SIZE(hook_probes); i++) {
		if (!hook_probes[i].on)
			continue;
		unregister_kprobe(&hook_probes[i].kp);
		hook_probes[i].on = false;
	}
	hook_pool_drain();
}

/* A kprobe can be registered again only if nothing is left of the last time. */
static int hook_probe_enable(struct hook_probe *probe)
{
	int err;

	probe->kp.addr = NULL;
	probe->kp.flags = 0;
	err = register_kprobe(&probe->kp);
	probe->on = !err;
	return probe->optional && err == -ENOENT ? 0 : err;
}

static int hook_enable(void)
{
	int i, err = 0;

	hook_pool_fill();
	for (i = 0; i < ARRAY_SIZE(hook_probes) && !err; i++)
		err = hook_probe_enable(&hook_probes[i]);
	for (i = 0; i < ARRAY_SIZE(hook_tracepoints) && !err; i++)
		err = tracepoint_probe_register(hook_tracepoints[i].tp,
						hook_tracepoints[i].fn, NULL);
	if (err)
		hook_disable();
	return err;
}

int instr_hook_get(void)
{
	int err = 0;

	mutex_lock(&hook_lock);
	if (!hook_users)
		err = hook_enable();
	if (!err)
		hook_users++;
	mutex_unlock(&hook_lock);
	return err;
}

void instr_hook_put(void)
{
	mutex_lock(&hook_lock);
	if (!--hook_users)
		hook_disable();
	mutex_unlock(&hook_lock);
}

int instr_hook_init(void)
{
	int i;

	for_each_kernel_tracepoint(hook_tracepoint_find, NULL);
	for (i = 0; i < ARRAY_SIZE(hook_tracepoints); i++)
		if (!hook_tracepoints[i].tp)
			return -ENOENT;
	return 0;
}

/* The last session took the hooks away. */
void instr_hook_exit(void)
{
}
