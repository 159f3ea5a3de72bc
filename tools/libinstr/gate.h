/* SPDX-License-Identifier: GPL-2.0 */
/* The gate: does this thread count? */
#ifndef LIBINSTR_GATE_H
#define LIBINSTR_GATE_H

#include "emit.h"

/*
 * Emits the routine, which looks at the struct instr_control at position
 * @control. It is called with the red zone out of the way, changes RAX, RCX and
 * flags, and returns with ZF set if the thread does not count.
 */
void gate_emit(struct emit *emit, int64_t control);

#endif
