// SPDX-License-Identifier: GPL-2.0
/*
 * Signals, as a program is told of them that knows its own text only.
 *
 * Faults: an instruction that was moved into a slab faults there, but a handler knows the
 * program's text only. Registers and memory are what they would be in front of the
 * instruction in the text: so the thread is moved there, before the handler, or a core
 * dump, sees it.
 *
 * Other signals come anywhere: what they interrupt in code of ours is taken back to the
 * text, where that can be done (INSTR_ORIGIN_ANY, struct instr_rewind). It goes on there if
 * the handler returns, and into the slab again. A system call that is begun again must not
 * be counted again: the kernel, which comes later, sets the thread back by two bytes.
 *
 * Who is asked are the views, as for a trap: they are there wherever the text can lead
 * into the slab, a fork child with private copies of it included, as long as there is any
 * session. Any other fork child runs the files' own text. If the fork was an instruction in
 * the middle of what was moved it has a few more of the slab before it, and is told the
 * slab's address if one of those faults; so is a thread that is in the slab while the last
 * view of its text goes.
 */

#include "fault.h"

#include <linux/errno.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/signal.h>
#include <asm/syscall.h>

#include "interrupt.h"
#include "space.h"

#define FAULT_SIGNALS	(sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) | sigmask(SIGFPE))
/* The kernel counts them among faults, but they tell of what has been done. */
#define DONE_SIGNALS	(sigmask(SIGTRAP) | sigmask(SIGSYS))

#define SYSCALL_LEN	2

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

/* Will somebody look at the registers? */
static bool signal_shows_registers(int sig, const struct k_sigaction *action)
{
	if (siginmask(sig, DONE_SIGNALS) || action->sa.sa_handler == SIG_IGN)
		return false;
	return action->sa.sa_handler != SIG_DFL || sig_kernel_coredump(sig);
}

/* Has a system call been interrupted that the kernel is going to begin again? */
static bool syscall_is_begun_again(struct pt_regs *regs)
{
	if (syscall_get_nr(current, regs) == -1)
		return false;
	switch (syscall_get_error(current, regs)) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		return true;
	default:
		return false;
	}
}

/* Of a call that is begun again its own place counts: the kernel goes back there. */
static bool signal_take_back(struct pt_regs *regs)
{
	bool again = syscall_is_begun_again(regs);
	unsigned long ahead = again ? SYSCALL_LEN : 0;
	struct instr_text_place origin;

	if (!instr_space_origin(current->mm, regs->ip - ahead, &origin) || !origin.any)
		return !again && instr_interrupt_undo(regs);
	regs->ip = origin.vaddr + ahead;
	return true;
}

/* Where what is before an instruction can't be undone it is done once more. */
static bool fault_take_back(struct pt_regs *regs)
{
	struct instr_text_place origin;

	if (!instr_space_origin(current->mm, regs->ip, &origin))
		return false;
	regs->ip = origin.vaddr;
	return true;
}

void instr_fault_deliver(int sig, struct kernel_siginfo *info,
			 const struct k_sigaction *action)
{
	struct pt_regs *regs = task_pt_regs(current);
	unsigned long ip = regs->ip;
	bool fault, taken;

	if (!current->mm || !user_mode(regs) || !signal_shows_registers(sig, action))
		return;
	fault = fault_is_instructions(sig, info);
	rcu_read_lock();
	taken = signal_take_back(regs) || (fault && fault_take_back(regs));
	rcu_read_unlock();
	if (taken && fault && fault_tells_ip(sig) && info->si_addr == (void __user *)ip)
		info->si_addr = (void __user *)regs->ip;
}
