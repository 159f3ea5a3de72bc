/* SPDX-License-Identifier: GPL-2.0 */
/* Running code from a state, until it comes to an exit, faults, or takes too long. */
#ifndef FUZZ_RUN_H
#define FUZZ_RUN_H

#include "state.h"
#include "view.h"

/* Of @view; no system call is needed any more. False: this machine can't. */
bool run_prepare(const struct view *view);

#define PATIENCE 2	/* ticks of the clock */
void run(const struct state *state, unsigned int patience, struct outcome *ret);

/* How many traps led on so far. */
uint64_t run_nr_traps(void);

#endif
