/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_FRAMES_H
#define INSTR_FRAMES_H

#include <linux/types.h>

struct file;
struct instr_space;

int instr_frames_init(void);
void instr_frames_exit(void);

/* Ticks of the time stamp counter in a millisecond; 0: nothing can be measured here. */
u32 instr_frames_khz(void);

/*
 * Gives @space, which has none, its frames, all zero. In the space's address space,
 * which is current->mm. No lock may be held but the session's.
 */
int instr_frames_map(struct instr_space *space, u64 len);
/* They belong to nobody now, and another session may take them. */
void instr_frames_release(struct instr_space *space);

/*
 * Says in them which slabs with times the space has, as far as there is room. In the
 * space's address space.
 */
void instr_frames_tell_slabs(struct instr_space *space);

/* What they are mappings of. */
const struct file *instr_frames_file(void);

#endif
