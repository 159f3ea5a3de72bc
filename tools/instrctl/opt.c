// SPDX-License-Identifier: GPL-2.0
/*
 * The command line. A wrong one ends the program here, so that verbs read as if
 * all were right.
 */

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "say.h"

int usage_error(const char *fmt, ...)
{
	const char *verb = say_current_verb();
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	say(SAY_ERROR, "%s", text);
	say_hint(SAY_ERROR, "see: instrctl help%s%s", verb ? " " : "", verb ?: "");
	return EXIT_USAGE;
}

static void __attribute__((noreturn)) wrong_option(char **argv, const char *what)
{
	/* getopt(3) tells a short option in optopt, and a long one not at all. */
	if (optopt && optopt < 256)
		exit(usage_error("-%c: %s", optopt, what));
	exit(usage_error("%s: %s", argv[optind - 1], what));
}

int opt_next(int argc, char **argv, const char *shorts, const struct option *longs)
{
	int option;

	opterr = 0;
	for (;;) {
		option = getopt_long(argc, argv, shorts, longs, NULL);
		switch (option) {
		case 'h':
			help_current();
			exit(fflush(stdout) ? EXIT_NO : EXIT_DONE);
		case 'q':
			say_level = SAY_ERROR;
			break;
		case 'v':
			say_level = SAY_MORE;
			break;
		case ':':
			wrong_option(argv, "needs a value");
		case '?':
			wrong_option(argv, "no such option");
		default:
			return option;
		}
	}
}

long opt_number(const char *option, const char *text, long min, long max)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (end == text || *end)
		exit(usage_error("%s %s: not a number", option, text));
	if (errno || value < min || value > max)
		exit(usage_error("%s %s: not from %ld to %ld", option, text, min, max));
	return value;
}

double opt_seconds(const char *option, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds > 0 && seconds < INT_MAX))
		exit(usage_error("%s %s: not a number of seconds", option, text));
	return seconds;
}

enum instr_way opt_exit(const char *text)
{
	enum instr_way way = instr_way_find(text);

	if (way == INSTR_WAY_MAX)
		exit(usage_error("--exit %s: auto, return or slot?", text));
	return way;
}

void patterns_add(struct patterns *patterns, const char *text)
{
	patterns->text = reallocarray(patterns->text, patterns->nr + 1,
				      sizeof(*patterns->text));
	if (!patterns->text)
		out_of_memory();
	patterns->text[patterns->nr++] = text;
}
