/* SPDX-License-Identifier: GPL-2.0 */
/* Return slots: on stacks they become the addresses that they stand for. */
#ifndef INSTR_SLOT_H
#define INSTR_SLOT_H

#include <linux/types.h>

struct instr_space;
struct mm_struct;

/* May there be any on the stacks of @space? Under RCU, or the session's lock. */
bool instr_slots_are_there(const struct instr_space *space);

/*
 * Puts them back on all stacks in @mm that the frames of @space, which are at @frames, know
 * of. @mm is the space's address space, or a fork's copy of it; the caller holds both.
 */
void instr_slots_restore(struct instr_space *space, unsigned long frames,
			 struct mm_struct *mm);

/* The same in the space itself, while its threads run. Under the session's lock. */
void instr_slots_restore_own(struct instr_space *space);

#endif
