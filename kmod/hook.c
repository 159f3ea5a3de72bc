// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks: what the kernel tells us. A hook runs in atomic context, in the middle of
 * somebody's system call; what needs to sleep is left for later (work.c).
 */

#include "hook.h"

#include <linux/fs.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/perf_event.h>
#include <linux/ptrace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>
#include <asm/fsgsbase.h>
#include <asm/unistd.h>

#include "attach.h"
#include "child.h"
#include "event.h"
#include "fault.h"
#include "gate.h"
#include "overlay.h"
#include "session.h"
#include "space.h"
#include "thread.h"
#include "view.h"
#include "work.h"

/* ---- mappings: each mmap(), exec segment, mprotect() passes perf_event_mmap() ---------- */

static void hook_map_borrowed(struct instr_work *work)
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
static void hook_map(struct instr_work *work)
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
	struct instr_work work = { .fn = hook_map, .task = current };

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
	if (!instr_work_queue(&work)) {
		instr_session_put(work.session);
		put_task_struct(current);
		mmdrop(work.mm);
	}
	return 0;
}
NOKPROBE_SYMBOL(on_map);

/* ---- debuggers: attach, seize and traceme pass __ptrace_link() -------------------------- */

static void hook_trace(struct instr_work *work)
{
	instr_session_on_trace(work->space->mm);
	instr_space_put(work->space);
}

static int on_trace(struct kprobe *probe, struct pt_regs *regs)
{
	struct task_struct *task = (void *)regs_get_kernel_argument(regs, 0);
	struct instr_work work = { .fn = hook_trace };
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
	if (work.space && !instr_work_queue(&work))
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

/* ---- children: each begins in schedule_tail(), the only one to call calculate_sigpending() */

static int on_child(struct kprobe *probe, struct pt_regs *regs)
{
	instr_child_begin();
	return 0;
}
NOKPROBE_SYMBOL(on_child);

/* ---- tracepoints --------------------------------------------------------------------------- */

struct hook_fork {
	struct task_struct *parent, *child;
};

static void hook_vfork(struct instr_work *work)
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
	struct instr_work work = { .fn = hook_vfork, .space = space };

	if (!instr_space_tryget(space))
		return;
	work.fs_base = x86_fsbase_read_cpu();
	instr_gate_vfork_begin(space, work.fs_base);
	if (!instr_work_queue(&work))
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
		instr_child_expect(space, fork->child);
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
	instr_children_flush();
	instr_work_close();
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

	instr_work_open();
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
	return 0;
}
