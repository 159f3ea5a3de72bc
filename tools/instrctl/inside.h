/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside: what became of the calls of timed functions that no exit was seen of.
 *
 * The frames of a process (libinstr/timing.h) tell who is inside of what. A frame on
 * the stack of a thread that is gone is of a function that its thread's end ended. All
 * of it is what the process, which may write there, says: nothing is believed, and
 * what does not fit together is taken for a function that is still being executed.
 */
#ifndef INSTRCTL_INSIDE_H
#define INSTRCTL_INSIDE_H

#include <stddef.h>
#include <stdint.h>

#include "libinstr/libinstr.h"

/* A slab with times in the process, and the functions that are timed in it. */
struct inside_slab {
	uint64_t start;		/* address of the times, which begin with a record a function */
	const uint32_t *record;	/* numbers, ascending */
	size_t nr;
	uint64_t *ended;	/* of each: frames that ended with their thread */
};

struct inside_stack {
	uint64_t start, end;
	uint64_t born;		/* time stamp: what is older is another thread's */
};

struct inside {
	size_t nr_slabs;
	const struct inside_slab *slab;
	size_t nr_live, nr_gone;
	struct inside_stack live[INSTR_THREADS];
	struct inside_stack gone[INSTR_THREADS];
};

/*
 * @thread: the table of INSTR_THREADS that the frames begin with; @fs_base: of those
 * that live. Sorts @slab, which has to stay, and @fs_base.
 */
void inside_init(struct inside *inside, struct inside_slab *slab, size_t nr_slabs,
		 const struct instr_thread *thread, uint64_t *fs_base, size_t nr_fs_bases);

/* Counts @len bytes of blocks of frames. */
void inside_add(struct inside *inside, const void *blocks, size_t len);

/*
 * What is left over in @times becomes a number that it can be: whoever was entered
 * while we read may have left before it was entered.
 */
void inside_check(struct instr_times *times);
/* As many of what is left over, at most @nr, were left by @exit. */
void inside_settle(struct instr_times *times, enum instr_exit exit, uint64_t nr);

#endif
