// SPDX-License-Identifier: GPL-2.0
/*
 * instrctl: instrument running programs.
 *
 * To add a verb: a line in the table, a file of its name, and its prototype and
 * help text in cmd.h. The tests compare the table with all help texts.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "say.h"

#define INSTRCTL_VERSION "0.1"

static int cmd_help(int argc, char **argv);

static const char help_help[] =
	"Tells how to use a verb, or which there are.\n";

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *synopsis;
	const char *summary;
	const char *help;
} verbs[] = {
	{ "check", cmd_check, "[-j]",
	  "is this machine ready to instrument programs", help_check },
	{ "list", cmd_list, "[-j] [-T] [-f GLOB]... FILE",
	  "functions of a file, and how they can be instrumented", help_list },
	{ "plan", cmd_plan, "[-j] [-T] [-f GLOB]... FILE",
	  "what would be changed in memory, without doing it", help_plan },
	{ "stat", cmd_stat, "[-x | -T] -f [FILE:]GLOB... [-p PID | -- CMD...]",
	  "count calls of functions, or time them", help_stat },
	{ "top", cmd_top, "[-T] [-b] -f [FILE:]GLOB... [-p PID | -- CMD...]",
	  "show what is called most, while it is", help_top },
	{ "symbols", cmd_symbols, "[-m] [-o FILE] -p PID",
	  "tell gdb or perf of the code of an instrumented program", help_symbols },
	{ "show", cmd_show, "[-j] [sessions | overlays | spaces]",
	  "what is instrumented now", help_show },
	{ "monitor", cmd_monitor, "[-j] [-n COUNT]",
	  "print what happens to instrumented programs", help_monitor },
	{ "remove", cmd_remove, "ID... | --all",
	  "end sessions: their programs run unchanged again", help_remove },
	{ "help", cmd_help, "[VERB]",
	  "how to use a verb", help_help },
};

#define NR_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const struct verb *current;

static const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < NR_VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* ---- the nearest name ------------------------------------------------------ */

#define NAME_MAX_LEN 16

static int min3(int a, int b, int c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

/* How many letters to change, add or take away; names here are short. */
static int distance(const char *a, const char *b)
{
	int row[NAME_MAX_LEN + 1];
	int len = strlen(b);

	for (int j = 0; j <= len; j++)
		row[j] = j;
	for (int i = 1; a[i - 1]; i++) {
		int diagonal = row[0];

		row[0] = i;
		for (int j = 1; j <= len; j++) {
			int replace = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = min3(replace, row[j] + 1, row[j - 1] + 1);
		}
	}
	return row[len];
}

static const char *nearest_verb(const char *name)
{
	size_t best = 0;

	for (size_t i = 1; i < NR_VERBS; i++)
		if (distance(name, verbs[i].name) < distance(name, verbs[best].name))
			best = i;
	return verbs[best].name;
}

static int unknown_verb(const char *name)
{
	say(SAY_ERROR, "%s: no such verb", name);
	say_hint(SAY_ERROR, "did you mean: instrctl %s", nearest_verb(name));
	return EXIT_USAGE;
}

/* ---- help ------------------------------------------------------------------ */

static void help_verb(const struct verb *verb)
{
	printf("usage: instrctl %s %s\n\n%s", verb->name, verb->synopsis, verb->help);
	printf("\nOptions of all verbs:\n"
	       "  -h, --help       print this\n"
	       "  -q, --quiet      say nothing but errors\n"
	       "  -v, --verbose    say more\n");
}

static void help_all(void)
{
	printf("usage: instrctl [-q] [-v] VERB ...\n\n"
	       "Instruments running programs. With no VERB: show.\n\n");
	for (size_t i = 0; i < NR_VERBS; i++)
		printf("  %-8s  %s\n", verbs[i].name, verbs[i].summary);
	printf("\nsee: instrctl help VERB\n"
	       "Exit status: 0 done, 1 not done, 2 the command line is wrong.\n");
}

void help_current(void)
{
	if (current)
		help_verb(current);
	else
		help_all();
}

static int cmd_help(int argc, char **argv)
{
	static const struct option longs[] = { OPT_COMMON };
	const struct verb *verb;

	while (opt_next(argc, argv, "+:" OPT_COMMON_SHORT, longs) >= 0)
		;
	if (argc - optind > 1)
		return usage_error("%s: one verb is enough", argv[optind + 1]);
	if (argc == optind) {
		help_all();
		return EXIT_DONE;
	}
	verb = verb_find(argv[optind]);
	if (!verb)
		return unknown_verb(argv[optind]);
	help_verb(verb);
	return EXIT_DONE;
}

/* ---- the program ----------------------------------------------------------- */

static int run(const struct verb *verb, int argc, char **argv)
{
	current = verb;
	say_verb(verb->name);
	/* A zero starts getopt(3) anew. */
	optind = 0;
	return verb->run(argc, argv);
}

static int run_args(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "version", no_argument, NULL, 'V' },
		OPT_COMMON
	};
	char *show[] = { "show", NULL };
	const struct verb *verb;

	if (opt_next(argc, argv, "+:" OPT_COMMON_SHORT, longs) == 'V') {
		printf("instrctl %s\n", INSTRCTL_VERSION);
		return EXIT_DONE;
	}
	if (optind == argc)
		return run(verb_find("show"), 1, show);
	verb = verb_find(argv[optind]);
	if (!verb)
		return unknown_verb(argv[optind]);
	return run(verb, argc - optind, argv + optind);
}

int main(int argc, char **argv)
{
	int status = run_args(argc, argv);

	if ((fflush(stdout) || ferror(stdout)) && status == EXIT_DONE) {
		say(SAY_ERROR, "standard output: %s", strerror(errno));
		status = EXIT_NO;
	}
	return status;
}
