// SPDX-License-Identifier: GPL-2.0
#include "check.h"

#include <signal.h>
#include <string.h>

#include "compare.h"
#include "run.h"

#define NR_ENTRIES	3	/* twice with the gate as it usually is, then with others */
#define NR_RUNS		(NR_ENTRIES + INSTR_MOVED_MAX)
#define LONG_PATIENCE	100
#define BELOW_LEN	256

struct start {
	struct state state;
	uint64_t at;
	struct outcome before;
};

static struct start starts[NR_RUNS];
static struct outcome after;

/* ---- starts ----------------------------------------------------------------- */

static void start_init(struct start *start, const struct view *view, size_t sequence,
		       uint64_t at, struct random *random)
{
	const struct batch *batch = view->batch;

	state_init(&start->state, random, batch->base, batch->loops[sequence]);
	start->at = at;
	start->state.rip = batch->base + batch->function[sequence].position + at;
}

/* Nobody comes to the padding behind a function that ends before it. */
static bool is_dead(const struct view *view, size_t sequence, uint64_t at)
{
	return at >= view->batch->function[sequence].size &&
	       !view->batch->plan->site[sequence].returns;
}

/* The entry, and each boundary that the patch covers. */
static size_t make_starts(const struct view *view, size_t sequence)
{
	const struct instr_plan_site *site = &view->batch->plan->site[sequence];
	struct random random = random_stream(view->batch->seed ^ 0x57a7e5,
					     view->batch->first + sequence);
	size_t nr = 0;

	while (nr < NR_ENTRIES)
		start_init(&starts[nr++], view, sequence, 0, &random);
	for (size_t i = 1; i < site->nr_moved; i++) {
		if (!is_dead(view, sequence, site->moved[i].old_at))
			start_init(&starts[nr++], view, sequence, site->moved[i].old_at, &random);
	}
	return nr;
}

/* ---- differences ------------------------------------------------------------ */

static void run_version(struct view *view, size_t sequence, bool patched,
			const struct state *state, unsigned int patience, struct outcome *ret)
{
	view_patch(view, sequence, patched);
	run(state, patience, ret);
}

/* Does it do something else if the memory is @arenas? */
static bool depends_on(struct view *view, size_t sequence, const struct start *start,
		       const struct arenas *arenas)
{
	static struct outcome other;
	struct state state = start->state;

	state.arenas = arenas;
	run_version(view, sequence, false, &state, LONG_PATIENCE, &other);
	return compare(&view->batch->plan->site[sequence], view->batch->base, &start->state,
		       &start->before, &other);
}

/* What lies below the red zone may be anything: something else, or what is there now. */
static bool reads_below(struct view *view, size_t sequence, const struct start *start)
{
	static struct arenas arenas;
	size_t end = start->state.registers.gpr[RSP] - view->batch->base - SPACE_STACK - RED_ZONE;
	bool reads;

	arenas = *start->state.arenas;
	memset(arenas.stack + end - BELOW_LEN, 0xa5, BELOW_LEN);
	reads = depends_on(view, sequence, start, &arenas);
	memcpy(arenas.stack + end - BELOW_LEN, after.arenas.stack + end - BELOW_LEN, BELOW_LEN);
	return reads || depends_on(view, sequence, start, &arenas);
}

/* The words that a call to return to @address has left in @now, also in @arena. */
static bool put_call(uint8_t *arena, const uint8_t *now, uint64_t address)
{
	bool found = false;

	for (size_t i = 8; i <= ARENA_LEN - 8; i++) {
		if (memcmp(now + i, &address, 8))
			continue;
		memcpy(arena + i - 8, now + i - 8, 16);
		found = true;
	}
	return found;
}

/*
 * The two words below the stack pointer are a call's: does it read them, before the
 * call through another register, or after a call that was no function's?
 */
static bool reads_call(struct view *view, size_t sequence, const struct start *start)
{
	const struct instr_plan_site *site = &view->batch->plan->site[sequence];
	static struct arenas arenas;
	bool found = false;

	arenas = *start->state.arenas;
	for (size_t i = 0; i < site->nr_moved; i++) {
		uint64_t address = view->batch->base + site->offset + site->moved[i].old_at +
				   site->moved[i].old_len;

		found |= put_call(arenas.stack, after.arenas.stack, address) ||
			 put_call(arenas.memory, after.arenas.memory, address);
	}
	return found && depends_on(view, sequence, start, &arenas);
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

	run_version(view, sequence, true, &state, LONG_PATIENCE, &other);
	if (run_nr_traps() - nr_traps > (start->at || site->how == INSTR_HOW_TRAP))
		return false;
	state.rip = start->at ? view_lead(view, state.rip) :
				view->batch->base + (uint64_t)site->slot;
	run_version(view, sequence, false, &state, LONG_PATIENCE, &other);
	return !compare(site, view->batch->base, &start->state, &start->before, &other);
}

/* Once more, with all the time in the world. */
static const char *compare_again(struct view *view, size_t sequence, struct start *start)
{
	run_version(view, sequence, false, &start->state, LONG_PATIENCE, &start->before);
	run_version(view, sequence, true, &start->state, LONG_PATIENCE, &after);
	return compare(&view->batch->plan->site[sequence], view->batch->base, &start->state,
		       &start->before, &after);
}

/* Is there a reason for the difference that is the sequence's own? */
static bool is_excused(struct view *view, size_t sequence, const struct start *start,
		       struct tally_class *tally)
{
	if (reads_below(view, sequence, start) || reads_call(view, sequence, start)) {
		tally->undefined++;
		return true;
	}
	if (reads_text(view, sequence, start)) {
		tally->read_text++;
		return true;
	}
	return false;
}

static bool differs(struct view *view, size_t sequence, struct start *start, bool counted,
		    struct tally_class *tally, struct difference *ret)
{
	const char *what = compare(&view->batch->plan->site[sequence], view->batch->base,
				   &start->state, &start->before, &after);

	if (!what && counted)
		return false;
	what = compare_again(view, sequence, start);
	if (!what && !counted)
		what = "count";
	if (what && is_excused(view, sequence, start, tally))
		what = NULL;
	view_patch(view, sequence, true);
	if (!what)
		return false;
	*ret = (struct difference){
		.what = what,
		.sequence = sequence,
		.at = start->at,
		.state = start->state,
		.arenas = *start->state.arenas,
		.before = start->before,
		.after = after,
	};
	return true;
}

/* ---- running ---------------------------------------------------------------- */

static void count_end(struct tally_class *tally, int signal)
{
	if (signal == SIGALRM)
		tally->timeouts++;
	else if (signal)
		tally->faults++;
	else
		tally->exits++;
}

static bool check_start(struct view *view, size_t sequence, struct start *start,
			unsigned int gate, struct tally_class *tally, struct difference *ret)
{
	unsigned int adds = view_set_gate(view, gate, start->state.fs);
	uint64_t count = view_count(view, sequence) + (start->at ? 0 : adds);

	run(&start->state, PATIENCE, &after);
	count_end(tally, after.signal);
	if (start->at)
		tally->insides++;
	else
		tally->entries++;
	return !differs(view, sequence, start, view_count(view, sequence) == count, tally, ret);
}

static void count_plan(struct tally *tally, struct tally_class *class,
		       const struct instr_plan_site *site)
{
	class->sequences++;
	class->jumps += site->how == INSTR_HOW_JUMP;
	class->traps += site->how == INSTR_HOW_TRAP;
	class->refused += site->how == INSTR_HOW_REFUSED;
	tally->reasons[site->reason]++;
}

bool check_sequence(struct view *view, size_t sequence, struct tally *tally,
		    struct difference *difference, volatile bool *patched)
{
	const struct instr_plan_site *site = &view->batch->plan->site[sequence];
	struct tally_class *class = &tally->class[view->batch->class[sequence]];
	unsigned int other_gate = 1 + (view->batch->first + sequence) % (NR_GATES - 1);
	bool good = true;
	size_t nr;

	*patched = false;
	if (site->how != INSTR_HOW_REFUSED) {
		nr = make_starts(view, sequence);
		for (size_t i = 0; i < nr; i++)
			run(&starts[i].state, PATIENCE, &starts[i].before);
		*patched = true;
		view_patch(view, sequence, true);
		for (size_t i = 0; i < nr && good; i++)
			good = check_start(view, sequence, &starts[i],
					   i == NR_ENTRIES - 1 ? other_gate : 0, class,
					   difference);
		view_patch(view, sequence, false);
	}
	count_plan(tally, class, site);
	return good;
}
