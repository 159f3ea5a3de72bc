/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What verbs have in common. A verb is a line of the table in main.c, a file of
 * its name, and a help text.
 */
#ifndef INSTRCTL_CMD_H
#define INSTRCTL_CMD_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	EXIT_DONE = 0,
	EXIT_NO = 1,		/* the kernel, a file or the process said no */
	EXIT_USAGE = 2,
	EXIT_BEFORE = 125,	/* failed before the program ran */
	EXIT_CANNOT_RUN = 126,
	EXIT_NOT_FOUND = 127,
};

#define NAME_LEN 4096		/* of a function and an offset; longer ones are cut */

/* They get their own name as argv[0], and return the exit status. */
int cmd_check(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_monitor(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_remove(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_symbols(int argc, char **argv);
int cmd_top(int argc, char **argv);

/* What follows the synopsis. */
extern const char help_check[];
extern const char help_list[];
extern const char help_monitor[];
extern const char help_plan[];
extern const char help_remove[];
extern const char help_show[];
extern const char help_stat[];
extern const char help_symbols[];
extern const char help_top[];

/* ---- opt.c: the command line ---------------------------------------------- */

/* Options that each verb has; opt_next() sees to them. */
#define OPT_COMMON_SHORT "hqv"
#define OPT_COMMON						\
	{ "help", no_argument, NULL, 'h' },			\
	{ "quiet", no_argument, NULL, 'q' },			\
	{ "verbose", no_argument, NULL, 'v' },			\
	{ NULL, 0, NULL, 0 }

/*
 * As getopt_long(3); @shorts begins with "+:". Does not return from --help nor
 * from a wrong option.
 */
int opt_next(int argc, char **argv, const char *shorts, const struct option *longs);

/* A whole number from @min to @max, or a usage error, which ends the program. */
long opt_number(const char *option, const char *text, long min, long max);

/* More than no seconds, and parts of them, or a usage error. */
double opt_seconds(const char *option, const char *text);

/* --exit WAY, of the verbs that measure exits. */
#define OPT_EXIT_VALUE 0x100
#define OPT_EXIT { "exit", required_argument, NULL, OPT_EXIT_VALUE }

/* WAY, or a usage error. */
enum instr_way opt_exit(const char *text);

/* Says what is wrong with the command line; returns EXIT_USAGE. */
int usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A list of the patterns that -f collects. */
struct patterns {
	size_t nr;
	const char **text;
};

void patterns_add(struct patterns *patterns, const char *text);

/* ---- main.c ---------------------------------------------------------------- */

/* Prints the help of the verb that runs. */
void help_current(void);

#endif
