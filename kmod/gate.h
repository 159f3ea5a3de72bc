/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_GATE_H
#define INSTR_GATE_H

#include <linux/types.h>

struct instr_space;

/*
 * What is said below is told to the code of slabs at once where they have a page for it. As
 * long as nothing has been said but what zeros mean they need none, and in most processes
 * they never do. Otherwise who is about to run in the space makes it, before it does.
 */

/* Has a slab no page for what is to be said? Atomic. */
bool instr_gate_is_untold(struct instr_space *space);
/* It has, if anything is. In the space's address space, which is current->mm. May sleep. */
int instr_gate_tell(struct instr_space *space);
/* Nobody runs in it any more: gives up those pages. May sleep. */
void instr_gate_leave(struct instr_space *space);

/*
 * A thread with this FS base has a vfork child, and has none any more. Atomic.
 * Once for each child.
 */
void instr_gate_vfork_begin(struct instr_space *space, unsigned long fs_base);
void instr_gate_vfork_end(struct instr_space *space, unsigned long fs_base);

/* It has a second thread, which has not run yet. Atomic. */
void instr_gate_set_many(struct instr_space *space);

/* Does a thread with this FS base count, which is running? Under RCU. */
bool instr_gate_counts(const struct instr_space *space, unsigned long fs_base);

/* From now on its slabs know where its frames are, or no more. */
void instr_gate_show_frames(struct instr_space *space);
void instr_gate_hide_frames(struct instr_space *space);

#endif
