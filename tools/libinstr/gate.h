/* SPDX-License-Identifier: GPL-2.0 */
/* The gate: does this thread count? */
#ifndef LIBINSTR_GATE_H
#define LIBINSTR_GATE_H

#include "emit.h"

/* What a call of the gate leaves out when it returns, for threads that do not. */
#define GATE_SKIP	2

/*
 * Emits the routine, which looks at the struct instr_control at position
 * @control. It is called with the red zone out of the way, keeps all registers
 * but the flags, and returns GATE_SKIP bytes further on if the thread does not
 * count.
 */
void gate_emit(struct emit *emit, int64_t control);

#endif
