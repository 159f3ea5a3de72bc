/* SPDX-License-Identifier: GPL-2.0 */
/* Blocks: the code that a site leads to. */
#ifndef LIBINSTR_BLOCK_H
#define LIBINSTR_BLOCK_H

#include "emit.h"
#include "libinstr.h"
#include "machine.h"

/* Where in the slab a block finds what it needs; positions. */
struct block_places {
	int64_t counter;	/* in the first shard */
	int64_t control;	/* struct instr_control */
	int64_t gate;		/* gate_emit() */
	int64_t kept;		/* what the pointer was */
	int64_t timing;		/* timing_code */
	int64_t find;		/* unwind_find */
	int64_t iterate;	/* unwind_iterate */
	int64_t record;		/* of the function that is timed */
	const struct machine *machine;
	uint32_t shard_len;
};

/*
 * Sets how long the block of @site is and where in it what is, which does not depend
 * on where it will lie.
 */
void block_measure(struct instr_plan_site *site);

/*
 * Emits the block: the interceptor, the displaced instructions @site->moved, and a
 * jump back.
 */
void block_emit(struct emit *emit, const struct instr_plan_site *site,
		const struct block_places *places);

/* Emits what lies at @site->slow: how several threads count. BLOCK_SLOW_MAX bytes at most. */
#define BLOCK_SLOW_MAX	80
/* What comes last in a block whose site @returns: a jump. */
#define BLOCK_JUMP_LEN	5
void block_emit_slow(struct emit *emit, const struct instr_plan_site *site,
		     const struct block_places *places);

#endif
