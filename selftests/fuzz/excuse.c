// SPDX-License-Identifier: GPL-2.0
/*
 * Random code reads what no program may: what lies below the stack, where a probe
 * leaves something; or its own text, where it sees the patch. It is asked, by running
 * it as it is with something else there.
 */

#include "excuse.h"

#include <signal.h>
#include <string.h>

#include "compare.h"
#include "run.h"

#define BELOW_LEN	256
#define CALL_LEN	16
#define FAR_LEN		(RED_ZONE + 24)	/* a call's: the longest */
#define TRIES		16	/* perhaps all that depends on it is one flag */

void run_version(struct view *view, size_t sequence, bool patched, const struct state *state,
		 struct outcome *ret)
{
	view_patch(view, sequence, patched);
	run(state, LONG_PATIENCE, ret);
}

/* Does it do something else if the memory is @arenas? */
static bool depends_on(struct view *view, size_t sequence, const struct start *start,
		       const struct arenas *arenas)
{
	static struct outcome other;
	struct state state = start->state;

	state.arenas = arenas;
	run_version(view, sequence, false, &state, &other);
	return compare(&view->batch->plan->site[sequence], view->batch->base, &start->state,
		       &start->before, &other);
}

/* Something else than was there: an address can be read from zeros only. */
static void fill_other(struct random *random, uint8_t *to, size_t len, int try)
{
	if (try)
		random_fill(random, to, len);
	else
		memset(to, 0, len);
}

/* What lies below the red zone may be anything: what is there now, or something else. */
static bool reads_below(struct view *view, size_t sequence, const struct start *start,
			const struct outcome *after)
{
	size_t end = start->state.registers.gpr[RSP] - view->batch->base - SPACE_STACK - RED_ZONE;
	struct random random = random_stream(view->batch->seed, sequence);
	static struct arenas arenas;
	bool reads;

	arenas = *start->state.arenas;
	memcpy(arenas.stack + end - BELOW_LEN, after->arenas.stack + end - BELOW_LEN, BELOW_LEN);
	reads = depends_on(view, sequence, start, &arenas);
	for (int i = 0; i < TRIES && !reads; i++) {
		fill_other(&random, arenas.stack + end - BELOW_LEN, BELOW_LEN, i);
		reads = depends_on(view, sequence, start, &arenas);
	}
	return reads;
}

/* Runs until it comes to @position of the text; false: it does not. */
static bool run_until(struct view *view, const struct start *start, uint64_t position,
		      struct outcome *there)
{
	view_break(view, position, true);
	run(&start->state, LONG_PATIENCE, there);
	view_break(view, position, false);
	return there->signal == SIGTRAP && there->rip == view->batch->base + position + 1;
}

/* The @len bytes at @address, in the memory or the stack; NULL: it points elsewhere. */
static uint8_t *bytes_at(struct arenas *arenas, uint64_t base, uint64_t address, size_t len)
{
	uint64_t memory = address - base - SPACE_MEMORY;
	uint64_t stack = address - base - SPACE_STACK;

	if (memory <= ARENA_LEN - len)
		return arenas->memory + memory;
	return stack <= ARENA_LEN - len ? arenas->stack + stack : NULL;
}

/*
 * From where it is now, does it read the @len bytes at @address? They may be what they
 * came to be @after, or something else.
 */
static bool reads_bytes(struct view *view, size_t sequence, const struct outcome *now,
			struct start *start, const struct outcome *after, uint64_t address,
			size_t len)
{
	struct random random = random_stream(view->batch->seed, sequence);
	static struct arenas arenas;
	uint8_t *bytes = bytes_at(&arenas, view->batch->base, address, len);
	uint8_t left[FAR_LEN];

	start->state.registers = now->registers;
	start->state.registers.flags |= 0x202;
	start->state.arenas = &now->arenas;
	start->state.extended = now->extended;
	run(&start->state, LONG_PATIENCE, &start->before);
	if (!bytes)
		return false;
	arenas = after->arenas;
	memcpy(left, bytes, len);
	arenas = now->arenas;
	memcpy(bytes, left, len);
	if (depends_on(view, sequence, start, &arenas))
		return true;
	for (int i = 0; i < TRIES; i++) {
		fill_other(&random, bytes, len, i);
		if (depends_on(view, sequence, start, &arenas))
			return true;
	}
	return false;
}

/*
 * The two words below the stack pointer are a call's: does it read them, through
 * another register or after a call that was no function's?
 */
static bool reads_call(struct view *view, size_t sequence, const struct start *start,
		       const struct outcome *after)
{
	const struct instr_plan_site *site = &view->batch->plan->site[sequence];
	static struct outcome there;
	static struct start from;

	view_patch(view, sequence, false);
	for (size_t i = 0; i < site->nr_moved; i++) {
		uint64_t position = site->offset + site->moved[i].old_at;

		if (!moved_is_call(site, &site->moved[i]) ||
		    !run_until(view, start, position, &there))
			continue;
		from.state = start->state;
		from.state.rip = view->batch->base + position;
		if (reads_bytes(view, sequence, &there, &from, after,
				there.registers.gpr[RSP] - CALL_LEN, CALL_LEN))
			return true;
	}
	return false;
}

/* But for the @len bytes at @address, did it do what it did before? */
static bool writes_bytes(struct view *view, size_t sequence, const struct start *start,
			 const struct outcome *after, uint64_t address, size_t len)
{
	static struct outcome before, other;
	uint64_t base = view->batch->base;
	uint8_t *bytes = bytes_at(&before.arenas, base, address, len);

	before = start->before;
	other = *after;
	memcpy(bytes, bytes_at(&other.arenas, base, address, len), len);
	return !compare(&view->batch->plan->site[sequence], base, &start->state, &before, after);
}

/*
 * What refers far uses the stack below the red zone, wherever RSP is: there may be
 * something, or nothing.
 */
static bool uses_below(struct view *view, size_t sequence, const struct start *start,
		       const struct outcome *after)
{
	const struct instr_plan_site *site = &view->batch->plan->site[sequence];
	static struct outcome there;
	static struct start from;

	view_patch(view, sequence, false);
	for (size_t i = 0; i < site->nr_moved; i++) {
		uint64_t position = site->offset + site->moved[i].old_at, address;

		if (!moved_is_far(site, &site->moved[i]) ||
		    !run_until(view, start, position, &there))
			continue;
		from.state = start->state;
		from.state.rip = view->batch->base + position;
		address = there.registers.gpr[RSP] - FAR_LEN;
		if (!bytes_at(&there.arenas, view->batch->base, address, FAR_LEN) ||
		    writes_bytes(view, sequence, start, after, address, FAR_LEN - RED_ZONE) ||
		    reads_bytes(view, sequence, &there, &from, after, address,
				FAR_LEN - RED_ZONE))
			return true;
	}
	return false;
}

/*
 * Does it read its own text? Then it sees the patch: with the text as it is, from the
 * slab on, it does what it did. What a trap led on has not just been read.
 */
static bool reads_text(struct view *view, size_t sequence, const struct start *start)
{
	const struct instr_plan_site *site = &view->batch->plan->site[sequence];
	uint64_t nr_traps = run_nr_traps();
	struct state state = start->state;
	static struct outcome other;

	run_version(view, sequence, true, &state, &other);
	if (run_nr_traps() - nr_traps > (start->at || site->how == INSTR_HOW_TRAP))
		return false;
	state.rip = start->at ? view_lead(view, state.rip) :
				view->batch->base + (uint64_t)site->slot;
	run_version(view, sequence, false, &state, &other);
	return !compare(site, view->batch->base, &start->state, &start->before, &other);
}

bool excuse(struct view *view, size_t sequence, const struct start *start,
	    const struct outcome *after)
{
	return reads_below(view, sequence, start, after) ||
	       reads_call(view, sequence, start, after) ||
	       uses_below(view, sequence, start, after) || reads_text(view, sequence, start);
}
