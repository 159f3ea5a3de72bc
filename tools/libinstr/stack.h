/* SPDX-License-Identifier: GPL-2.0 */
/* The stack in code of ours: how deep RSP is, and which registers were pushed. */
#ifndef LIBINSTR_STACK_H
#define LIBINSTR_STACK_H

#include "insn.h"

#define STACK_REGISTERS 16	/* by the processor's numbers */

/* All depths are bytes below where RSP was in the beginning. */
struct stack {
	int32_t depth;
	int32_t lowest;			/* that there is within the frame: not above 0 */
	int32_t saved[STACK_REGISTERS];	/* where its value lies; 0: it is in the register */
};

/*
 * What @insn does to @stack, of the instructions that block.c, reloc.c, far.c and our
 * assembly change RSP with. Calls are the caller's business, but for those of what is
 * right behind them, which push.
 */
void stack_step(struct stack *stack, const struct insn *insn, const uint8_t *bytes);

bool stack_equal(const struct stack *a, const struct stack *b);

#endif
