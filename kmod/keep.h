/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_KEEP_H
#define INSTR_KEEP_H

#include <linux/completion.h>
#include <linux/instr.h>
#include <linux/types.h>
#include <linux/xarray.h>

struct instr_overlay;
struct instr_slab;
struct instr_space;

/**
 * struct instr_keep - what a space does to have what it wrote when it is gone
 * @unwanted: nobody will read them any more
 * @kept: complete when the slabs have the pages, and
 * @frames: those of the frames, by number
 */
struct instr_keep {
	bool unwanted;
	struct completion kept;
	struct xarray frames;
};

int instr_keep_init(void);
void instr_keep_exit(void);

void instr_keep_begin(struct instr_space *space);

/* @mm is at its end: has it something that is not kept yet? Under RCU. */
bool instr_keep_is_due(struct mm_struct *mm);
/* Keeps it. May sleep. */
void instr_keep_all(struct mm_struct *mm);

/* @space is gone: if nobody told us in time, for somebody has switched off kprobes, it is lost. */
void instr_keep_missed(struct instr_space *space);

/* What @space has need not be kept. */
void instr_keep_give_up(struct instr_space *space);
/* No page is held any more. May sleep. */
void instr_keep_free(struct instr_space *space);

/*
 * Adds @nr counters from byte @offset on, of all slabs of @overlay in @space, to @sums; or
 * -EINTR. Under the session's lock.
 */
int instr_keep_add_counters(struct instr_space *space, const struct instr_overlay *overlay,
			    u64 offset, u64 nr, u64 *sums);
/* Copies times of @slab to user space, from @offset on. */
int instr_keep_read_times(struct instr_space *space, struct instr_slab *slab, u64 offset,
			  u64 len, u8 __user *to);
/* The same of frames. */
int instr_keep_read_frames(struct instr_space *space, u64 offset, u64 len,
			   u8 __user *to);
/* Bytes of memory that times and frames take. Under the session's lock. */
u64 instr_keep_memory(struct instr_space *space);
/* What @space's frames say of unwinding; zeros if it has none. Under the session's lock. */
struct instr_unwinds instr_keep_unwinds(struct instr_space *space);

#endif
