// SPDX-License-Identifier: GPL-2.0
/*
 * Flags: they are dead where straight-line code writes each of the six before
 * it reads it. The calling convention says that they are dead at each entry,
 * but hand-written code does not always ask it.
 */

#include "flags.h"

#include "insn.h"

/* As far as it is worth looking. */
#define FLAGS_INSNS_MAX 16

bool flags_are_live(const struct insn *known, size_t nr_known, const uint8_t *code,
		    size_t len)
{
	uint8_t live = INSN_FLAGS_ALL;
	struct insn insn;

	for (size_t i = 0, at = 0; i < FLAGS_INSNS_MAX; i++, at += insn.len) {
		if (i < nr_known)
			insn = known[i];
		else if (!insn_decode(code + at, len - at, &insn))
			return true;
		if (insn.kind != INSN_PLAIN && insn.kind != INSN_NOP)
			return true;
		if (insn.flags_read & live)
			return true;
		live &= (uint8_t)~insn.flags_written;
		if (!live)
			return false;
	}
	return true;
}
