// SPDX-License-Identifier: GPL-2.0
#include "check.h"

#include <signal.h>
#include <string.h>

#include "compare.h"
#include "excuse.h"
#include "run.h"

#define NR_ENTRIES	3	/* twice with the gate as it usually is, then with others */
#define NR_RUNS		(NR_ENTRIES + INSTR_MOVED_MAX)

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

/* Once more, with all the time in the world. */
static const char *compare_again(struct view *view, size_t sequence, struct start *start)
{
	run_version(view, sequence, false, &start->state, &start->before);
	run_version(view, sequence, true, &start->state, &after);
	return compare(&view->batch->plan->site[sequence], view->batch->base, &start->state,
		       &start->before, &after);
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
	if (what && excuse(view, sequence, start, &after)) {
		tally->excused++;
		what = NULL;
	}
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
	class->far += site->far != 0;
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
