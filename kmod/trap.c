// SPDX-License-Identifier: GPL-2.0
/*
 * Traps: a thread that hits a trapping byte of ours goes on in the slab.
 *
 * The byte is a site of its own (int3), or lies inside of a jump where an old
 * instruction began. What its place leads to never changes (struct instr_traps),
 * so that it does not matter whether the page has changed since the trap.
 */

#include "trap.h"

#include <linux/kdebug.h>
#include <linux/notifier.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <asm/traps.h>

#include "space.h"
#include "thread.h"

/* Runs with interrupts off, on the kernel's side of a trap from user mode. */
static int on_die(struct notifier_block *nb, unsigned long event, void *data)
{
	struct die_args *args = data;
	struct pt_regs *regs = args->regs;
	unsigned long vaddr, target;
	bool ours;

	if (!regs || !user_mode(regs) || !current->mm)
		return NOTIFY_DONE;
	if (event == DIE_INT3)
		vaddr = regs->ip - 1;
	else if (event == DIE_TRAP && args->trapnr == X86_TRAP_UD)
		vaddr = regs->ip;
	else
		return NOTIFY_DONE;

	rcu_read_lock();
	ours = instr_space_trap(current->mm, vaddr, &target);
	rcu_read_unlock();
	if (!ours)
		return event == DIE_INT3 && instr_thread_trap(regs, vaddr) ?
		       NOTIFY_STOP : NOTIFY_DONE;
	regs->ip = target;
	return NOTIFY_STOP;
}
NOKPROBE_SYMBOL(on_die);

/* Before uprobes (INT_MAX - 1), which kills for an int3 that it does not know. */
static struct notifier_block trap_notifier = {
	.notifier_call = on_die,
	.priority = INT_MAX,
};

int instr_trap_init(void)
{
	return register_die_notifier(&trap_notifier);
}

void instr_trap_exit(void)
{
	unregister_die_notifier(&trap_notifier);
	synchronize_rcu();
}
