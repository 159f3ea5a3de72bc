/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tables on stdout, for people, or as JSON: an object a row. The same calls print
 * both:
 *
 *	static const struct out_column columns[] = {
 *		{ "variant", -20 }, { "ns", 8, 2 }, { NULL },
 *	};
 *
 *	out_table("call", "Calls", columns);
 *	out_text("plain");
 *	out_number(1.41);
 */
#ifndef OUT_H
#define OUT_H

#include <stdbool.h>

struct out_column {
	const char *name;	/* NULL: the end */
	int width;		/* < 0: flush left */
	int decimals;
};

/* Before all else. */
void out_as_json(bool json);
/*
 * What the command line says: -j: JSON; -r: how many rounds, which are returned, or @rounds if
 * it doesn't. Exits if that is more than @most, or it says anything else. optind is what follows.
 */
int out_options(int argc, char **argv, int rounds, int most);
/* Begins a table; @name is its name in JSON, @title what people see. */
void out_table(const char *name, const char *title, const struct out_column *columns);
/* The next cell; behind the last column comes the next row. */
void out_text(const char *text);
/* NAN is a cell that is empty. */
void out_number(double number);
/* A sentence about what is not in the tables, and why. */
void out_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
