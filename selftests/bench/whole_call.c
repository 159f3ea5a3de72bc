// SPDX-License-Identifier: GPL-2.0
/* Calls a64l() of libc as often as it is told: see whole.c. */
#include <stdlib.h>

/* The compiler knows what it does, and that once is enough. */
static long (*volatile function)(const char *) = a64l;

int main(int argc, char **argv)
{
	for (int nr = argc > 1 ? atoi(argv[1]) : 0; nr; nr--)
		function("z");
	return 0;
}
