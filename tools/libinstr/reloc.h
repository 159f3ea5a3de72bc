/* SPDX-License-Identifier: GPL-2.0 */
/* Relocation: an instruction does at another place what it did at its own. */
#ifndef LIBINSTR_RELOC_H
#define LIBINSTR_RELOC_H

#include "emit.h"
#include "insn.h"

enum reloc_how {
	RELOC_IMPOSSIBLE,
	RELOC_NEAR,
	RELOC_FAR,		/* what it refers to is too far for 32 bits */
};

/*
 * How can the instruction @bytes be moved from position @from to anywhere from
 * @lowest to @highest?
 */
enum reloc_how reloc_choose(const struct insn *insn, const uint8_t *bytes, int64_t from,
			    int64_t lowest, int64_t highest);

/*
 * Emits the instruction @bytes that was at position @from. How much it emits
 * does not depend on where. @far: as RELOC_FAR. @flags_dead: of a direct call: who is
 * called ignores the flags.
 */
void reloc_emit(struct emit *emit, const struct insn *insn, const uint8_t *bytes,
		int64_t from, bool far, bool flags_dead);

/* A jump to position @target. */
void reloc_emit_goto(struct emit *emit, int64_t target, bool far);

#endif
