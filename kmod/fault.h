/* SPDX-License-Identifier: GPL-2.0 */
/* What signals interrupt in code of slabs happened, as the program is told, in its text. */
#ifndef INSTR_FAULT_H
#define INSTR_FAULT_H

struct k_sigaction;
struct kernel_siginfo;

/*
 * The current thread is about to get a signal: a handler sees its user registers, and
 * @info, as they are afterwards. Atomic.
 */
void instr_fault_deliver(int sig, struct kernel_siginfo *info,
			 const struct k_sigaction *action);

#endif
