// SPDX-License-Identifier: GPL-2.0
/*
 * instrctl stat: count calls, or time them.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "count.h"
#include "report.h"
#include "result.h"
#include "say.h"
#include "target.h"

const char help_stat[] =
	"Counts the calls of functions, each one of them, in the process PID until it ends\n"
	"or this is interrupted, or in CMD from its first instruction to its end. The\n"
	"files are not changed, and nobody else's calls are counted; children of the\n"
	"program run unchanged, unless they are followed. With -a all processes count, those\n"
	"that are there and those to come, as long as CMD runs or until this is interrupted.\n"
	"\n"
	"  -f, --function GLOB       functions of the program's own file (of a script: its\n"
	"                            interpreter); NAME+OFFSET, 0xADDR: an instruction\n"
	"  -f, --function FILE:GLOB  functions of a file: a path, or the name of a library\n"
	"                            that the program has or will load\n"
	"  -f NAME@plt               calls of the import NAME, through its stub\n"
	"  -f NAME@got, -f NAME@ptr  calls through an import's slot, or a variable that\n"
	"                            holds a pointer; NAME+OFFSET@ptr, 0xADDR@ptr\n"
	"  -x, --exits               count returns, too; whole functions only\n"
	"  -T, --time                and how long they took, and all other ways to end\n"
	"  --exit WAY                how it is seen that a function is left: return, at all\n"
	"                            instructions that do it; slot, by another return\n"
	"                            address; auto: by return where that is possible\n"
	"  -p, --pid PID             count in a process that runs\n"
	"  -a, --all                 in all processes that map the files, now or later; takes\n"
	"                            FILE:GLOB. With -p: in PID and all that descend from it\n"
	"  --comm GLOB               -a: in those of that name, when they map the file\n"
	"  --uid USER                -a: in those of that (effective) user\n"
	"  --cgroup DIR              -a: in those of a cgroup (version 2) and all below it\n"
	"  --children WHICH          pristine: children are not counted; follow: what it\n"
	"                            forks is, and what that forks, each by itself (-j),\n"
	"                            until they execute another program. With -a: follow, if\n"
	"                            nothing is said; else not before they execute one\n"
	"  --follow-exec             and what they execute, all that maps the files\n"
	"  --vfork HOW               what a vfork child finds in the memory it shares with\n"
	"                            its parent: shared, the same, and it is not counted;\n"
	"                            exact: the files' own text, unless it has threads\n"
	"  -t, --timeout SECONDS     stop counting then; CMD goes on\n"
	"  -z, --zeros               rows also for functions that were not called\n"
	"  -j, --json                print one line of JSON, with all functions\n"
	"  -o, --output FILE         where to print it\n"
	"\n"
	"Times are from a function's entry to its exit, whatever ran meanwhile; self is\n"
	"without what other timed functions took that it called. A call that has not ended\n"
	"has no part in them, but in calls. Percentiles are within 1.6 %.\n"
	"\n"
	"Without -o the table goes to stdout with -p, and to stderr with CMD, as stdout is\n"
	"CMD's. JSON goes to stdout, with CMD as its last line. Columns are aligned on a\n"
	"terminal, and separated by one tab elsewhere.\n"
	"\n"
	"Exit status with CMD: that of CMD, or death by the same signal; 125 if something\n"
	"failed before CMD ran, 126 if CMD can't be run, 127 if it was not found. A CMD\n"
	"that ended well while its counts got lost: 1.\n";

struct stat_options {
	struct patterns patterns;
	pid_t pid;		/* 0: a command */
	char *const *argv;
	double timeout;		/* seconds; 0: none */
	const char *output;
	struct goal goal;
	uint32_t flags;		/* INSTR_ATTACH_* */
	bool children;		/* it was said what becomes of them */
	struct scope scope;
	bool json, zeros;
};

/* ---- the command line ------------------------------------------------------ */

static double parse_seconds(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds > 0 && seconds < INT_MAX))
		exit(usage_error("-t %s: not a number of seconds", text));
	return seconds;
}

/* Options with no letter. */
enum {
	OPT_CHILDREN = OPT_EXIT_VALUE + 1,
	OPT_CGROUP,
	OPT_COMM,
	OPT_FOLLOW_EXEC,
	OPT_UID,
	OPT_VFORK,
};

static void parse_children(const char *text, uint32_t *flags)
{
	if (!strcmp(text, "follow"))
		*flags |= INSTR_ATTACH_FOLLOW;
	else if (!strcmp(text, "pristine"))
		*flags &= ~INSTR_ATTACH_FOLLOW;
	else
		exit(usage_error("--children %s: pristine or follow?", text));
}

static void parse_vfork(const char *text, uint32_t *flags)
{
	if (!strcmp(text, "exact"))
		*flags |= INSTR_ATTACH_EXACT;
	else if (!strcmp(text, "shared"))
		*flags &= ~INSTR_ATTACH_EXACT;
	else
		exit(usage_error("--vfork %s: shared or exact?", text));
}

static void parse_options(int argc, char **argv, struct stat_options *options)
{
	static const struct option longs[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "cgroup", required_argument, NULL, OPT_CGROUP },
		{ "children", required_argument, NULL, OPT_CHILDREN },
		{ "comm", required_argument, NULL, OPT_COMM },
		OPT_EXIT,
		{ "exits", no_argument, NULL, 'x' },
		{ "follow-exec", no_argument, NULL, OPT_FOLLOW_EXEC },
		{ "function", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ "output", required_argument, NULL, 'o' },
		{ "pid", required_argument, NULL, 'p' },
		{ "time", no_argument, NULL, 'T' },
		{ "timeout", required_argument, NULL, 't' },
		{ "uid", required_argument, NULL, OPT_UID },
		{ "vfork", required_argument, NULL, OPT_VFORK },
		{ "zeros", no_argument, NULL, 'z' },
		OPT_COMMON
	};
	int option;

	while ((option = opt_next(argc, argv, "+:af:jo:p:t:Txz" OPT_COMMON_SHORT, longs)) >= 0) {
		switch (option) {
		case 'a':
			options->scope.all = true;
			break;
		case OPT_CGROUP:
			options->scope.cgroup = optarg;
			break;
		case OPT_CHILDREN:
			parse_children(optarg, &options->flags);
			options->children = true;
			break;
		case OPT_COMM:
			options->scope.comm = scope_parse_comm(optarg);
			break;
		case OPT_EXIT_VALUE:
			options->goal.way = opt_exit(optarg);
			break;
		case OPT_FOLLOW_EXEC:
			options->flags |= INSTR_ATTACH_FOLLOW_EXEC;
			break;
		case OPT_UID:
			options->scope.uid = scope_parse_uid(optarg);
			break;
		case OPT_VFORK:
			parse_vfork(optarg, &options->flags);
			break;
		case 'f':
			patterns_add(&options->patterns, optarg);
			break;
		case 'j':
			options->json = true;
			break;
		case 'o':
			options->output = optarg;
			break;
		case 'p':
			options->pid = opt_number("-p", optarg, 1, INT_MAX);
			break;
		case 't':
			options->timeout = parse_seconds(optarg);
			break;
		case 'T':
			options->goal.measure = INSTR_TIMES;
			break;
		case 'x':
			options->goal.measure = options->goal.measure ?: INSTR_EXITS;
			break;
		case 'z':
			options->zeros = true;
			break;
		}
	}
}

static int check_scope(const struct stat_options *options)
{
	if (scope_has_filter(&options->scope) && (!options->scope.all || options->pid))
		return usage_error("--comm, --uid, --cgroup: only with -a, and without -p");
	if (options->scope.all && (options->flags & INSTR_ATTACH_FOLLOW_EXEC))
		return usage_error("--follow-exec: -a does it");
	if (options->scope.all && options->goal.way == INSTR_WAY_SLOT)
		return usage_error("--exit=slot: not with -a, as anybody may unwind the stack");
	return EXIT_DONE;
}

static int check_options(const struct stat_options *options)
{
	if (!options->patterns.nr)
		return usage_error("which functions: -f GLOB?");
	if (!options->pid && !options->argv[0] && !options->scope.all)
		return usage_error("in which program: -p PID, -- CMD, or -a for all?");
	if (options->pid && options->argv[0])
		return usage_error("-p PID and a CMD: choose one");
	if (options->goal.way && options->goal.measure == INSTR_CALLS)
		return usage_error("--exit: only with --time or --exits");
	if ((options->flags & INSTR_ATTACH_FOLLOW_EXEC) && !(options->flags & INSTR_ATTACH_FOLLOW))
		return usage_error("--follow-exec: only with --children=follow");
	return check_scope(options);
}

static bool is_system(const struct stat_options *options)
{
	return options->scope.all && !options->pid;
}

/* What programs that are not known yet unwind stacks with nobody knows. */
static bool is_anybody(const struct stat_options *options)
{
	return options->scope.all || (options->flags & INSTR_ATTACH_FOLLOW_EXEC);
}

/* What follows from what was asked for. */
static void settle_options(struct stat_options *options)
{
	if (options->scope.all && !options->children)
		options->flags |= INSTR_ATTACH_FOLLOW;
	/* All that descends from it. */
	if (options->scope.all && options->pid && (options->flags & INSTR_ATTACH_FOLLOW))
		options->flags |= INSTR_ATTACH_FOLLOW_EXEC;
	if (is_anybody(options) && options->goal.way == INSTR_WAY_AUTO)
		options->goal.way = INSTR_WAY_RETURN;
}

/* ---- the count ------------------------------------------------------------- */

/* A program that is refused here is not started, but would have been: say so alike. */
static int status_of_command(int code)
{
	return code == -ENOENT ? EXIT_NOT_FOUND : code == -EACCES ? EXIT_CANNOT_RUN : EXIT_BEFORE;
}

/* Where slots can't be used it goes without, unless they were asked for. */
static int create_targets(struct subject *subject, const struct stat_options *options,
			  struct goal goal, struct targets *targets, struct instr_err *err)
{
	int code = targets_create(subject, &options->patterns, goal, targets, err);

	if (code != -ENOTUNIQ || goal.way != INSTR_WAY_AUTO)
		return code;
	goal.way = INSTR_WAY_RETURN;
	return targets_create(subject, &options->patterns, goal, targets, err);
}

static int find_targets(const struct stat_options *options, struct goal goal,
			struct targets *targets, int *status, struct instr_err *err)
{
	struct subject subject;
	int code;

	*status = options->argv[0] ? EXIT_BEFORE : EXIT_NO;
	if (is_system(options)) {
		subject_of_any(&subject);
		code = 0;
	} else if (options->pid)
		code = subject_of_pid(options->pid, &subject, err);
	else
		code = subject_of_command(options->argv[0], &subject, err);
	if (code) {
		*status = options->pid ? EXIT_NO : status_of_command(code);
		return code;
	}
	code = create_targets(&subject, options, goal, targets, err);
	subject_free(&subject);
	return code;
}

static int prepare(struct count *count, const struct stat_options *options,
		   struct targets *targets, int *status, struct instr_err *err)
{
	const struct goal by_return = { options->goal.measure, INSTR_WAY_RETURN };
	int code = count_prepare(count, targets, options->flags, err);

	if (code != -ENOTUNIQ || options->goal.way != INSTR_WAY_AUTO)
		return code;
	targets_destroy(targets);
	code = find_targets(options, by_return, targets, status, err);
	return code ?: count_prepare(count, targets, options->flags, err);
}

static int begin(struct count *count, const struct stat_options *options,
		 struct targets *targets, int *status, struct instr_err *err)
{
	int code = prepare(count, options, targets, status, err);

	if (code)
		return code;
	if (is_system(options))
		code = count_begin_all(count, &options->scope, options->argv, status, err);
	else if (options->scope.all)
		code = count_begin_tree(count, options->pid, err);
	else if (options->pid)
		code = count_begin_pid(count, options->pid, err);
	else
		code = count_begin_command(count, options->argv, status, err);
	if (code)
		count_close(count);
	return code;
}

static void print_report(const struct stat_options *options, const struct report *report,
			 FILE *out)
{
	if (options->json)
		report_json(report, out);
	else
		report_text(report, out);
}

struct collection {
	struct result *result;
	struct count *count;
	const struct targets *targets;
	int code;
	struct instr_err err;
};

static bool on_gone(void *arg)
{
	struct collection *collection = arg;
	int code = collection->code;

	if (!code)
		code = result_collect(collection->result, collection->count, collection->targets,
				      &collection->err);
	if (code < 0)
		collection->code = code;
	return code > 0;
}

/* The program that we started goes on when counting stops before it. */
static int finish(struct count *count, const struct stat_options *options,
		  const struct targets *targets, FILE *out, int *program)
{
	struct report report = {
		.targets = targets,
		.watch = count->watch,
		.zeros = options->zeros,
	};
	struct result result;
	struct collection collection = {
		.result = &result, .count = count, .targets = targets,
	};
	enum count_stop stop;

	result_begin(&result, count, targets);
	stop = count_wait(count, options->timeout, on_gone, &collection);
	count_end(count);
	report.seconds = count->seconds;
	if (!collection.code)
		collection.code = result_finish(&result, count, targets, &collection.err);
	if (options->argv[0]) {
		if (stop != COUNT_ENDED)
			count_wait(count, 0, NULL, NULL);
		*program = count_status(count);
	}
	report.result = &result;
	targets_say_replaced(targets);
	if (!collection.code)
		print_report(options, &report, out);
	result_free(&result);
	return collection.code ? say_error(&collection.err, EXIT_NO) : EXIT_DONE;
}

/* ---- the output ------------------------------------------------------------ */

static FILE *output_open(const struct stat_options *options)
{
	FILE *out;

	if (!options->output)
		return !options->argv[0] || options->json ? stdout : stderr;
	out = fopen(options->output, "we");
	if (!out)
		say(SAY_ERROR, "%s: %s", options->output, strerror(errno));
	return out;
}

static int output_close(const struct stat_options *options, FILE *out)
{
	bool failed = fflush(out) || ferror(out);

	if (options->output)
		failed |= fclose(out) != 0;
	if (!failed)
		return EXIT_DONE;
	say(SAY_ERROR, "%s: %s", options->output ?: "output", strerror(errno));
	return EXIT_NO;
}

static int run_count(const struct stat_options *options, struct targets *targets, FILE *out,
		     int status)
{
	struct instr_err err = { 0 };
	struct count count;
	int program = 0;

	if (begin(&count, options, targets, &status, &err))
		return say_error(&err, status);
	status = finish(&count, options, targets, out, &program);
	status = output_close(options, out) ?: status;
	count_close(&count);
	return program ? instr_run_end_like(program) : status;
}

static int stat_run(const struct stat_options *options)
{
	struct instr_err err = { 0 };
	struct targets targets;
	int status;
	FILE *out;

	if (find_targets(options, options->goal, &targets, &status, &err))
		return say_error(&err, status);
	out = output_open(options);
	if (out)
		status = run_count(options, &targets, out, status);
	targets_destroy(&targets);
	return status;
}

int cmd_stat(int argc, char **argv)
{
	struct stat_options options = { .scope = SCOPE_NONE };
	int status;

	parse_options(argc, argv, &options);
	options.argv = argv + optind;
	status = check_options(&options);
	if (!status) {
		settle_options(&options);
		status = stat_run(&options);
	}
	free(options.patterns.text);
	return status;
}
