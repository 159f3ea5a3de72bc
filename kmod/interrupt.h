/* SPDX-License-Identifier: GPL-2.0 */
/* Interrupts of code that counts: the thread is taken out of it. */
#ifndef INSTR_INTERRUPT_H
#define INSTR_INTERRUPT_H

#include <linux/types.h>

struct pt_regs;

/*
 * The current thread was interrupted at @regs, in user mode. If it was in code that counts
 * it is taken back to where that stands for, as if it had not come here. False: it was not, or
 * it can't be told now what has been done. Atomic, under RCU.
 */
bool instr_interrupt_undo(struct pt_regs *regs);

#endif
