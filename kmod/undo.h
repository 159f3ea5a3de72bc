/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What code that counts did to registers, undone. Pure: it knows of x86 and of
 * uapi/linux/instr.h, and of nothing else.
 */
#ifndef INSTR_UNDO_H
#define INSTR_UNDO_H

#include <linux/instr.h>
#include <linux/types.h>

/* The registers that such code changes. */
struct instr_undo {
	__u64 ax, cx, sp, flags;
};

/* Reads a word of the stack; false: it can't be read. */
typedef bool (*instr_undo_read_fn)(__u64 address, __u64 *value);

/* Makes @state, in front of the instruction of @row, what it was. False: nothing is done. */
bool instr_undo(const struct instr_row *row, struct instr_undo *state,
		instr_undo_read_fn read);

#endif
