/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_GATE_H
#define INSTR_GATE_H

#include <linux/types.h>

struct instr_space;

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
