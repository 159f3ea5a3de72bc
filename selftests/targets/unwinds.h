/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs that unwind their stacks have in common; unwinds.py has them all. */
#ifndef UNWINDS_H
#define UNWINDS_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A function that is called, and one that is more than a jump and ends by no tail call. */
#define FRAME	__attribute__((noinline, noclone))
#define KEEP	__asm__ volatile("" : : : "memory")

/*
 * What happens @count times in a whole run: with INSTR_SCALE=100 in a hundredth of them, with
 * 0.1 in ten times as many.
 */
static inline long scaled(long count)
{
	const char *text = getenv("INSTR_SCALE");
	double scale = text ? atof(text) : 1;
	long nr = (long)((double)count / (scale > 0 ? scale : 1));

	return nr ? nr : 1;
}

static inline long resident_kib(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long pages, resident;

	if (!file || fscanf(file, "%ld %ld", &pages, &resident) != 2)
		abort();
	fclose(file);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* More than the frames of a thousand calls, less than those of a million. */
#define BOUND_KIB 8192

/* All that a program checks: says what went wrong, and is the status to exit with. */
__attribute__((unused)) static int unwinds_failed;

#define CHECK(good) do {							\
	if (!(good)) {								\
		printf("%s:%d: not %s\n", __FILE__, __LINE__, #good);		\
		unwinds_failed = 1;						\
	}									\
} while (0)

#endif
