// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks: what the kernel tells us. A hook runs in atomic context, in the middle of
 * somebody's system call; what needs to sleep is left for later (work.c).
 */

#include "hook.h"

#include <linux/fs.h>
#include <linux/instr_event.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/perf_event.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>
#include <linux/wait_bit.h>
#include <asm/fsgsbase.h>
#include <asm/unistd.h>
#include <asm/unistd_32_ia32.h>

#include "attach.h"
#include "child.h"
#include "fault.h"
#include "gate.h"
#include "keep.h"
#include "overlay.h"
#include "session.h"
#include "space.h"
#include "tell.h"
#include "thread.h"
#include "vfork.h"
#include "view.h"
#include "work.h"

/* ---- mappings: each mmap(), exec segment, mprotect() passes perf_event_mmap() ---------- */

static void hook_map_end(const struct instr_work *work)
{
	instr_scope_idle(&work->session->scope);
	instr_session_put(work->session);
	put_task_struct(work->task);
	mmdrop(work->mm);
}

static void hook_map(struct instr_work *work)
{
	instr_attach_mm(work->session, work->task, work->mm);
	hook_map_end(work);
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
	work.session = instr_overlay_session(file_inode(vma->vm_file), !vma_is_text(vma));
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
	/* Under the mmap lock: who forks afterwards, and so copies this mapping, sees it. */
	instr_scope_busy(&work.session->scope);
	if (!instr_work_queue(&work))
		hook_map_end(&work);
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

/* Its presence is what lets a handler go elsewhere. */
static void after_detour(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

/* ---- ends of address spaces: exit_mmap() unmaps all ---------------------------------------- */

/* Threads in instr_hook_end(). */
static atomic_t hook_ends;

/* detour.S: where instr_detour_end() goes in the end. */
unsigned long instr_detour_back;
asmlinkage void instr_detour_end(struct mm_struct *mm);
asmlinkage void instr_hook_end(struct mm_struct *mm);

/* In the middle of mmput(), which may sleep. */
asmlinkage void instr_hook_end(struct mm_struct *mm)
{
	instr_keep_all(mm);
	if (atomic_dec_and_test(&hook_ends))
		wake_up_var(&hook_ends);
}

/* It comes here twice: what is kept is not due any more. */
static int on_end(struct kprobe *probe, struct pt_regs *regs)
{
	struct mm_struct *mm = (void *)regs_get_kernel_argument(regs, 0);
	bool due;

	rcu_read_lock();
	due = instr_keep_is_due(mm);
	rcu_read_unlock();
	if (!due)
		return 0;
	atomic_inc(&hook_ends);
	WRITE_ONCE(instr_detour_back, (unsigned long)probe->addr);
	instruction_pointer_set(regs, (unsigned long)instr_detour_end);
	return 1;
}
NOKPROBE_SYMBOL(on_end);

/* ---- children: each begins in schedule_tail(), the only one to call calculate_sigpending() */

static int on_child(struct kprobe *probe, struct pt_regs *regs)
{
	instr_child_due();
	return 0;
}
NOKPROBE_SYMBOL(on_child);

/* ---- vfork parents: the wait for a child is between cgroup_enter_frozen() and _leave_ ------ */

/*
 * A debugger's stop, which a fork may have, does what is queued by then: so what is to be done
 * behind the wait is queued in that stop, or in the wait; behind it, if it was noted meanwhile.
 */
static int on_wait(struct kprobe *probe, struct pt_regs *regs)
{
	instr_child_due();
	return 0;
}
NOKPROBE_SYMBOL(on_wait);

/* ---- forks --------------------------------------------------------------------------------- */

/*
 * Flags of clone(2) that the system call was asked for that is under way, and made a child.
 * Whoever changes them meanwhile deceives nobody else. Where they can't be read now, as their
 * page is being moved, a child that @shares the address space is taken for a vfork child.
 */
static u64 fork_asked(bool shares)
{
	struct pt_regs *regs = task_pt_regs(current);
	bool ia32 = in_ia32_syscall();
	unsigned long arg = ia32 ? (u32)regs->bx : regs->di;
	int nr = regs->orig_ax & ~__X32_SYSCALL_BIT;
	u64 flags;

	if (nr == (ia32 ? __NR_ia32_clone : __NR_clone))
		return arg;
	if (nr == (ia32 ? __NR_ia32_clone3 : __NR_clone3) &&
	    !copy_from_user_nofault(&flags, (void __user *)arg, sizeof(flags)))
		return flags;
	return shares ? CLONE_VFORK : 0;
}

static u32 fork_told(u64 flags)
{
	return flags & (INSTR_CLONE_VM | INSTR_CLONE_VFORK);
}

struct hook_fork {
	struct task_struct *child;
	u64 flags;
};

/*
 * A child that shares the address space: a thread, or one that the current thread waits for
 * until it has an address space of its own. What is neither has two threads run at once.
 */
static void hook_share(struct instr_space *space, const struct hook_fork *fork)
{
	if (fork->child->signal != current->signal && (fork->flags & CLONE_VFORK)) {
		instr_vfork_begin(space, fork->child);
	} else {
		instr_gate_set_many(space);
		instr_tell(space, current);
		instr_tell(space, fork->child);
	}
	instr_thread_birth(space, fork->child);
}

static void hook_fork(struct instr_space *space, void *data)
{
	const struct hook_fork *fork = data;
	struct instr_session *session;

	if (fork->child->mm == current->mm) {
		hook_share(space, fork);
		return;
	}
	session = instr_session_find(space->session_id);
	if (session && !instr_scope_covers(&session->scope, fork->child))
		session = NULL;
	instr_child_forked(fork->child, space, session);
}

static void on_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	struct hook_fork fork = { .child = child };
	bool shares = child->mm == parent->mm;

	if (!parent->mm || (child->flags & PF_KTHREAD))
		return;
	fork.flags = fork_asked(shares) & ~(u64)CLONE_VM;
	if (shares)
		fork.flags |= CLONE_VM;
	if (child->signal != parent->signal)
		instr_session_on_fork(child, fork_told(fork.flags));
	rcu_read_lock();
	instr_space_for_each(parent->mm, hook_fork, &fork);
	rcu_read_unlock();
}

/* ---- children that do not come to be --------------------------------------------------------- */

/* copy_process(pid, trace, node, args) */
static int on_copy(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	const struct kernel_clone_args *args = (void *)regs_get_kernel_argument(regs, 3);

	*(u64 *)instance->data = args->flags;
	return !current->mm || (current->flags & PF_KTHREAD) || (args->flags & CLONE_THREAD) ||
	       !instr_session_knows(task_tgid(current));
}
NOKPROBE_SYMBOL(on_copy);

/* A signal came first: the system call begins again, or the thread ends. */
static bool fork_is_put_off(long err)
{
	return err == -ERESTARTNOINTR || fatal_signal_pending(current);
}

static int on_copied(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	long err = PTR_ERR_OR_ZERO((void *)regs_return_value(regs));

	if (err && !fork_is_put_off(err))
		instr_session_on_fork_failed(fork_told(*(u64 *)instance->data), -err);
	return 0;
}
NOKPROBE_SYMBOL(on_copied);

/* A thread is in there once, and not for long: those that are missed are told of nowhere. */
#define COPIES_MAX	64

static struct kretprobe hook_copy = {
	.kp.symbol_name = "copy_process",
	.entry_handler = on_copy,
	.handler = on_copied,
	.data_size = sizeof(u64),
	.maxactive = COPIES_MAX,
};
static bool hook_copy_on;

static int hook_copy_enable(void)
{
	int err;

	hook_copy.kp.addr = NULL;
	hook_copy.kp.flags = 0;
	hook_copy.nmissed = 0;
	err = register_kretprobe(&hook_copy);
	hook_copy_on = !err;
	/* A kernel whose compiler gave it another name: forks that fail are not told. */
	return err == -ENOENT ? 0 : err;
}

static void hook_copy_disable(void)
{
	if (hook_copy_on)
		unregister_kretprobe(&hook_copy);
	hook_copy_on = false;
}

/* ---- other tracepoints -------------------------------------------------------------------- */

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
	instr_fault_deliver(sig, info, action);
}

static void on_exit(void *data, struct task_struct *task)
{
	instr_thread_exit(task);
	instr_child_due();
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
	{ .kp = { .symbol_name = "cgroup_enter_frozen", .pre_handler = on_wait } },
	{ .kp = { .symbol_name = "cgroup_leave_frozen", .pre_handler = on_wait } },
	{ .kp = { .symbol_name = "set_swbp", .pre_handler = on_swbp,
		  .post_handler = after_detour } },
	{ .kp = { .symbol_name = "exit_mmap", .pre_handler = on_end,
		  .post_handler = after_detour } },
};

static DEFINE_MUTEX(hook_lock);
static int hook_users;

/* All at once: each call waits until nobody is in one any more. */
static void hook_probes_disable(void)
{
	struct kprobe *on[ARRAY_SIZE(hook_probes)];
	int i, nr = 0;

	for (i = 0; i < ARRAY_SIZE(hook_probes); i++) {
		if (hook_probes[i].on)
			on[nr++] = &hook_probes[i].kp;
		hook_probes[i].on = false;
	}
	unregister_kprobes(on, nr);
}

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
	hook_copy_disable();
	hook_probes_disable();
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
	if (!err)
		err = hook_copy_enable();
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

/* Behind the wait they are about to return, or have come to where they go on. */
void instr_hook_exit(void)
{
	wait_var_event(&hook_ends, !atomic_read(&hook_ends));
	synchronize_rcu_tasks();
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
