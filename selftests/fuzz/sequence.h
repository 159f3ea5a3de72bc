/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sequences: some instructions that make a function, before it has its place.
 * What depends on the place is listed: fixes.
 */
#ifndef FUZZ_SEQUENCE_H
#define FUZZ_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "random.h"

#define SEQUENCE_MAX	256	/* bytes */
#define SEQUENCE_INSNS	24
#define SEQUENCE_FIXES	32
#define NR_WAYS_OUT	3	/* jumps to exits behind the instructions, for 8 bits */

enum fix_to {
	FIX_WAY_OUT,		/* @value: which */
	FIX_INSN,		/* @value: the number of an instruction, if there are so many */
	FIX_POSITION,		/* @value: a position */
};

struct fix {
	uint8_t at, len;	/* of the field: 1 or 4 bytes */
	uint8_t end;		/* of its instruction */
	enum fix_to to;
	int64_t value;
};

struct sequence {
	unsigned int class;
	uint8_t bytes[SEQUENCE_MAX];
	unsigned int len;
	uint8_t insn_at[SEQUENCE_INSNS];
	unsigned int nr_insns;
	struct fix fix[SEQUENCE_FIXES];
	unsigned int nr_fixes;
	bool loops;		/* it may run often */
};

void sequence_init(struct sequence *sequence, unsigned int class);

/* Instructions: begin, bytes and fixes of fields in any order, end. */
void sequence_begin_insn(struct sequence *sequence);
void sequence_add(struct sequence *sequence, const void *bytes, size_t len);
void sequence_add_byte(struct sequence *sequence, uint8_t byte);
/* The field has been added last, @len bytes, or is at @at. */
void sequence_add_fix(struct sequence *sequence, unsigned int at, unsigned int len,
		      enum fix_to to, int64_t value);
void sequence_end_insn(struct sequence *sequence);
bool sequence_is_full(const struct sequence *sequence);

/* Where branches of 8 and of 32 bits may lead. */
void sequence_fix_branch(struct sequence *sequence, struct random *random, unsigned int at,
			 unsigned int len, bool is_call, bool is_loop);

/* What lies behind the instructions: to an exit, and the ways out. */
void sequence_finish(struct sequence *sequence);
/* It lies at @position now. */
void sequence_settle(struct sequence *sequence, int64_t position);

#endif
