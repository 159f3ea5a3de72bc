// SPDX-License-Identifier: GPL-2.0
/*
 * instrctl top: what is called most, while it is.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "board.h"
#include "clock.h"
#include "cmd.h"
#include "libinstr/table.h"
#include "request.h"
#include "result.h"
#include "say.h"
#include "screen.h"

const char help_top[] =
	"Shows which functions are called, as they are counted, those that are called most\n"
	"often at the top. Functions and programs are given as to stat:\n"
	"\n"
	"  -f, --function GLOB       functions of the program's own file, or an instruction\n"
	"  -f, --function FILE:GLOB  functions of a file\n"
	"  -T, --time                how long they take, too\n"
	"  --exit WAY                auto, return or slot\n"
	"  -p, --pid PID             a process that runs\n"
	"  -a, --all                 all processes, or with -p all that descend from PID\n"
	"  --comm GLOB, --uid USER, --cgroup DIR   -a: only those\n"
	"  --children WHICH          pristine or follow\n"
	"  --follow-exec             and what children execute\n"
	"  --vfork HOW               shared or exact\n"
	"\n"
	"  -d, --delay SECONDS       how often to look: once a second, if this doesn't say\n"
	"  -n, --iterations COUNT    look that often, and then end\n"
	"  -s, --sort KEY            calls, rate, total, self, p99, pid or name\n"
	"  --by WHAT                 function or process\n"
	"  -b, --batch               print plain text, a block each time\n"
	"\n"
	"Keys: arrows, PgUp and PgDn scroll, < and > choose the column that sorts, r turns\n"
	"the order round, p shows processes, space pauses, h helps, q quits.\n"
	"\n"
	"calls/s is of the last delay, all else since the beginning. What CMD reads from\n"
	"the terminal, or prints there, goes nowhere, as that is ours. With -b it does as\n"
	"it likes, and the text goes to stdout with -p, and to stderr with CMD. What was\n"
	"seen last is printed in the end. Exit status: as that of stat.\n";

#define DELAY 1.0

struct top_options {
	struct request request;
	double delay;		/* seconds */
	long iterations;	/* 0: for ever */
	enum board_key key;
	bool batch, by_process;
};

/* ---- the command line ------------------------------------------------------ */

/* Options with no letter. */
enum { OPT_BY = REQUEST_OPTIONS_END };

static bool parse_by(const char *text)
{
	if (strcmp(text, "function") && strcmp(text, "process"))
		exit(usage_error("--by %s: function or process?", text));
	return !strcmp(text, "process");
}

static enum board_key parse_key(const char *text)
{
	enum board_key key = board_key_find(text);

	if (key == BOARD_KEY_MAX)
		exit(usage_error("-s %s: calls, rate, total, self, p99, pid or name?", text));
	return key;
}

static void parse_options(int argc, char **argv, struct top_options *options)
{
	static const struct option longs[] = {
		REQUEST_LONG,
		{ "batch", no_argument, NULL, 'b' },
		{ "by", required_argument, NULL, OPT_BY },
		{ "delay", required_argument, NULL, 'd' },
		{ "iterations", required_argument, NULL, 'n' },
		{ "sort", required_argument, NULL, 's' },
		OPT_COMMON
	};
	int option;

	while ((option = opt_next(argc, argv, "+:" REQUEST_SHORT "bd:n:s:" OPT_COMMON_SHORT,
				  longs)) >= 0) {
		switch (option) {
		case OPT_BY:
			options->by_process = parse_by(optarg);
			break;
		case 'b':
			options->batch = true;
			break;
		case 'd':
			options->delay = opt_seconds("-d", optarg);
			break;
		case 'n':
			options->iterations = opt_number("-n", optarg, 1, LONG_MAX);
			break;
		case 's':
			options->key = parse_key(optarg);
			break;
		default:
			request_option(&options->request, option, optarg);
		}
	}
}

static int check_key(const struct top_options *options)
{
	const struct targets targets = { .goal = options->request.goal };
	const struct board board = { .targets = &targets, .by_process = options->by_process };

	if (board_has(&board, options->key))
		return EXIT_DONE;
	if (options->key == BOARD_PID)
		return usage_error("-s pid: only with --by process");
	if (targets.goal.measure != INSTR_TIMES)
		return usage_error("-s %s: only with --time", board_key_name(options->key));
	return usage_error("-s %s: only by function", board_key_name(options->key));
}

static int check_options(struct top_options *options)
{
	int status = request_check(&options->request) ?: check_key(options);

	if (status)
		return status;
	if (!options->batch && !(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)))
		return usage_error("this is no terminal: -b prints plain text");
	return EXIT_DONE;
}

/* ---- text ------------------------------------------------------------------ */

#define HEAD_LEN 16

/* Names are the last, and all else is numbers. */
static struct instr_table *create_table(const struct board *board, char head[][HEAD_LEN])
{
	static const char *heads[BOARD_KEY_MAX];
	struct instr_table *table;
	size_t nr = 0;

	for (int key = 0; key < BOARD_KEY_MAX; key++) {
		if (!board_has(board, key))
			continue;
		snprintf(head[nr], HEAD_LEN, "%s%s", key == BOARD_NAME ? "" : ">",
			 board_head(board, key));
		heads[nr] = head[nr];
		nr++;
	}
	table = instr_table_create(nr, heads);
	if (!table)
		out_of_memory();
	return table;
}

static void print_rows(const struct board *board, FILE *out)
{
	char head[BOARD_KEY_MAX][HEAD_LEN], text[NAME_LEN];
	struct instr_table *table = create_table(board, head);

	for (size_t i = 0; i < board->nr; i++)
		for (int key = 0; key < BOARD_KEY_MAX; key++)
			if (board_has(board, key))
				instr_table_cell(table, "%s", board_cell(board, &board->row[i],
									 key, text));
	if (instr_table_print(table, out))
		out_of_memory();
	instr_table_destroy(table);
}

static void print_block(const struct board *board, FILE *out)
{
	char text[32];
	time_t seconds = time(NULL);
	struct tm local;

	localtime_r(&seconds, &local);
	strftime(text, sizeof(text), "%T", &local);
	fprintf(out, "%s: %zu process%s, %.0f calls/s, %zu refused\n", text, board->processes,
		board->processes == 1 ? "" : "es", board->rate, board->refused);
	print_rows(board, out);
	fputc('\n', out);
	fflush(out);
}

/* ---- looking --------------------------------------------------------------- */

struct top {
	const struct top_options *options;
	struct count *count;
	struct targets *targets;
	struct screen *screen;	/* NULL: -b */
	FILE *out;
	struct result result;
	struct board board;
	double looked;		/* when */
	bool shown;		/* a block was printed of what is on the board */
	int code;
	struct instr_err err;
};

static void update(struct top *top)
{
	double time = now();

	board_update(&top->board, &top->result, time - top->looked);
	top->looked = time;
}

static void show(struct top *top)
{
	if (top->screen)
		screen_draw(top->screen, &top->board);
	else
		print_block(&top->board, top->out);
}

static void look(struct top *top)
{
	if (top->screen && screen_paused(top->screen))
		return;
	top->code = result_sample(&top->result, top->count, top->targets, &top->err);
	if (top->code)
		return;
	update(top);
	show(top);
	if (!top->screen)
		targets_say_replaced(top->targets);
}

/* Until it is time to look again. */
static enum count_stop wait_a_while(struct top *top)
{
	double end = now() + top->options->delay;

	for (;;) {
		double left = end - now();
		enum count_stop stop = count_wait(top->count, left > 0.001 ? left : 0.001, NULL,
						  NULL);

		if (stop != COUNT_INPUT)
			return stop;
		if (screen_obey(top->screen, &top->board) == SCREEN_QUIT)
			return COUNT_TOLD;
		screen_draw(top->screen, &top->board);
	}
}

static enum count_stop watch(struct top *top)
{
	long left = top->options->iterations;
	enum count_stop stop;

	if (top->code)
		return COUNT_TOLD;
	if (top->screen)
		show(top);
	do {
		stop = wait_a_while(top);
		if (stop == COUNT_TIMEOUT)
			look(top);
	} while (stop == COUNT_TIMEOUT && !top->code && (!left || --left));
	return stop;
}

/*
 * What was counted since the last look is worth another one, unless there were as many as
 * were asked for.
 */
static void look_back(struct top *top, enum count_stop stop)
{
	if (!top->code)
		top->code = result_finish(&top->result, top->count, top->targets, &top->err);
	if (top->code)
		return;
	if (top->screen || stop != COUNT_TIMEOUT) {
		update(top);
		screen_close(top->screen);
		top->screen = NULL;
		show(top);
	}
}

static void wait_for_program(struct top *top)
{
	say(SAY_NOTE, "%s goes on, and is not counted any more", top->options->request.argv[0]);
	count_wait(top->count, 0, NULL, NULL);
}

static int end(struct top *top, enum count_stop stop)
{
	int program = 0;

	count_end(top->count);
	look_back(top, stop);
	screen_close(top->screen);
	top->screen = NULL;
	targets_say_replaced(top->targets);
	if (top->options->request.argv[0]) {
		top->count->input_fd = -1;
		if (stop != COUNT_ENDED)
			wait_for_program(top);
		program = count_status(top->count);
	}
	return program;
}

/* ---- the terminal ---------------------------------------------------------- */

/* A program must not read our keys, nor write over what we draw. */
static void hide_terminal(int saved[3])
{
	for (int fd = 0; fd < 3; fd++) {
		int null;

		saved[fd] = -1;
		if (!isatty(fd))
			continue;
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (null >= 0 && saved[fd] >= 0)
			dup2(null, fd);
		if (null >= 0)
			close(null);
	}
}

static void show_terminal(const int saved[3])
{
	for (int fd = 0; fd < 3; fd++) {
		if (saved[fd] < 0)
			continue;
		dup2(saved[fd], fd);
		close(saved[fd]);
	}
}

static int begin(const struct top_options *options, struct targets *targets,
		 struct count *count, int *status, struct instr_err *err)
{
	int saved[3], code;

	if (options->batch || !options->request.argv[0])
		return request_begin(&options->request, targets, count, status, err);
	hide_terminal(saved);
	code = request_begin(&options->request, targets, count, status, err);
	show_terminal(saved);
	return code;
}

/* ---- all of it ------------------------------------------------------------- */

static void top_init(struct top *top)
{
	result_begin_together(&top->result, top->count, top->targets);
	board_init(&top->board, top->targets);
	top->board.key = top->options->key;
	top->board.by_process = top->options->by_process;
	board_sort(&top->board);
	top->looked = now();
}

/* The status of the program, as of wait(2). */
static int run_top(struct top *top)
{
	int program;

	top_init(top);
	if (top->screen)
		top->count->input_fd = screen_fd(top->screen);
	program = end(top, watch(top));
	board_exit(&top->board);
	result_free(&top->result);
	return program;
}

static int run_count(const struct top_options *options, struct targets *targets, int status)
{
	struct count count;
	struct top top = {
		.options = options, .count = &count, .targets = targets,
		.out = options->batch && options->request.argv[0] ? stderr : stdout,
	};
	int program;

	if (begin(options, targets, &count, &status, &top.err))
		return say_error(&top.err, status);
	if (!options->batch)
		top.code = screen_open(&top.screen, &top.err);
	program = run_top(&top);
	count_close(&count);
	status = top.code ? say_error(&top.err, EXIT_NO) : EXIT_DONE;
	return program ? instr_run_end_like(program) : status;
}

static int top_run(const struct top_options *options)
{
	struct instr_err err = { 0 };
	struct targets targets;
	int status;

	if (request_targets(&options->request, &targets, &status, &err))
		return say_error(&err, status);
	if (!options->batch && screen_check(&err)) {
		targets_destroy(&targets);
		return say_error(&err, status);
	}
	status = run_count(options, &targets, status);
	targets_destroy(&targets);
	return status;
}

int cmd_top(int argc, char **argv)
{
	struct top_options options = {
		.request = REQUEST_NONE, .delay = DELAY, .key = BOARD_RATE,
	};
	int status;

	parse_options(argc, argv, &options);
	options.request.argv = argv + optind;
	status = check_options(&options) ?: top_run(&options);
	request_free(&options.request);
	return status;
}
