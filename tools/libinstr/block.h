/* SPDX-License-Identifier: GPL-2.0 */
/* Blocks: the code that a site leads to. */
#ifndef LIBINSTR_BLOCK_H
#define LIBINSTR_BLOCK_H

#include "emit.h"
#include "libinstr.h"

/*
 * Emits the block of @site: the interceptor, which counts at position @counter,
 * the displaced instructions @site->moved, and a jump back. Sets where in the
 * block those came to be. The lengths do not depend on positions.
 */
void block_emit(struct emit *emit, struct instr_plan_site *site, int64_t counter);

#endif
