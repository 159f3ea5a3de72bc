// SPDX-License-Identifier: GPL-2.0
/*
 * Rewinds: our code is read as it was written, to see what it has done in front of each of
 * its instructions.
 *
 * It saves registers only by pushing them (stack.c), and flags only in AX (block.c). Code of
 * one shape is the same instructions: most of it is read once only.
 */

#include "rewind.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "block.h"
#include "err.h"
#include "far.h"
#include "slab.h"
#include "stack.h"

#define RAX 0
#define RCX 1
#define WORD 8
/* Of LOOP behind its prefixes, and of a short jump. */
#define LOOP_LEN 2
#define SHORT_LEN 2

/* What has been done so far. */
struct state {
	struct stack stack;
	uint8_t flags;		/* INSTR_FLAGS_* */
	int32_t flags_at;	/* how deep the AX lies that has them; 0: in the register */
	bool counted;
};

/* Shapes that many have, by whether flags are live; + 1, 0: not known yet. */
struct known {
	size_t block[2], slow[2];
	struct state slow_begins[2];
};

struct rewinds {
	struct instr_plan *plan;
	struct known known;
	struct state slow_begins;	/* of the block that was read last */
};

/* ---- reading code ------------------------------------------------------------- */

/* LAHF changes no flag, and nor does SETO: from there on AX has them. */
static void step_flags(struct state *state, const uint8_t *bytes, const struct insn *insn)
{
	bool is_short = insn->len == 1 || (insn->len == 2 && bytes[0] == 0x40);
	bool pushes = is_short && bytes[insn->len - 1] == 0x50;
	bool pops = is_short && bytes[insn->len - 1] == 0x58;

	if (insn->len == 3 && !memcmp(bytes, "\x0f\x90\xc0", 3)) {		/* seto %al */
		state->flags = INSTR_FLAGS_AX;
	} else if (state->flags == INSTR_FLAGS_AX && pushes && !state->flags_at) {
		state->flags_at = state->stack.depth;
	} else if (pops && state->flags_at > state->stack.depth) {
		state->flags_at = 0;
	} else if (insn->len == 2 && !memcmp(bytes, "\x04\x7f", 2)) {	/* add $127,%al */
		state->flags = INSTR_FLAGS_AH;
	} else if (insn->len == 1 && bytes[0] == 0x9e) {			/* sahf */
		state->flags = INSTR_FLAGS_KEPT;
	}
}

/* incq counter(%rip); lock incq (%rcx,%rax) */
static bool counts(const uint8_t *bytes, const struct insn *insn)
{
	return (insn->len == 7 && !memcmp(bytes, "\x48\xff\x05", 3)) ||
	       (insn->len == 5 && !memcmp(bytes, "\xf0\x48\xff\x04\x01", 5));
}

/* Rows know where two registers are; is another one's value only on the stack? */
static bool is_said(const struct state *state)
{
	for (int reg = 0; reg < STACK_REGISTERS; reg++) {
		if (reg != RAX && reg != RCX && state->stack.saved[reg])
			return false;
	}
	return true;
}

static void add_row(struct instr_shape *shape, size_t at, const struct state *state)
{
	shape->row[shape->nr++] = (struct instr_row){
		.at = (uint8_t)at,
		.depth = (uint8_t)(state->stack.depth / WORD),
		.ax = (uint8_t)(state->stack.saved[RAX] / WORD),
		.cx = (uint8_t)(state->stack.saved[RCX] / WORD),
		.flags = state->flags,
		.flags_at = (uint8_t)(state->flags_at / WORD),
		.counted = state->counted,
	};
}

/*
 * One row more, of the instruction at @at, which is then executed. Its length; 0: that can't
 * be said.
 */
static size_t read_one(struct instr_shape *shape, const uint8_t *code, size_t at, size_t len,
		       struct state *state, struct insn *insn)
{
	if (at >= len || at > UINT8_MAX || shape->nr == INSTR_ROWS_MAX || !is_said(state) ||
	    !insn_decode(code + at, len - at, insn))
		return 0;
	add_row(shape, at, state);
	stack_step(&state->stack, insn, code + at);
	step_flags(state, code + at, insn);
	state->counted |= counts(code + at, insn);
	return insn->len;
}

/* All of @code, from @at on, as far as it goes. */
static void read_code(struct instr_shape *shape, const uint8_t *code, size_t at, size_t len,
		      struct state *state)
{
	struct insn insn;
	size_t done;

	do {
		done = read_one(shape, code, at, len, state, &insn);
		at += done;
	} while (done);
}

/* The same, but only @nr instructions of it. */
static void read_some(struct instr_shape *shape, const uint8_t *code, size_t at, size_t len,
		      size_t nr, struct state *state)
{
	struct insn insn;
	size_t done = 1;

	for (; nr && done; nr--) {
		done = read_one(shape, code, at, len, state, &insn);
		at += done;
	}
}

/* The same, up to the first instruction of that kind, and that, too. */
static void read_to(struct instr_shape *shape, const uint8_t *code, size_t len,
		    enum insn_kind last, struct state *state)
{
	struct insn insn = { .kind = INSN_PLAIN };
	size_t at = 0, done;

	do {
		done = read_one(shape, code, at, len, state, &insn);
		at += done;
	} while (done && insn.kind != last);
}

/* ---- tables ---------------------------------------------------------------------- */

/* Index + 1; 0: there are too many. */
static size_t shape_index(struct instr_plan *plan, const struct instr_shape *shape)
{
	for (size_t i = 0; i < plan->nr_shapes; i++) {
		if (!memcmp(&plan->shapes[i], shape, sizeof(*shape)))
			return i + 1;
	}
	if (plan->nr_shapes == INSTR_SHAPES_MAX)
		return 0;
	plan->shapes[plan->nr_shapes++] = *shape;
	return plan->nr_shapes;
}

static bool add_rewind(struct rewinds *rewinds, int64_t code, uint64_t offset, size_t shape,
		       uint16_t flags, uint64_t counter)
{
	struct instr_plan *plan = rewinds->plan;
	struct instr_rewind new = {
		.code = (uint64_t)code,
		.offset = offset,
		.counter = (uint32_t)counter,
		.shape = (uint16_t)(shape - 1),
		.flags = flags,
	};

	return !shape || ARRAY_PUSH(plan->rewinds, plan->nr_rewinds, new);
}

/* ---- sites ----------------------------------------------------------------------- */

static uint16_t site_flags(const struct instr_plan_site *site)
{
	if (site->how == INSTR_HOW_POINTER)
		return INSTR_REWIND_POINTER;
	return site->calls ? INSTR_REWIND_CALL : 0;
}

static uint64_t site_target(const struct instr_plan_site *site)
{
	return site->how == INSTR_HOW_POINTER ? site->kept : site->offset;
}

/* Of several instructions it becomes only the last does more than to look, and to push. */
static bool moved_only_goes(const struct instr_moved *moved)
{
	return moved->kind == INSN_CALL || moved->kind == INSN_CALL_INDIRECT ||
	       moved->kind == INSN_JMP || moved->kind == INSN_JMP_INDIRECT ||
	       moved->kind == INSN_JCC;
}

static bool moved_is_several(const struct instr_moved *moved, const uint8_t *block)
{
	struct insn insn;

	return !insn_decode_flow(block + moved->new_at, moved->new_len, &insn) ||
	       insn.len != moved->new_len;
}

/* One that refers too far, and only loads, stores or computes? */
static bool moved_is_far(const struct instr_plan_site *site, const struct instr_moved *moved)
{
	return site->far >> moved->old_at & 1 && moved->kind == INSN_PLAIN;
}

/* How many of the instructions it became, from the first on, can be undone. */
static size_t moved_nr_again(const struct instr_plan_site *site, const struct instr_moved *moved)
{
	struct insn insn;

	if (moved_only_goes(moved))
		return SIZE_MAX;
	if (!moved_is_far(site, moved))
		return 1;
	insn_recall(moved, site->old + moved->old_at, &insn);
	return far_nr_again(&insn, site->old + moved->old_at);
}

/* What counts, and the first displaced instruction, or the jump of a pointer. */
static size_t read_block(struct rewinds *rewinds, const struct instr_plan_site *site)
{
	const uint8_t *block = instr_plan_block(rewinds->plan, site);
	const struct instr_moved *first = &site->moved[0];
	struct instr_shape shape = { .nr = 0 };
	struct state state = { .flags = INSTR_FLAGS_KEPT };
	struct insn insn;

	read_code(&shape, block, 0, site->count_at, &state);
	rewinds->slow_begins = state;
	read_code(&shape, block, site->count_at, site->displaced_at, &state);
	if (site->nr_moved)
		read_some(&shape, block, first->new_at, first->new_at + (size_t)first->new_len,
			  moved_nr_again(site, first), &state);
	else
		read_one(&shape, block, site->displaced_at, site->block_len, &state, &insn);
	return shape_index(rewinds->plan, &shape);
}

static size_t block_shape(struct rewinds *rewinds, const struct instr_plan_site *site)
{
	const uint8_t *block = instr_plan_block(rewinds->plan, site);
	struct known *known = &rewinds->known;
	bool live = site->flags_live;

	if (!site->nr_moved || moved_is_several(&site->moved[0], block))
		return read_block(rewinds, site);
	if (!known->block[live]) {
		known->block[live] = read_block(rewinds, site);
		known->slow_begins[live] = rewinds->slow_begins;
	}
	rewinds->slow_begins = known->slow_begins[live];
	return known->block[live];
}

/* It begins as the block is where it jumps there. */
static size_t slow_shape(struct rewinds *rewinds, const struct instr_plan_site *site)
{
	size_t *known = &rewinds->known.slow[site->flags_live];
	struct state state = rewinds->slow_begins;
	struct instr_shape shape = { .nr = 0 };

	if (*known)
		return *known;
	read_to(&shape, slab_bytes(rewinds->plan, site->slow), BLOCK_SLOW_MAX, INSN_JMP, &state);
	return *known = shape_index(rewinds->plan, &shape);
}

/* A jump to the block: nothing has been done yet. */
static size_t slot_shape(struct rewinds *rewinds)
{
	const struct instr_shape shape = { .nr = 1 };

	return shape_index(rewinds->plan, &shape);
}

static bool add_site(struct rewinds *rewinds, const struct instr_plan_site *site)
{
	uint64_t target = site_target(site);
	uint16_t flags = site_flags(site);

	return (site->slot == site->block ||
		add_rewind(rewinds, site->slot, target, slot_shape(rewinds), flags, 0)) &&
	       add_rewind(rewinds, site->block, target, block_shape(rewinds, site), flags,
			  site->counter) &&
	       add_rewind(rewinds, site->slow, target, slow_shape(rewinds, site), flags,
			  site->counter);
}

/* Code that goes to @offset, and does nothing else. */
static bool add_goes(struct rewinds *rewinds, int64_t code, size_t len, uint64_t offset)
{
	struct instr_shape shape = { .nr = 0 };
	struct state state = { .flags = INSTR_FLAGS_KEPT };

	read_code(&shape, slab_bytes(rewinds->plan, code), 0, len, &state);
	return add_rewind(rewinds, code, offset, shape_index(rewinds->plan, &shape), 0, 0);
}

/* What comes behind the first instruction (reloc.c) can't undo that, but has one way to go. */
static bool add_loop(struct rewinds *rewinds, const struct instr_plan_site *site,
		     const struct instr_moved *moved)
{
	size_t skip = moved->opcode_at + LOOP_LEN, jump = skip + SHORT_LEN;
	int64_t code = site->block + moved->new_at;
	uint64_t from = site->offset + moved->old_at;
	struct insn insn;

	insn_recall(moved, site->old + moved->old_at, &insn);
	return add_goes(rewinds, code + (int64_t)skip, SHORT_LEN, from + moved->old_len) &&
	       add_goes(rewinds, code + (int64_t)jump, moved->new_len - jump,
			from + (uint64_t)insn.target);
}

/* One that is not counted any more is begun again. */
static bool add_again(struct rewinds *rewinds, const struct instr_plan_site *site,
		      const struct instr_moved *moved)
{
	const uint8_t *block = instr_plan_block(rewinds->plan, site);
	struct instr_shape shape = { .nr = 0 };
	struct state state = { .flags = INSTR_FLAGS_KEPT };

	read_some(&shape, block + moved->new_at, 0, moved->new_len, moved_nr_again(site, moved),
		  &state);
	return add_rewind(rewinds, site->block + moved->new_at, site->offset + moved->old_at,
			  shape_index(rewinds->plan, &shape), 0, 0);
}

/* RSP is in the beginning as it is in front of @insn: how far below where it will be. */
static int32_t depth_before(const struct insn *insn, const uint8_t *bytes)
{
	struct stack stack = { .lowest = INT32_MIN };

	stack_step(&stack, insn, bytes);
	return -stack.depth;
}

/*
 * One that has had its effect is done: what is left of it gives back a register, and the
 * stack. Until then a row may not be able to tell of that register.
 */
static bool add_rest(struct rewinds *rewinds, const struct instr_plan_site *site,
		     const struct instr_moved *moved)
{
	const uint8_t *old = site->old + moved->old_at;
	const uint8_t *code = instr_plan_block(rewinds->plan, site) + moved->new_at;
	size_t nr = moved_nr_again(site, moved), at = 0, len = moved->new_len;
	struct state state = { .flags = INSTR_FLAGS_KEPT };
	struct instr_shape shape = { .nr = 0 };
	struct insn insn;

	insn_recall(moved, old, &insn);
	state.stack.depth = depth_before(&insn, old);
	for (; (nr || !is_said(&state)) && insn_decode(code + at, len - at, &insn); nr -= !!nr) {
		stack_step(&state.stack, &insn, code + at);
		at += insn.len;
	}
	read_code(&shape, code + at, 0, len - at, &state);
	return !shape.nr || add_rewind(rewinds, site->block + moved->new_at + (int64_t)at,
				       site->offset + moved->old_at + moved->old_len,
				       shape_index(rewinds->plan, &shape), 0, 0);
}

/* Moved instructions that became several: what is not counted any more. */
static bool add_moved(struct rewinds *rewinds, const struct instr_plan_site *site)
{
	const uint8_t *block = instr_plan_block(rewinds->plan, site);

	for (size_t i = 0; i < site->nr_moved; i++) {
		const struct instr_moved *moved = &site->moved[i];
		bool added = true;

		if (!moved_is_several(moved, block))
			continue;
		if (moved->kind == INSN_LOOP)
			added = add_loop(rewinds, site, moved);
		else if (i && (moved_only_goes(moved) || moved_is_far(site, moved)))
			added = add_again(rewinds, site, moved);
		if (added && moved_is_far(site, moved))
			added = add_rest(rewinds, site, moved);
		if (!added)
			return false;
	}
	return true;
}

static bool add_gate(struct rewinds *rewinds)
{
	int64_t gate = rewinds->plan->slab_start + SLAB_GATE_AT;
	struct state state = { .flags = INSTR_FLAGS_KEPT };
	struct instr_shape shape = { .nr = 0 };

	read_to(&shape, slab_bytes(rewinds->plan, gate), SLAB_TIMING_AT - SLAB_GATE_AT, INSN_RET,
		&state);
	return add_rewind(rewinds, gate, 0, shape_index(rewinds->plan, &shape),
			  INSTR_REWIND_ROUTINE, 0);
}

static int compare(const void *a, const void *b)
{
	const struct instr_rewind *x = a, *y = b;
	int64_t from = (int64_t)x->code, to = (int64_t)y->code;

	return (from > to) - (from < to);
}

static bool add_all(struct rewinds *rewinds)
{
	const struct instr_plan *plan = rewinds->plan;

	/* Timed code has unwind information instead. */
	if (plan->measure != INSTR_CALLS)
		return true;
	for (size_t i = 0; i < plan->nr; i++) {
		const struct instr_plan_site *site = &plan->site[i];

		if (site->how != INSTR_HOW_REFUSED &&
		    (!add_site(rewinds, site) || !add_moved(rewinds, site)))
			return false;
	}
	return add_gate(rewinds);
}

int rewinds_find(struct instr_plan *plan, struct instr_err *err)
{
	struct rewinds rewinds = { .plan = plan };

	free(plan->rewinds);
	free(plan->shapes);
	plan->rewinds = NULL;
	plan->nr_rewinds = plan->nr_shapes = 0;
	plan->shapes = calloc(INSTR_SHAPES_MAX, sizeof(*plan->shapes));
	if (!plan->shapes || !add_all(&rewinds))
		return err_memory(err);
	if (plan->nr_rewinds)
		qsort(plan->rewinds, plan->nr_rewinds, sizeof(*plan->rewinds), compare);
	return 0;
}
