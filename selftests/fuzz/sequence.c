// SPDX-License-Identifier: GPL-2.0
#include "sequence.h"

#include <string.h>

#include "space.h"

#define JUMP_LEN 5

void sequence_init(struct sequence *sequence, unsigned int class)
{
	memset(sequence, 0, sizeof(*sequence));
	sequence->class = class;
}

bool sequence_is_full(const struct sequence *sequence)
{
	return sequence->nr_insns >= SEQUENCE_INSNS - 1 ||
	       sequence->nr_fixes >= SEQUENCE_FIXES - NR_WAYS_OUT - 3 ||
	       sequence->len >= 96;
}

void sequence_begin_insn(struct sequence *sequence)
{
	sequence->insn_at[sequence->nr_insns] = (uint8_t)sequence->len;
}

void sequence_add(struct sequence *sequence, const void *bytes, size_t len)
{
	memcpy(sequence->bytes + sequence->len, bytes, len);
	sequence->len += (unsigned int)len;
}

void sequence_add_byte(struct sequence *sequence, uint8_t byte)
{
	sequence_add(sequence, &byte, 1);
}

void sequence_add_fix(struct sequence *sequence, unsigned int at, unsigned int len,
		      enum fix_to to, int64_t value)
{
	sequence->fix[sequence->nr_fixes++] = (struct fix){
		.at = (uint8_t)at, .len = (uint8_t)len, .to = to, .value = value,
	};
}

void sequence_end_insn(struct sequence *sequence)
{
	for (unsigned int i = sequence->nr_fixes; i--; ) {
		if (sequence->fix[i].end)
			break;
		sequence->fix[i].end = (uint8_t)sequence->len;
	}
	sequence->nr_insns++;
}

/* Only a loop with a count may go back: everything must come to an end. */
static int64_t insn_near(const struct sequence *sequence, struct random *random, bool is_loop)
{
	if (is_loop && sequence->nr_insns > 1 && random_percent(random, 50))
		return 1 + random_below(random, sequence->nr_insns);
	return sequence->nr_insns + 1 + random_below(random, 2);
}

static int64_t stub_far(struct random *random, bool is_call)
{
	bool callee = random_percent(random, is_call ? 65 : 10);

	return stub_position(callee ? NR_EXITS + random_below(random, NR_CALLEES) :
				      random_below(random, NR_EXITS));
}

void sequence_fix_branch(struct sequence *sequence, struct random *random, unsigned int at,
			 unsigned int len, bool is_call, bool is_loop)
{
	if (!is_call && random_percent(random, 30)) {
		int64_t insn = insn_near(sequence, random, is_loop);

		sequence->loops |= insn <= sequence->nr_insns;
		sequence_add_fix(sequence, at, len, FIX_INSN, insn);
	} else if (len == 1) {
		sequence_add_fix(sequence, at, len, FIX_WAY_OUT,
				 random_below(random, NR_WAYS_OUT));
	} else {
		sequence_add_fix(sequence, at, len, FIX_POSITION, stub_far(random, is_call));
	}
}

static void add_jump_out(struct sequence *sequence, unsigned int stub)
{
	sequence_begin_insn(sequence);
	sequence_add(sequence, "\xe9\0\0\0\0", JUMP_LEN);
	sequence_add_fix(sequence, sequence->len - 4, 4, FIX_POSITION, stub_position(stub));
	sequence_end_insn(sequence);
}

static bool needs_ways_out(const struct sequence *sequence)
{
	for (unsigned int i = 0; i < sequence->nr_fixes; i++) {
		if (sequence->fix[i].to == FIX_WAY_OUT)
			return true;
	}
	return false;
}

/* The jumps are not counted as instructions: those are what can be branched to. */
void sequence_finish(struct sequence *sequence)
{
	unsigned int nr = sequence->nr_insns, start = sequence->len;
	bool needed = needs_ways_out(sequence);

	add_jump_out(sequence, 0);
	for (unsigned int i = 0; needed && i < NR_WAYS_OUT; i++) {
		sequence->nr_insns = nr;
		add_jump_out(sequence, i + 1);
	}
	sequence->nr_insns = nr + 1;
	sequence->insn_at[nr] = (uint8_t)start;
}

static int64_t fix_target(const struct sequence *sequence, const struct fix *fix,
			  int64_t position)
{
	unsigned int last = sequence->nr_insns - 1;

	switch (fix->to) {
	case FIX_WAY_OUT:
		return position + sequence->insn_at[last] + JUMP_LEN * (fix->value + 1);
	case FIX_INSN:
		return position + sequence->insn_at[fix->value < last ? fix->value : last];
	default:
		return fix->value;
	}
}

void sequence_settle(struct sequence *sequence, int64_t position)
{
	for (unsigned int i = 0; i < sequence->nr_fixes; i++) {
		const struct fix *fix = &sequence->fix[i];
		int32_t value = (int32_t)(fix_target(sequence, fix, position) -
					  (position + fix->end));

		if (fix->len == 1 && value != (int8_t)value)
			value = 0;
		memcpy(sequence->bytes + fix->at, &value, fix->len);
	}
}
