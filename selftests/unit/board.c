// SPDX-License-Identifier: GPL-2.0
/*
 * Boards: what top shows of results.
 */

#include "instrctl/board.h"

#include <string.h>

#include "tap.h"

#define NR 3

static struct result_times times[NR];

const struct result_times *result_times(const struct result *result, size_t number)
{
	(void)result;
	return times[number].finished ? &times[number] : NULL;
}

static struct result_count count_a[NR], count_b[NR];
static struct result_space space[2];
static struct result result = { .nr = 2, .space = space, .tsc_khz = 1000000 };
static char *names[NR] = { "alpha", "beta", "gamma" };
static struct targets targets;
static struct board board;

static void set(struct result_count *count, uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t calls[NR] = { a, b, c };

	for (size_t i = 0; i < NR; i++)
		count[i] = (struct result_count) { i, calls[i], 0, 7 * calls[i], NULL };
}

static void begin(enum instr_measure measure)
{
	targets = (struct targets) { .nr_sites = NR, .goal.measure = measure };
	memset(times, 0, sizeof(times));
	space[0] = (struct result_space) { .id = 3, .pid = 30, .comm = "zed", .active = true,
					   .live = true, .sampled = true, .nr = NR, .count = count_a };
	space[1] = (struct result_space) { .id = 2, .pid = 20, .comm = "one", .active = true,
					   .refused = 12, .nr = NR, .count = count_b };
	set(count_a, 10, 0, 5);
	set(count_b, 1, 0, 20);
	board_init(&board, &targets);
	for (size_t i = 0; i < NR; i++)
		board.name[i] = strdup(names[i]);
	board_update(&board, &result, 1);
}

/* The rows' names are these. */
static bool shows(const char *expected)
{
	char text[100] = "";

	for (size_t i = 0; i < board.nr; i++) {
		strcat(text, board.row[i].name);
		strcat(text, i + 1 < board.nr ? " " : "");
	}
	if (strcmp(text, expected))
		printf("# %s, not %s\n", text, expected);
	return !strcmp(text, expected);
}

static const char *cell(size_t row, enum board_key key)
{
	static char text[NAME_LEN];

	return board_cell(&board, &board.row[row], key, text);
}

static void only_what_was_called_is_shown(void)
{
	begin(INSTR_CALLS);
	CHECK(shows("gamma alpha"));
	CHECK(!strcmp(cell(0, BOARD_CALLS), "25") && !strcmp(cell(1, BOARD_CALLS), "11"));
	CHECK(board.processes == 1 && board.refused == 1);
	board_exit(&board);
}

static void rates_are_of_what_was_added(void)
{
	begin(INSTR_CALLS);
	set(count_a, 110, 4, 5);
	board_update(&board, &result, 2);
	CHECK(shows("alpha beta gamma") && board.rate == 52);
	CHECK(!strcmp(cell(0, BOARD_RATE), "50") && !strcmp(cell(2, BOARD_RATE), "0"));
	board_toggle_processes(&board);
	CHECK(shows("zed one") && board.row[0].rate == 52 && board.row[1].rate == 0);
	board_update(&board, &result, 2);
	CHECK(board.rate == 0 && board.row[0].rate == 0);
	board_exit(&board);
}

/* What a process wrote to its counts, and a clock that stands still. */
static void no_rate_is_negative(void)
{
	begin(INSTR_CALLS);
	set(count_a, 3, 0, 5);
	board_update(&board, &result, 1);
	CHECK(board.rate == 0 && board.row[0].rate == 0 && board.row[1].rate == 0);
	set(count_a, 100, 0, 100);
	board_update(&board, &result, 0);
	CHECK(board.rate == 0);
	board_exit(&board);
}

static void any_column_sorts(void)
{
	begin(INSTR_TIMES);
	for (size_t i = 0; i < NR; i++) {
		times[i].finished = 1;
		times[i].times.total = 100 + i;
		times[i].times.self = 200 - i;
		times[i].times.min = times[i].times.max = 50;
	}
	board_update(&board, &result, 1);
	board.key = BOARD_TOTAL;
	board_sort(&board);
	CHECK(shows("gamma alpha") && !strcmp(cell(0, BOARD_TOTAL), "102ns"));
	board.key = BOARD_SELF;
	board_sort(&board);
	CHECK(shows("alpha gamma"));
	board.reversed = true;
	board_sort(&board);
	CHECK(shows("gamma alpha"));
	board.key = BOARD_NAME;
	board_sort(&board);
	CHECK(shows("gamma alpha"));
	board_exit(&board);
}

static void times_that_there_are_none_of_are_no_numbers(void)
{
	begin(INSTR_TIMES);
	CHECK(!strcmp(cell(0, BOARD_TOTAL), "-") && !strcmp(cell(0, BOARD_P99), "-"));
	board_exit(&board);
}

static void processes_have_what_adds_up(void)
{
	begin(INSTR_TIMES);
	board.key = BOARD_TOTAL;
	board_toggle_processes(&board);
	CHECK(board.key == BOARD_RATE && !board_has(&board, BOARD_TOTAL));
	board.key = BOARD_PID;
	board_sort(&board);
	CHECK(shows("one zed") && !strcmp(cell(0, BOARD_PID), "20"));
	CHECK(!strcmp(cell(0, BOARD_CALLS), "21") && !strcmp(cell(0, BOARD_SELF), "147ns"));
	board_toggle_processes(&board);
	CHECK(board.key == BOARD_RATE && !board_has(&board, BOARD_PID));
	board_exit(&board);
}

static void columns_end_at_both_sides(void)
{
	begin(INSTR_CALLS);
	board_next_key(&board, -1);
	CHECK(board.key == BOARD_CALLS);
	board_next_key(&board, -1);
	CHECK(board.key == BOARD_CALLS);
	board_next_key(&board, 1);
	board_next_key(&board, 1);
	CHECK(board.key == BOARD_NAME && shows("alpha gamma"));
	board_next_key(&board, 1);
	CHECK(board.key == BOARD_NAME);
	board_exit(&board);
}

static void keys_have_names(void)
{
	for (int key = 0; key < BOARD_KEY_MAX; key++)
		CHECK((int)board_key_find(board_key_name(key)) == key);
	CHECK(board_key_find("call") == BOARD_KEY_MAX && board_key_find("") == BOARD_KEY_MAX);
}

static void nothing_at_all(void)
{
	const struct result empty = { 0 };

	targets = (struct targets) { 0 };
	board_init(&board, &targets);
	board_sort(&board);
	CHECK(board.nr == 0);
	board_update(&board, &empty, 1);
	board_toggle_processes(&board);
	CHECK(board.nr == 0 && board.rate == 0);
	board_exit(&board);
}

int main(void)
{
	RUN(only_what_was_called_is_shown);
	RUN(rates_are_of_what_was_added);
	RUN(no_rate_is_negative);
	RUN(any_column_sorts);
	RUN(times_that_there_are_none_of_are_no_numbers);
	RUN(processes_have_what_adds_up);
	RUN(columns_end_at_both_sides);
	RUN(keys_have_names);
	RUN(nothing_at_all);
	return tap_done();
}
