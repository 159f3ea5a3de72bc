// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts: code that counts has no unwind information, so a handler must not see that it
 * runs. What it did so far, a few words on the stack, two registers, flags, and the count, is
 * undone by what was published of it (struct instr_rewind). The stack is the process's own
 * word: who lies gets other registers than it had.
 */

#include "interrupt.h"

#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <asm/fsgsbase.h>

#include "gate.h"
#include "space.h"
#include "undo.h"
#include "view.h"

#define INTERRUPT_WORD	8

/* It may be swapped out, and nothing may sleep. */
static bool interrupt_read(__u64 address, __u64 *value)
{
	return !copy_from_user_nofault(value, (void __user *)address, sizeof(*value));
}

/* Where the thread is; from what was called by code that counts it is taken to behind that. */
static bool interrupt_find(struct instr_interrupted *at, unsigned long ip,
			   struct instr_undo *state)
{
	u64 back;

	if (!instr_space_interrupted(current->mm, ip, at))
		return false;
	if (!(at->rewind->flags & INSTR_REWIND_ROUTINE))
		return true;
	if (!instr_undo(at->row, state, interrupt_read) || !interrupt_read(state->sp, &back))
		return false;
	state->sp += INTERRUPT_WORD;
	return instr_space_interrupted(current->mm, back, at) &&
	       !(at->rewind->flags & INSTR_REWIND_ROUTINE);
}

static bool interrupt_leads_to(const struct instr_interrupted *at, u64 *ip)
{
	if (at->rewind->flags & INSTR_REWIND_POINTER)
		return interrupt_read(instr_space_kept(at->view, at->rewind->offset), ip);
	*ip = at->view->base + at->rewind->offset;
	return true;
}

/* As other threads do, with LOCK. False: its page has been swapped out since. */
static bool interrupt_add(u64 __user *counter, s64 delta)
{
	bool added = false;
	u64 count;

	pagefault_disable();
	if (user_access_begin(counter, sizeof(*counter))) {
		unsafe_get_user(count, counter, out_end);
		while (!unsafe_try_cmpxchg_user(counter, &count, count + delta, out_end))
			;
		added = true;
out_end:
		user_access_end();
	}
	pagefault_enable();
	return added;
}

static bool interrupt_count(const struct instr_interrupted *at)
{
	bool goes_on = at->rewind->flags & INSTR_REWIND_POINTER;
	unsigned long counter;

	/* What stays as it is: a call that is done and counted, or is not begun and isn't. */
	if (!at->rewind->counter || at->row->counted == goes_on)
		return true;
	counter = instr_space_counter(at->view, at->rewind->counter, x86_fsbase_read_cpu());
	return !counter || interrupt_add((u64 __user *)counter, goes_on ? 1 : -1);
}

bool instr_interrupt_undo(struct pt_regs *regs)
{
	struct instr_undo state = {
		.ax = regs->ax, .cx = regs->cx, .sp = regs->sp, .flags = regs->flags,
	};
	struct instr_interrupted at;
	u64 ip;

	if (!interrupt_find(&at, regs->ip, &state) ||
	    !instr_undo(at.row, &state, interrupt_read) || !interrupt_leads_to(&at, &ip) ||
	    !interrupt_count(&at))
		return false;
	if (at.rewind->flags & INSTR_REWIND_CALL)
		state.sp += INTERRUPT_WORD;
	regs->ax = state.ax;
	regs->cx = state.cx;
	regs->sp = state.sp;
	regs->flags = state.flags;
	regs->ip = ip;
	return true;
}
