/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Timing: the code that is common to all timed functions of a slab, and the memory that
 * it works on. It is in timing.S; this is what it and C have to agree on.
 *
 * Frames of a process (control.frames), common to all of its slabs:
 *
 *	| threads | slabs | unwinds | head | stack pages | groups of buckets | blocks of frames
 *
 * A function that was entered and not left has a *frame*, which is found by where its
 * return address lies: not by who runs, or in which order. So coroutines, threads that
 * take each other's stacks over and handlers on other stacks need no care. Each page of
 * stack has a block, with a frame for each word of the page; which block it is says an
 * open hash table of pages. Whoever runs on a stack is alone there, so that frames need
 * no lock. The table says whose stack it is, too: to read the FS base costs as much as
 * all the rest.
 *
 * A thread knows its innermost frame, each frame that of its caller, which is what self
 * times need, and by which frames are found that were left by no return.
 *
 * Times of a slab: records, one of each lane for each function. A thread with a lane of its
 * own needs no locks there. A histogram is log-linear: 32 buckets for each power of two, so
 * that a bucket is no wider than a 32nd of its values, as in HdrHistogram (Gil Tene). The
 * buckets of one power are a group, which a record gets when it needs it.
 *
 * Where not all exits of a function are known, it returns to a return slot (see
 * uapi/linux/instr.h), which is found by the function and by where the slot goes on. The
 * usual way, a slot for each frame, needs to know when a frame is gone, which nobody does
 * who jumps out of functions, switches stacks or copies them. A slot that stands for an
 * address serves all frames and is never given back; whether its frame is still known
 * matters only for the times. It calls the function, so that the processor's predictions
 * of returns hold. A function that is called by a tail call returns to where its caller
 * would have, and that one ends there.
 *
 * Stacks of Go are copied to where there is more room. There a frame is found by goroutine and
 * distance from the stack's end, which stay (stay_put), and its caller's is one of the same
 * goroutine, whatever the thread has run meanwhile (find_caller).
 *
 * A frame may be ended by the code of another slab: what it writes to does not depend on
 * whose code it is.
 */
#ifndef LIBINSTR_TIMING_H
#define LIBINSTR_TIMING_H

#define TIMING_THREAD_BITS	12
#define TIMING_THREAD_LEN_BITS	6
#define TIMING_HASH		0x9e3779b1

#define TIMING_PAGE_BITS	14		/* of the number of stack pages */
#define TIMING_BLOCK_LEN	(512 * 40)
#define TIMING_BLOCKS		(3 << (TIMING_PAGE_BITS - 2))	/* the table never fills */
#define TIMING_SLABS		0x40000
#define TIMING_NR_SLABS		64
#define TIMING_LOOKUPS		0x40400		/* struct instr_unwinds */
#define TIMING_FUNCTIONS	(TIMING_LOOKUPS + 8)
#define TIMING_HEAD		0x40440
#define TIMING_PAGES		0x41000
#define TIMING_GROUPS_AT	0xc1000
#define TIMING_GROUPS_MAX	0x3fff0		/* and some more, for what finds none */
#define TIMING_FRAMES		0x40c1000
/* Frames of a stack that is not aligned may reach beyond their block. */
#define TIMING_FRAMES_LEN	(TIMING_FRAMES + TIMING_BLOCKS * TIMING_BLOCK_LEN + 0x1000)

#define TIMING_SLOT_BITS	13		/* of the number of return slots */
#define TIMING_SLOT_LEN_BITS	5
#define TIMING_SLOT_RETURN	6		/* where in one what it calls comes back to, ... */
#define TIMING_SLOT_LEFT	22		/* ... and timing_return */

/* In struct timing_return. */
#define TIMING_RETURN_TO	0
#define TIMING_RETURN_RECORD	8
#define TIMING_RETURN_BODY	16

#define TIMING_RECORD_BITS	8		/* of its length */
#define TIMING_GROUP_BUCKETS	32
#define TIMING_GROUP_LEN	256
#define TIMING_GROUPS		42		/* of a record: up to 2^47 ticks, half a day */

/* With the address of a record: exits are only counted. */
#define TIMING_COUNTED_BIT	0
#define TIMING_COUNTED		(1 << TIMING_COUNTED_BIT)

/* In struct instr_cell, and what lies before it in the block, where no slot was found. */
#define TIMING_DISPLACED	14
#define TIMING_MISSED_LEN	10

/* What timing_unwind is told, and numbers of struct timing_record: @unwound */
#define TIMING_LONGJMP		0
#define TIMING_EXCEPTION	1
#define TIMING_THREAD_END	2
#define TIMING_CATCH		3		/* only told */
#define TIMING_FIND		4		/* not told: it goes to unwind_find */
#define TIMING_ITERATE		6		/* not told: it goes to unwind_iterate */
/*
 * Only told: RDI is the exception (struct _Unwind_Exception). If its private_1 is set it is no
 * exception, but a thread that ends.
 */
#define TIMING_RESUME		5

#ifdef __ASSEMBLER__
/*
 * All that moves RSP is two bytes or more: an unwinder that takes only what begins before an
 * address, and one that also takes what begins there, both find the row that begins one byte
 * before the next instruction.
 */
.macro PUSH what
	{rex} push \what
.endm
.macro POP what
	{rex} pop \what
.endm
#else

#include <stdint.h>

#include "libinstr.h"

/* Of struct instr_return, for the code of slabs. */
struct timing_return {
	uint64_t to;
	uint64_t record;	/* address of the function's, perhaps with TIMING_COUNTED */
	uint64_t body;		/* what the slot calls */
	uint64_t pad;
};

/* Behind struct instr_unwinds. */
struct timing_head {
	uint64_t nr_blocks;
	uint64_t missed;	/* entries that got no frame, as there are too many stacks */
	uint64_t nr_groups;	/* that were given */
	uint64_t pad[5];
	struct instr_thread nobody;	/* for those that have no entry */
};

/* Of the table of stack pages; @page is written last. */
struct timing_page {
	uint64_t page;		/* its address */
	uint64_t block;		/* address; 0: free */
	uint64_t thread;	/* address of whose own stack it is, or of nobody */
	uint64_t pad;
};

struct timing_frame {
	uint64_t record;	/* address; 0: nothing was entered here */
	/* When, in ticks of the time stamp counter, as all times are; 0: it is entered, or left. */
	uint64_t time;
	uint64_t callees;	/* the time spent in timed ones */
	uint64_t caller;	/* address of its frame; 0: none */
	uint64_t address;	/* where the return address lies */
};

struct timing_record {
	uint64_t calls;
	uint64_t exits;		/* of any kind */
	uint64_t total, callees;
	uint64_t max, not_min;	/* the complement: 0 is larger than all */
	uint64_t unwound[3];	/* exits that were no returns */
	uint64_t last;		/* time of an exit that is in no bucket yet, and 1; 0: none */
	/* Where each group is in the frames; 0: it was not given; see give_group. */
	uint32_t group[TIMING_GROUPS];
	uint64_t slot;		/* address of the slot's entry that was taken last; 0: none */
};

/* The code, and where in it displacements are, to: */
extern const uint8_t timing_code[], timing_code_end[];
extern const uint16_t timing_frames_holes[], timing_frames_holes_end[];	/* control.frames */
extern const uint16_t timing_table_holes[], timing_table_holes_end[];	/* that of return slots */
extern const uint16_t timing_gate_holes[], timing_gate_holes_end[];		/* control.gate */
/*
 * Where distances are: from an entry of the table to its slot, and from where timing_return
 * comes back to, to the record in the entry.
 */
extern const uint16_t timing_slot_holes[], timing_slot_holes_end[];
extern const uint16_t timing_entry_holes[], timing_entry_holes_end[];
extern const uint8_t timing_enter[], timing_enter_fast[], timing_leave[], timing_unwind[];
extern const uint8_t timing_count[], timing_take[], timing_take_fast[];
extern const uint8_t timing_return[], timing_return_counted[];
/* The same for functions of Go, where R14 is the goroutine: see go.h. */
extern const uint8_t timing_enter_go[], timing_leave_go[];

#endif
#endif
