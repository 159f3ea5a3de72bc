/* SPDX-License-Identifier: GPL-2.0 */
/* Flags: does the code still need those that it was entered with? */
#ifndef LIBINSTR_FLAGS_H
#define LIBINSTR_FLAGS_H

#include "libinstr.h"

struct insn;

/*
 * False only if it is certain that @code, however it goes on, reads none. Its first
 * @nr_known instructions are decoded already.
 */
bool flags_are_live(const struct insn *known, size_t nr_known, const uint8_t *code,
		    size_t len);

#endif
