/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_POINTER_H
#define INSTR_POINTER_H

#include <linux/instr.h>
#include <linux/types.h>

struct instr_space;

/**
 * struct instr_pointer_set - the pointers of an overlay's file
 * @ready: position of a page that becomes read-only when all are relocated; 0: they
 *	always are
 */
struct instr_pointer_set {
	u64 ready;
	u32 nr;
	struct instr_pointer pointer[] __counted_by(nr);
};

/*
 * Makes all pointers of the files that have slabs in @space lead there, as far as they
 * can be by now; returns how many can't. Under the session's lock; no other.
 */
u32 instr_pointers_set(struct instr_space *space);
/* Gives them back what they were. Those that were changed since stay as they are. */
void instr_pointers_restore(struct instr_space *space);

#endif
