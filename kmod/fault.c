// SPDX-License-Identifier: GPL-2.0
/*
 * Faults: an instruction that was moved into a slab faults there, but a handler knows the
 * program's text only. Registers and memory are what they would be in front of the
 * instruction in the text: so the thread is moved there, before the handler, or a core
 * dump, sees it.
 *
 * Who is asked are the views, as for a trap: they are there wherever the text can lead
 * into the slab, a fork child with private copies of it included, as long as there is any
 * session. Any other fork child runs the files' own text. If the fork was an instruction in
 * the middle of what was moved it has a few more of the slab before it, and is told the
 * slab's address if one of those faults; so is a thread that is in the slab while the last
 * view of its text goes.
 */

#include "fault.h"

#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/signal.h>

#include "space.h"

/* SIGTRAP and SIGSYS, which the kernel counts among them, tell of what has been done. */
#define FAULT_SIGNALS	(sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) | sigmask(SIGFPE))

/*
 * The kernel's own test (dequeue_synchronous_signal()): all that others send have a code
 * of 0 or less. The one exception is memory that is found to be broken by nobody's access.
 * A process that sends itself a signal with such a code deceives nobody else. SIGKILL may
 * have a number in place of @info.
 */
static bool fault_is_instructions(int sig, const struct kernel_siginfo *info)
{
	return siginmask(sig, FAULT_SIGNALS) && info->si_code > SI_USER &&
	       !(sig == SIGBUS && info->si_code == BUS_MCEERR_AO);
}

/* Of these two si_addr is the instruction's address, of the others that of data. */
static bool fault_tells_ip(int sig)
{
	return sig == SIGILL || sig == SIGFPE;
}

void instr_fault_deliver(int sig, struct kernel_siginfo *info)
{
	unsigned long origin;
	struct pt_regs *regs;
	bool ours;

	if (!current->mm || !fault_is_instructions(sig, info))
		return;
	regs = task_pt_regs(current);
	rcu_read_lock();
	ours = user_mode(regs) && instr_space_origin(current->mm, regs->ip, &origin);
	rcu_read_unlock();
	if (!ours)
		return;
	if (fault_tells_ip(sig) && info->si_addr == (void __user *)regs->ip)
		info->si_addr = (void __user *)origin;
	regs->ip = origin;
}
