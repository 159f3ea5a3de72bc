/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_TIMES_H
#define INSTR_TIMES_H

#include <linux/completion.h>
#include <linux/instr.h>
#include <linux/mmu_notifier.h>
#include <linux/types.h>
#include <linux/xarray.h>

struct instr_slab;
struct instr_space;

/**
 * struct instr_times - what a space does to have its times when it is gone
 * @notifier: tells of the address space's end
 * @watched: @notifier is registered
 * @unwanted: nobody will read them any more
 * @kept: complete when the slabs have the pages, and
 * @frames: those of the frames, by number
 */
struct instr_times {
	struct mmu_notifier notifier;
	bool watched;
	bool unwanted;
	struct completion kept;
	struct xarray frames;
};

int instr_times_init(void);
void instr_times_exit(void);

/* Ticks of the counter in a millisecond; 0: nothing can be measured here. */
u32 instr_times_khz(void);

/*
 * The times of @space's slabs will be kept. Once for each space, before it has such a
 * slab; more does no harm. In the space's address space, which is current->mm.
 */
int instr_times_watch(struct instr_space *space);
/* They need not be kept. */
void instr_times_give_up(struct instr_space *space);
/* Behind it nothing of @space is called any more, and no page is held. May sleep. */
void instr_times_free(struct instr_space *space);

/* Copies times of @slab to user space, from @offset on. */
int instr_times_read(struct instr_space *space, struct instr_slab *slab, u64 offset,
		     u64 len, u8 __user *to);
/* The same of frames. */
int instr_times_read_frames(struct instr_space *space, u64 offset, u64 len,
			    u8 __user *to);
/* What @space's frames say of unwinding; zeros if it has none. Under the session's lock. */
struct instr_unwinds instr_times_unwinds(struct instr_space *space);

#endif
