// SPDX-License-Identifier: GPL-2.0
/*
 * A board.
 */

#include "board.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"
#include "libinstr/array.h"
#include "say.h"

static const char *const key_names[] = {
	[BOARD_CALLS] = "calls",
	[BOARD_RATE] = "rate",
	[BOARD_TOTAL] = "total",
	[BOARD_SELF] = "self",
	[BOARD_P99] = "p99",
	[BOARD_PID] = "pid",
	[BOARD_NAME] = "name",
};

const char *board_key_name(enum board_key key)
{
	return key_names[key];
}

enum board_key board_key_find(const char *name)
{
	enum board_key key = 0;

	while (key < BOARD_KEY_MAX && strcmp(key_names[key], name))
		key++;
	return key;
}

bool board_has(const struct board *board, enum board_key key)
{
	bool timed = board->targets->goal.measure == INSTR_TIMES;

	switch (key) {
	case BOARD_TOTAL:
	case BOARD_P99:
		return timed && !board->by_process;
	case BOARD_SELF:
		return timed;
	case BOARD_PID:
		return board->by_process;
	default:
		return true;
	}
}

/* ---- the beginning, and the end ---------------------------------------------------- */

/* As in the table of stat: with the file where there are several. */
static char *name_of(const struct targets *targets, const struct target *target, size_t i)
{
	bool named = targets->nr - targets->nr_hidden > 1;
	struct instr_place_info place = target_place(target, i);
	char text[NAME_LEN], *name;

	if (asprintf(&name, "%s%s%s", named ? target_base_name(target) : "", named ? ":" : "",
		     instr_place_name(&place, text, sizeof(text))) < 0)
		out_of_memory();
	return name;
}

void board_init(struct board *board, const struct targets *targets)
{
	*board = (struct board) {
		.targets = targets,
		.key = BOARD_RATE,
		.name = allocate(targets->nr_sites, sizeof(*board->name)),
		.function = allocate(targets->nr_sites, sizeof(*board->function)),
		.calls_before = allocate(targets->nr_sites, sizeof(*board->calls_before)),
	};
	for (size_t i = 0; i < targets->nr; i++)
		for (size_t j = 0; j < targets->target[i].nr; j++)
			board->name[targets->target[i].first + j] =
				name_of(targets, &targets->target[i], j);
}

void board_exit(struct board *board)
{
	for (size_t i = 0; i < board->targets->nr_sites; i++)
		free(board->name[i]);
	free(board->name);
	free(board->function);
	free(board->space);
	free(board->calls_before);
	free(board->space_before);
}

/* ---- rows ---------------------------------------------------------------------------- */

/* Less, or no time: what a process wrote to its counts. */
static double rate_of(uint64_t calls, uint64_t before, double seconds)
{
	return calls > before && seconds > 0 ? (double)(calls - before) / seconds : 0;
}

static void add_function(struct board *board, const struct result *result, size_t number,
			 uint64_t calls, double seconds)
{
	const struct result_times *times = result_times(result, number);
	struct board_row *row = &board->function[board->nr_functions++];

	*row = (struct board_row) {
		.calls = calls,
		.rate = rate_of(calls, board->calls_before[number], seconds),
		.name = board->name[number],
	};
	if (!times)
		return;
	row->total = times->times.total;
	row->self = times->times.self;
	row->p99 = instr_times_quantile(&times->times, 0.99);
	row->finished = times->finished != 0;
}

/* Those that were called. */
static void update_functions(struct board *board, const struct result *result, double seconds)
{
	size_t nr = board->targets->nr_sites;
	uint64_t *calls = allocate(nr, sizeof(*calls));

	for (size_t i = 0; i < result->nr; i++)
		for (size_t j = 0; j < result->space[i].nr; j++)
			calls[result->space[i].count[j].number] += result->space[i].count[j].calls;
	board->nr_functions = 0;
	board->rate = 0;
	for (size_t i = 0; i < nr; i++) {
		board->rate += rate_of(calls[i], board->calls_before[i], seconds);
		if (calls[i])
			add_function(board, result, i, calls[i], seconds);
	}
	free(board->calls_before);
	board->calls_before = calls;
}

static uint64_t space_calls_before(const struct board *board, uint32_t id)
{
	size_t at = ARRAY_LOWER(board->space_before, board->nr_before, .id, id);

	return at < board->nr_before && board->space_before[at].id == id ?
	       board->space_before[at].calls : 0;
}

static void add_space(struct board *board, const struct result_space *space, double seconds)
{
	struct board_row row = { .pid = space->pid, .name = space->comm };

	for (size_t i = 0; i < space->nr; i++) {
		row.calls += space->count[i].calls;
		row.self += space->count[i].self;
	}
	row.finished = row.self != 0;
	row.rate = rate_of(row.calls, space_calls_before(board, space->id), seconds);
	board->space[board->nr_spaces++] = row;
}

static int compare_before(const void *a, const void *b)
{
	const struct board_before *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static void update_spaces(struct board *board, const struct result *result, double seconds)
{
	struct board_before *now = allocate(result->nr, sizeof(*now));

	free(board->space);
	board->space = allocate(result->nr, sizeof(*board->space));
	board->nr_spaces = 0;
	board->processes = board->refused = 0;
	for (size_t i = 0; i < result->nr; i++) {
		const struct result_space *space = &result->space[i];

		board->processes += space->sampled && space->live && space->active;
		board->refused += space->refused != 0;
		if (!space->active)
			continue;
		add_space(board, space, seconds);
		now[board->nr_spaces - 1] = (struct board_before) {
			space->id, board->space[board->nr_spaces - 1].calls,
		};
	}
	qsort(now, board->nr_spaces, sizeof(*now), compare_before);
	free(board->space_before);
	board->space_before = now;
	board->nr_before = board->nr_spaces;
}

void board_update(struct board *board, const struct result *result, double seconds)
{
	board->tsc_khz = result->tsc_khz;
	update_functions(board, result, seconds);
	update_spaces(board, result, seconds);
	board_sort(board);
}

/* ---- order --------------------------------------------------------------------------- */

#define COMPARE(x, y) (((x) > (y)) - ((x) < (y)))

/* Numbers: the most first. */
static int compare_by(enum board_key key, const struct board_row *x, const struct board_row *y)
{
	switch (key) {
	case BOARD_CALLS:
		return COMPARE(y->calls, x->calls);
	case BOARD_RATE:
		return COMPARE(y->rate, x->rate);
	case BOARD_TOTAL:
		return COMPARE(y->total, x->total);
	case BOARD_SELF:
		return COMPARE(y->self, x->self);
	case BOARD_P99:
		return COMPARE(y->p99, x->p99);
	case BOARD_PID:
		return COMPARE(x->pid, y->pid);
	default:
		return strcmp(x->name, y->name);
	}
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct board *board = arg;
	int by_key = compare_by(board->key, a, b);

	if (by_key)
		return board->reversed ? -by_key : by_key;
	return compare_by(BOARD_CALLS, a, b) ?: compare_by(BOARD_NAME, a, b) ?:
	       compare_by(BOARD_PID, a, b);
}

void board_sort(struct board *board)
{
	board->row = board->by_process ? board->space : board->function;
	board->nr = board->by_process ? board->nr_spaces : board->nr_functions;
	if (board->nr)
		qsort_r(board->row, board->nr, sizeof(*board->row), compare_rows, board);
}

void board_next_key(struct board *board, int by)
{
	int key = board->key;

	do
		key += by;
	while (key >= 0 && key < BOARD_KEY_MAX && !board_has(board, key));
	if (key >= 0 && key < BOARD_KEY_MAX)
		board->key = key;
	board_sort(board);
}

void board_toggle_processes(struct board *board)
{
	board->by_process = !board->by_process;
	if (!board_has(board, board->key))
		board->key = BOARD_RATE;
	board_sort(board);
}

/* ---- text ---------------------------------------------------------------------------- */

static const char *duration_cell(const struct board *board, const struct board_row *row,
				 uint64_t ticks, char *text)
{
	if (!row->finished)
		return "-";
	return duration_text(duration_ns(ticks, board->tsc_khz), text);
}

const char *board_cell(const struct board *board, const struct board_row *row,
		       enum board_key key, char text[NAME_LEN])
{
	switch (key) {
	case BOARD_CALLS:
		snprintf(text, NAME_LEN, "%" PRIu64, row->calls);
		return text;
	case BOARD_RATE:
		snprintf(text, NAME_LEN, "%.0f", row->rate);
		return text;
	case BOARD_TOTAL:
		return duration_cell(board, row, row->total, text);
	case BOARD_SELF:
		return duration_cell(board, row, row->self, text);
	case BOARD_P99:
		return duration_cell(board, row, row->p99, text);
	case BOARD_PID:
		snprintf(text, NAME_LEN, "%d", row->pid);
		return text;
	default:
		return row->name;
	}
}

const char *board_head(const struct board *board, enum board_key key)
{
	if (key == BOARD_RATE)
		return "calls/s";
	if (key == BOARD_NAME)
		return board->by_process ? "process" : "function";
	return key_names[key];
}
