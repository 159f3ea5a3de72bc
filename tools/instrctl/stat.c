// SPDX-License-Identifier: GPL-2.0
/*
 * instrctl stat: count calls, or time them.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cmd.h"
#include "count.h"
#include "metrics.h"
#include "profile.h"
#include "replace.h"
#include "report.h"
#include "request.h"
#include "result.h"
#include "say.h"
#include "target.h"

const char help_stat[] =
	"Counts the calls of functions, each one of them, in the process PID until it ends\n"
	"or this is interrupted, or in CMD from its first instruction to its end. The\n"
	"files are not changed, and nobody else's calls are counted; children of the\n"
	"program run unchanged, unless they are followed. With -a all processes count,\n"
	"those that are there and those to come, as long as CMD runs or it is not ended.\n"
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
	"  -a, --all                 in all processes that map the files, now or later, of\n"
	"                            FILE:GLOB. With -p: in PID and all who come from it\n"
	"  --comm GLOB               -a: in those of that name, when they map the file\n"
	"  --uid USER                -a: in those of that (effective) user\n"
	"  --cgroup DIR              -a: in those of a cgroup (version 2) and all below it\n"
	"  --children WHICH          pristine: children are not counted; follow: what it\n"
	"                            forks is, and what that forks, each by itself (-j),\n"
	"                            until they execute another program. With -a: follow,\n"
	"                            if nothing is said; else not before they execute one\n"
	"  --follow-exec             and what they execute, all that maps the files\n"
	"  --vfork HOW               what a vfork child finds in the memory it shares with\n"
	"                            its parent: shared, the same, and it is not counted;\n"
	"                            exact: the files' own text, unless it has threads\n"
	"  -t, --timeout SECONDS     stop counting then; CMD goes on\n"
	"  -z, --zeros               rows also for functions that were not called\n"
	"  -j, --json                print one line of JSON, with all functions\n"
	"  -o, --output FILE         where to print it\n"
	"  --pprof FILE              write a profile to FILE, too: see pprof -top FILE\n"
	"  --prometheus FILE         write metrics to FILE, too, at the end and meanwhile;\n"
	"                            each time a new file takes the old one's place\n"
	"  --interval SECONDS        how often: every 10 seconds, if this doesn't say\n"
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
	struct request request;
	double timeout;		/* seconds; 0: none */
	const char *output;
	const char *prometheus, *pprof;
	double interval;	/* seconds; 0: the usual one */
	bool json, zeros;
};

#define INTERVAL 10.0

/* Options with no letter. */
enum { OPT_INTERVAL = REQUEST_OPTIONS_END, OPT_PPROF, OPT_PROMETHEUS };

/* ---- the command line ------------------------------------------------------ */

static void parse_options(int argc, char **argv, struct stat_options *options)
{
	static const struct option longs[] = {
		REQUEST_LONG,
		{ "exits", no_argument, NULL, 'x' },
		{ "interval", required_argument, NULL, OPT_INTERVAL },
		{ "json", no_argument, NULL, 'j' },
		{ "output", required_argument, NULL, 'o' },
		{ "pprof", required_argument, NULL, OPT_PPROF },
		{ "prometheus", required_argument, NULL, OPT_PROMETHEUS },
		{ "timeout", required_argument, NULL, 't' },
		{ "zeros", no_argument, NULL, 'z' },
		OPT_COMMON
	};
	struct goal *goal = &options->request.goal;
	int option;

	while ((option = opt_next(argc, argv, "+:" REQUEST_SHORT "jo:t:xz" OPT_COMMON_SHORT,
				  longs)) >= 0) {
		switch (option) {
		case OPT_INTERVAL:
			options->interval = opt_seconds("--interval", optarg);
			break;
		case OPT_PPROF:
			options->pprof = optarg;
			break;
		case OPT_PROMETHEUS:
			options->prometheus = optarg;
			break;
		case 'j':
			options->json = true;
			break;
		case 'o':
			options->output = optarg;
			break;
		case 't':
			options->timeout = opt_seconds("-t", optarg);
			break;
		case 'x':
			goal->measure = goal->measure ?: INSTR_EXITS;
			break;
		case 'z':
			options->zeros = true;
			break;
		default:
			request_option(&options->request, option, optarg);
		}
	}
}

static int check_options(struct stat_options *options)
{
	int status = request_check(&options->request);

	if (status)
		return status;
	if (options->interval && !options->prometheus)
		return usage_error("--interval: only with --prometheus");
	return EXIT_DONE;
}

/* ---- the count ------------------------------------------------------------- */

static int print_report(const struct stat_options *options, const struct report *report,
			FILE *out)
{
	struct instr_err err;

	if (options->json)
		report_json(report, out);
	else
		report_text(report, out);
	if (!options->pprof || !profile_write(options->pprof, report->targets, report->result,
					      report->seconds, &err))
		return EXIT_DONE;
	return say_error(&err, EXIT_NO);
}

struct collection {
	struct result *result;
	struct count *count;
	struct targets *targets;
	struct metrics metrics;
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
	targets_say_replaced(collection->targets);
	return code > 0;
}

static void on_tick(struct collection *collection)
{
	if (collection->code)
		return;
	metrics_anew(&collection->metrics);
	collection->code = result_sample(collection->result, collection->count,
					 collection->targets, &collection->err);
	if (!collection->code)
		metrics_write(&collection->metrics, collection->count);
}

static enum count_stop wait_for_end(struct collection *collection, double timeout)
{
	double interval = collection->metrics.interval;
	double end = now() + timeout;

	if (!collection->metrics.path)
		return count_wait(collection->count, timeout, on_gone, collection);
	for (;;) {
		double left = timeout ? end - now() : interval;
		enum count_stop stop;

		stop = count_wait(collection->count, left < interval ? left : interval, on_gone,
				  collection);
		if (stop != COUNT_TIMEOUT || (timeout && now() >= end))
			return stop;
		on_tick(collection);
	}
}

static void read_rest(struct collection *collection)
{
	if (collection->code)
		return;
	metrics_anew(&collection->metrics);
	collection->code = result_finish(collection->result, collection->count,
					 collection->targets, &collection->err);
	if (!collection->code)
		metrics_write(&collection->metrics, collection->count);
}

/* The program that we started goes on when counting stops before it. */
static int finish(struct count *count, const struct stat_options *options,
		  struct targets *targets, FILE *out, int *program)
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
	int status = EXIT_NO;

	result_begin(&result, count, targets);
	metrics_begin(&collection.metrics, options->prometheus, options->interval ?: INTERVAL,
		      targets, &result);
	stop = wait_for_end(&collection, options->timeout);
	count_end(count);
	report.seconds = count->seconds;
	read_rest(&collection);
	if (options->request.argv[0]) {
		if (stop != COUNT_ENDED)
			count_wait(count, 0, NULL, NULL);
		*program = count_status(count);
	}
	report.result = &result;
	targets_say_replaced(targets);
	if (collection.code)
		say_error(&collection.err, status);
	else
		status = print_report(options, &report, out);
	result_free(&result);
	return metrics_end(&collection.metrics) ?: status;
}

/* ---- the output ------------------------------------------------------------ */

/* What can't be written is known before the program has run. */
static bool files_can_be_written(const struct stat_options *options)
{
	struct instr_err err;
	int code = options->prometheus ? replace_check(options->prometheus, &err) : 0;

	if (!code && options->pprof)
		code = replace_check(options->pprof, &err);
	if (!code)
		return true;
	say_error(&err, EXIT_NO);
	return false;
}

static FILE *output_open(const struct stat_options *options)
{
	FILE *out;

	if (!options->output)
		return !options->request.argv[0] || options->json ? stdout : stderr;
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

	if (request_begin(&options->request, targets, &count, &status, &err))
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

	if (request_targets(&options->request, &targets, &status, &err))
		return say_error(&err, status);
	out = files_can_be_written(options) ? output_open(options) : NULL;
	if (out)
		status = run_count(options, &targets, out, status);
	targets_destroy(&targets);
	return status;
}

int cmd_stat(int argc, char **argv)
{
	struct stat_options options = { .request = REQUEST_NONE };
	int status;

	parse_options(argc, argv, &options);
	options.request.argv = argv + optind;
	status = check_options(&options) ?: stat_run(&options);
	request_free(&options.request);
	return status;
}
