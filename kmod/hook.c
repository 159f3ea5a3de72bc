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
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <asm/fsgsbase.h>
#include <asm/unistd.h>

#include "attach.h"
#include "event.h"
#include "fault.h"
#include "gate.h"
#include "overlay.h"
#include "session.h"
#include "slot.h"
#include "space.h"
#include "thread.h"
#include "view.h"

/* ---- work on the way back to user mode ----------------------------------------------- */

#define HOOK_POOL	64

/*
 * One thing to be done, by the thread itself or, where there is no @file, by a
 * worker. It holds references on what it names.
 */
struct hook_work {
	struct list_head node;
	struct file *file;
	struct work_struct work;
	void (*fn)(struct hook_work *work);
	struct instr_session *session;	/* hook_map() */
	struct task_struct *task;	/* ... */
	struct mm_struct *mm;		/* ... */
	struct instr_space *space;	/* hook_trace(), hook_vfork(), hook_child() */
	unsigned long fs_base;
	unsigned long frames;		/* hook_child(): the space's, when it forked */
};

struct workqueue_struct *instr_hook_wq;

static LIST_HEAD(hook_pool);
static DEFINE_SPINLOCK(hook_pool_lock);
static bool hook_pool_open;

static void hook_pool_add(void);

static int hook_release(struct inode *inode, struct file *file)
{
	struct hook_work *work = file->private_data;

	if (work->fn)
		work->fn(work);
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

	late->fn(late);
	kfree(late);
	module_put(THIS_MODULE);
}

/* A copy of @what, to be queued; NULL: there is no memory. */
static struct hook_work *hook_make(const struct hook_work *what)
{
	struct hook_work *work = hook_pool_take();
	struct file *file = work ? work->file : NULL;

	/* The pool may be dry. */
	if (!work)
		work = kmalloc(sizeof(*work), GFP_ATOMIC);
	if (!work)
		return NULL;
	*work = *what;
	work->file = file;
	return work;
}

static void hook_queue_made(struct hook_work *work)
{
	if (work->file) {
		fput(work->file);
		return;
	}
	__module_get(THIS_MODULE);
	INIT_WORK(&work->work, hook_worker);
	queue_work(instr_hook_wq, &work->work);
}

/* Queues a copy of @what. False: there was no memory, and nothing is done. */
static bool hook_queue(const struct hook_work *what)
{
	struct hook_work *work = hook_make(what);

	if (work)
		hook_queue_made(work);
	return work;
}

/* ---- mappings: each mmap(), exec segment, mprotect() passes perf_event_mmap() ---------- */

static void hook_map_borrowed(struct hook_work *work)
{
	if (!mmget_not_zero(work->mm))
		return;
	kthread_use_mm(work->mm);
	instr_attach_on_map(work->session, work->task);
	kthread_unuse_mm(work->mm);
	mmput_async(work->mm);
}

/*
 * The thread itself works in its own address space, a worker borrows it. By then
 * a dying thread may have none: nothing is to be done in it.
 */
static void hook_map(struct hook_work *work)
{
	if (current->flags & PF_KTHREAD)
		hook_map_borrowed(work);
	else if (current->mm == work->mm)
		instr_attach_on_map(work->session, work->task);
	instr_session_put(work->session);
	put_task_struct(work->task);
	mmdrop(work->mm);
}

static bool vma_is_text(const struct vm_area_struct *vma)
{
	return (vma->vm_flags & (VM_EXEC | VM_SHARED)) == VM_EXEC;
}

/* Was written to, and is read-only now: pointers (pointer.c) wait for that. */
static bool vma_is_relocated(const struct vm_area_struct *vma)
{
	return vma->anon_vma && !(vma->vm_flags & (VM_EXEC | VM_WRITE | VM_SHARED));
}

static int on_map(struct kprobe *probe, struct pt_regs *regs)
{
	struct vm_area_struct *vma = (void *)regs_get_kernel_argument(regs, 0);
	struct hook_work work = { .fn = hook_map, .task = current };

	if (!vma->vm_file || !(vma_is_text(vma) || vma_is_relocated(vma)) ||
	    vma->vm_mm != current->mm || (current->flags & PF_KTHREAD))
		return 0;
	rcu_read_lock();
	work.session = instr_overlay_session(file_inode(vma->vm_file));
	/* Text that has its view needs nothing; data may have one, too. */
	if (work.session && ((vma_is_text(vma) && instr_vma_view(vma)) ||
			     !instr_scope_covers(&work.session->scope, current))) {
		instr_session_put(work.session);
		work.session = NULL;
	}
	rcu_read_unlock();
	if (!work.session)
		return 0;
	work.mm = current->mm;
	mmgrab(work.mm);
	get_task_struct(current);
	if (!hook_queue(&work)) {
		instr_session_put(work.session);
		put_task_struct(current);
		mmdrop(work.mm);
	}
	return 0;
}
NOKPROBE_SYMBOL(on_map);

/* ---- debuggers: attach, seize and traceme pass __ptrace_link() -------------------------- */

static void hook_trace(struct hook_work *work)
{
	instr_session_on_trace(work->space->mm);
	instr_space_put(work->space);
}

static int on_trace(struct kprobe *probe, struct pt_regs *regs)
{
	struct task_struct *task = (void *)regs_get_kernel_argument(regs, 0);
	struct hook_work work = { .fn = hook_trace };
	struct mm_struct *mm = READ_ONCE(task->mm);

	if (!mm || (current->flags & PF_KTHREAD))
		return 0;
	/* Either we see the space, or it sees us (space_of()). */
	smp_mb();
	rcu_read_lock();
	work.space = instr_space_find(mm);
	if (work.space && !instr_space_tryget(work.space))
		work.space = NULL;
	rcu_read_unlock();
	if (work.space && !hook_queue(&work))
		instr_space_put(work.space);
	return 0;
}
NOKPROBE_SYMBOL(on_trace);

/* ---- uprobes: not on a page that is patched ---------------------------------------------- */

static long hook_busy(void)
{
	return -EBUSY;
}

/*
 * set_swbp(auprobe, mm, vaddr) writes a uprobe's int3, under mmap_write_lock(). It
 * would copy our page, and put back the file's first byte of our jump one day.
 */
static int on_swbp(struct kprobe *probe, struct pt_regs *regs)
{
	struct mm_struct *mm = (void *)regs_get_kernel_argument(regs, 1);
	unsigned long vaddr = regs_get_kernel_argument(regs, 2);
	bool shows;

	rcu_read_lock();
	shows = instr_space_shows(mm, vaddr);
	rcu_read_unlock();
	if (!shows)
		return 0;
	instruction_pointer_set(regs, (unsigned long)hook_busy);
	return 1;
}
NOKPROBE_SYMBOL(on_swbp);

/* Its presence is what lets on_swbp() go elsewhere. */
static void after_swbp(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

/* ---- fork children: all of them begin in schedule_tail(), which calls calculate_sigpending() */

/* What waits for a child's first step; @task is only compared. */
static LIST_HEAD(hook_children);
static DEFINE_SPINLOCK(hook_children_lock);

static void hook_child_end(struct hook_work *work)
{
	mmput_async(work->space->mm);
	mmput_async(work->mm);
	instr_space_put(work->space);
}

/* Its stacks are its parent's, but its text is the file's. */
static void hook_child(struct hook_work *work)
{
	instr_slots_restore(work->space, work->frames, work->mm);
	hook_child_end(work);
}

/*
 * The child has not run yet. The parent may end before the child is done, but has to
 * leave it the table of its stacks. Without memory the child keeps its slots.
 */
static void hook_child_expect(struct instr_space *space, struct task_struct *child)
{
	struct hook_work what = {
		.fn = hook_child, .task = child, .space = space, .mm = child->mm,
		.frames = READ_ONCE(space->frames),
	};
	struct hook_work *work;

	if (!instr_slots_are_there(space) || !instr_space_tryget(space))
		return;
	mmget(space->mm);
	mmget(what.mm);
	work = hook_make(&what);
	if (!work) {
		hook_child_end(&what);
		return;
	}
	spin_lock(&hook_children_lock);
	list_add(&work->node, &hook_children);
	spin_unlock(&hook_children_lock);
}

/* One of those of @task, or of any with NULL. */
static struct hook_work *hook_child_take(const struct task_struct *task)
{
	struct hook_work *work, *found = NULL;

	spin_lock(&hook_children_lock);
	list_for_each_entry(work, &hook_children, node)
		if (!task || work->task == task) {
			list_del(&work->node);
			found = work;
			break;
		}
	spin_unlock(&hook_children_lock);
	return found;
}

/* In the child, with no lock held, and before it looks for work on its way to user mode. */
static int on_child(struct kprobe *probe, struct pt_regs *regs)
{
	struct hook_work *work;

	if (list_empty(&hook_children))
		return 0;
	while ((work = hook_child_take(current)))
		hook_queue_made(work);
	return 0;
}
NOKPROBE_SYMBOL(on_child);

/* Nobody will tell of those that have not begun. */
static void hook_children_forget(void)
{
	struct hook_work *work;

	while ((work = hook_child_take(NULL))) {
		hook_child_end(work);
		work->fn = NULL;
		if (work->file)
			fput(work->file);
		else
			kfree(work);
	}
}

/* ---- tracepoints --------------------------------------------------------------------------- */

struct hook_fork {
	struct task_struct *parent, *child;
};

static void hook_vfork(struct hook_work *work)
{
	instr_gate_vfork_end(work->space, work->fs_base);
	instr_space_put(work->space);
}

/*
 * A child in its parent's address space, which has not run yet. The parent's next
 * way to user mode is behind its wait for a vfork child.
 */
static void hook_vfork_begin(struct instr_space *space)
{
	struct hook_work work = { .fn = hook_vfork, .space = space };

	if (!instr_space_tryget(space))
		return;
	work.fs_base = x86_fsbase_read_cpu();
	instr_gate_vfork_begin(space, work.fs_base);
	if (!hook_queue(&work))
		hook_vfork(&work);
}

/*
 * Does the current thread wait until the child has an address space of its own?
 * The child will say so, but only later. Whoever deceives us here has two threads
 * that count as one.
 */
static bool fork_is_vfork(void)
{
	struct pt_regs *regs = task_pt_regs(current);
	u64 flags;

	if (in_ia32_syscall())
		return true;
	switch (regs->orig_ax) {
	case __NR_clone:
		return regs->di & CLONE_VFORK;
	case __NR_clone3:
		return copy_from_user_nofault(&flags, (void __user *)regs->di,
					      sizeof(flags)) || flags & CLONE_VFORK;
	default:
		return true;
	}
}

static void hook_fork(struct instr_space *space, void *data)
{
	struct hook_fork *fork = data;
	bool shares = fork->child->mm == fork->parent->mm;
	bool thread = fork->child->signal == fork->parent->signal;

	if (thread || (shares && !fork_is_vfork()))
		instr_gate_set_many(space);
	else if (shares)
		hook_vfork_begin(space);
	if (shares)
		instr_thread_birth(space, fork->child);
	else
		hook_child_expect(space, fork->child);
	if (!thread && !space->detached)
		instr_event_fork(space, fork->parent, fork->child);
}

static void on_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	struct hook_fork fork = { .parent = parent, .child = child };

	if (!parent->mm || (child->flags & PF_KTHREAD))
		return;
	rcu_read_lock();
	instr_space_for_each(parent->mm, hook_fork, &fork);
	rcu_read_unlock();
}

static void on_exec(void *data, struct task_struct *task, pid_t old_pid,
		    struct linux_binprm *bprm)
{
	instr_space_on_exec(task);
	instr_session_on_exec(task);
}

/* From get_signal(), with the signal's lock held, before a frame or a core dump is made. */
static void on_signal(void *data, int sig, struct kernel_siginfo *info,
		      struct k_sigaction *action)
{
	instr_fault_deliver(sig, info);
}

static void on_exit(void *data, struct task_struct *task)
{
	instr_thread_exit(task);
	if (!atomic_read(&task->signal->live))
		instr_session_on_exit(task);
}

struct hook_tracepoint {
	const char *name;
	void *fn;
	struct tracepoint *tp;
	bool on;
};

static struct hook_tracepoint hook_tracepoints[] = {
	{ .name = "sched_process_fork", .fn = on_fork },
	{ .name = "sched_process_exec", .fn = on_exec },
	{ .name = "sched_process_exit", .fn = on_exit },
	{ .name = "signal_deliver", .fn = on_signal },
};

static void hook_tracepoint_find(struct tracepoint *tp, void *data)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(hook_tracepoints); i++)
		if (!strcmp(tp->name, hook_tracepoints[i].name))
			hook_tracepoints[i].tp = tp;
}

/* ---- on and off ------------------------------------------------------------------------------ */

struct hook_probe {
	struct kprobe kp;
	bool on;
};

static struct hook_probe hook_probes[] = {
	{ .kp = { .symbol_name = "perf_event_mmap", .pre_handler = on_map } },
	{ .kp = { .symbol_name = "__ptrace_link", .pre_handler = on_trace } },
	{ .kp = { .symbol_name = "calculate_sigpending", .pre_handler = on_child } },
	{ .kp = { .symbol_name = "set_swbp", .pre_handler = on_swbp,
		  .post_handler = after_swbp } },
};

static DEFINE_MUTEX(hook_lock);
static int hook_users;

static void hook_disable(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(hook_tracepoints); i++) {
		struct hook_tracepoint *hook = &hook_tracepoints[i];

		if (hook->on)
			tracepoint_probe_unregister(hook->tp, hook->fn, NULL);
		hook->on = false;
	}
	tracepoint_synchronize_unregister();
	for (i = 0; i < ARRAY_SIZE(hook_probes); i++) {
		if (hook_probes[i].on)
			unregister_kprobe(&hook_probes[i].kp);
		hook_probes[i].on = false;
	}
	hook_children_forget();
	hook_pool_drain();
}

static int hook_tracepoint_enable(struct hook_tracepoint *hook)
{
	int err = tracepoint_probe_register(hook->tp, hook->fn, NULL);

	hook->on = !err;
	return err;
}

/* A kprobe can be registered again only if nothing is left of the last time. */
static int hook_probe_enable(struct hook_probe *probe)
{
	int err;

	probe->kp.addr = NULL;
	probe->kp.flags = 0;
	err = register_kprobe(&probe->kp);
	probe->on = !err;
	return err;
}

static int hook_enable(void)
{
	int i, err = 0;

	hook_pool_fill();
	for (i = 0; i < ARRAY_SIZE(hook_probes) && !err; i++)
		err = hook_probe_enable(&hook_probes[i]);
	for (i = 0; i < ARRAY_SIZE(hook_tracepoints) && !err; i++)
		err = hook_tracepoint_enable(&hook_tracepoints[i]);
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
	instr_hook_wq = alloc_workqueue("instr-hook", WQ_UNBOUND, 0);
	return instr_hook_wq ? 0 : -ENOMEM;
}

/* The last session took the hooks away; a worker may be about to return. */
void instr_hook_exit(void)
{
	destroy_workqueue(instr_hook_wq);
}
