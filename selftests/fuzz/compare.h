/* SPDX-License-Identifier: GPL-2.0 */
/* Is what a patched sequence did what it did before? */
#ifndef FUZZ_COMPARE_H
#define FUZZ_COMPARE_H

#include "libinstr.h"
#include "state.h"

/* Is what was moved a call of any kind? */
bool moved_is_far(const struct instr_plan_site *site, const struct instr_moved *moved);
bool moved_is_call(const struct instr_plan_site *site, const struct instr_moved *moved);

/* What differs, in one word; NULL: nothing that counts. */
const char *compare(const struct instr_plan_site *site, uint64_t base,
		    const struct state *state, const struct outcome *before,
		    const struct outcome *after);

#endif
