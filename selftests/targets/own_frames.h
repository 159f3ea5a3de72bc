/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The functions of a program that was linked with -rdynamic and calls those own_... that
 * matter. What instruments it may put frames between them; those have no such names.
 */
#ifndef OWN_FRAMES_H
#define OWN_FRAMES_H

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWN_FRAMES_MAX 512

/* Prints the names, from the innermost on, if @print; returns how many there are. */
static int own_frames_walk(int print)
{
	void *frame[OWN_FRAMES_MAX];
	int nr = backtrace(frame, OWN_FRAMES_MAX), own = 0;
	char **symbol = backtrace_symbols(frame, nr);

	if (!symbol)
		abort();
	for (int i = 0; i < nr; i++) {
		const char *name = strstr(symbol[i], "(own_");

		if (!name)
			continue;
		own++;
		if (print)
			printf("%.*s\n", (int)strcspn(name + 1, "+)"), name + 1);
	}
	free(symbol);
	return own;
}

static inline int own_frames(void)
{
	return own_frames_walk(0);
}

static inline void print_own_frames(void)
{
	own_frames_walk(1);
}

#endif
