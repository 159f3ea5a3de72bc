// SPDX-License-Identifier: GPL-2.0
#include "undo.h"

#define UNDO_WORD	8
#define UNDO_LAHF	0xd5ULL		/* SF, ZF, AF, PF and CF, where LAHF has them, too */
#define UNDO_OF		(1ULL << 11)

/* A word that lies @at words below @top; 0: it is in a register, as it is. */
static bool undo_word(__u64 top, __u8 at, __u64 *value, instr_undo_read_fn read)
{
	return !at || read(top - at * UNDO_WORD, value);
}

static __u64 undo_flags(__u8 how, __u64 flags, __u64 ax)
{
	if (how == INSTR_FLAGS_KEPT)
		return flags;
	flags = (flags & ~UNDO_LAHF) | (ax >> 8 & UNDO_LAHF);
	if (how == INSTR_FLAGS_AX)
		flags = (flags & ~UNDO_OF) | (ax & 1 ? UNDO_OF : 0);
	return flags;
}

bool instr_undo(const struct instr_row *row, struct instr_undo *state,
		instr_undo_read_fn read)
{
	struct instr_undo was = *state;
	__u64 saved = state->ax;

	was.sp = state->sp + row->depth * UNDO_WORD;
	if (!undo_word(was.sp, row->ax, &was.ax, read) ||
	    !undo_word(was.sp, row->cx, &was.cx, read) ||
	    !undo_word(was.sp, row->flags_at, &saved, read))
		return false;
	was.flags = undo_flags(row->flags, state->flags, saved);
	*state = was;
	return true;
}
