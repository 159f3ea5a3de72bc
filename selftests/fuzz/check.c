// SPDX-License-Identifier: GPL-2.0
#include "check.h"

#include <signal.h>
#include <string.h>

#include "compare.h"
#include "insn.h"
#include "run.h"

#define NR_ENTRIES	3	/* twice with the gate as it usually is, then with others */
#define NR_RUNS		(NR_ENTRIES + INSTR_MOVED_MAX)
#define LONG_PATIENCE	100
#define BELOW_LEN	256
#define CALL_LEN	16
#define BELOW_TRIES	16	/* perhaps all that depends on it is one flag */

struct start {
	struct state state;
	uint64_t at;		/* from the site on */
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
	start->state.rip = batch->base + batch->plan->site[sequence].offset + at;
}

/* Nobody comes to the padding behind a function that ends before it. */
static bool is_dead(const struct view *view, size_t sequence, uint64_t at)
{
	const struct instr_plan_site *site = &view->batch->plan->site[sequence];

	return site->place.at + at >= view->batch->function[sequence].size && !site->returns;
}

/* The site, and each boundary that the patch covers. */
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

/* Something else than was there: an address can be read from zeros only. */
static void fill_other(struct random *random, uint8_t *to, size_t len, int try)
{
	if (try)
		random_fill(random, to, len);
	else
		memset(to, 0, len);
}

/* What lies below the red zone may be anything: what is there now, or something else. */
static bool reads_below(struct view *view, size_t sequence, const struct start *start)
{
	size_t end = start->state.registers.gpr[RSP] - view->batch->base - SPACE_STACK - RED_ZONE;
	struct random random = random_stream(view->batch->seed, sequence);
	static struct arenas arenas;
	bool reads;

	arenas = *start->state.arenas;
	memcpy(arenas.stack + end - BELOW_LEN, after.arenas.stack + end - BELOW_LEN, BELOW_LEN);
	reads = depends_on(view, sequence, start, &arenas);
	for (int i = 0; i < BELOW_TRIES && !reads; i++) {
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

static bool is_call(const struct instr_plan_site *site, const struct instr_moved *moved)
{
	struct insn insn;

	return insn_decode(site->old + moved->old_at, moved->old_len, &insn) &&
	       (insn.kind == INSN_CALL || insn.kind == INSN_CALL_INDIRECT);
}

/* From where it is now, does it read the two words below the stack pointer? */
static bool reads_words_below(struct view *view, size_t sequence, const struct outcome *now,
			      struct start *start)
{
	struct random random = random_stream(view->batch->seed, sequence);
	static struct arenas arenas;
	uint64_t at = now->registers.gpr[RSP] - view->batch->base - SPACE_STACK - CALL_LEN;

	start->state.registers = now->registers;
	start->state.registers.flags |= 0x202;
	start->state.arenas = &now->arenas;
	start->state.extended = now->extended;
	run(&start->state, LONG_PATIENCE, &start->before);
	arenas = now->arenas;
	for (int i = 0; i < BELOW_TRIES && at <= ARENA_LEN - CALL_LEN; i++) {
		fill_other(&random, arenas.stack + at, CALL_LEN, i);
		if (depends_on(view, sequence, start, &arenas))
			return true;
	}
	return false;
}

/*
 * The two words below the stack pointer are a call's: does it read them, through
 * another register or after a call that was no function's?
 */
static bool reads_call(struct view *view, size_t sequence, const struct start *start)
{
	const struct instr_plan_site *site = &view->batch->plan->site[sequence];
	static struct outcome there;
	static struct start from;

	view_patch(view, sequence, false);
	for (size_t i = 0; i < site->nr_moved; i++) {
		uint64_t position = site->offset + site->moved[i].old_at;

		if (!is_call(site, &site->moved[i]) ||
		    !run_until(view, start, position, &there))
			continue;
		from.state = start->state;
		from.state.rip = view->batch->base + position;
		if (reads_words_below(view, sequence, &there, &from))
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
		.at = view->batch->place[sequence] + start->at,
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
	uint64_t count = view_count(view, sequence);

	run(&start->state, PATIENCE, &after);
	count_end(tally, after.signal);
	if (start->at)
		tally->insides++;
	else
		tally->entries++;
	count = view_count(view, sequence) - count;
	return !differs(view, sequence, start, count == (start->at ? 0 : adds), tally, ret);
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
