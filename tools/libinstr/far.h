/* SPDX-License-Identifier: GPL-2.0 */
/* Far: moved instructions refer to what is up to 4 GiB away. */
#ifndef LIBINSTR_FAR_H
#define LIBINSTR_FAR_H

#include "emit.h"
#include "insn.h"

/* Can it be done for the instruction @bytes, which has an operand relative to RIP? */
bool far_is_possible(const struct insn *insn, const uint8_t *bytes);

/* The instruction @bytes, whose operand is at @target. */
void far_emit_operand(struct emit *emit, const struct insn *insn, const uint8_t *bytes,
		      int64_t target);

/*
 * How many of the instructions that it becomes, with the first, may be left in front of them
 * and begun again with the first. Those behind them only give back what was taken.
 */
size_t far_nr_again(const struct insn *insn, const uint8_t *bytes);

void far_emit_jump(struct emit *emit, int64_t target);

#endif
