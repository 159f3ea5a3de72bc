// SPDX-License-Identifier: GPL-2.0
/* For uftrace.c: prints how many nanoseconds a call of work() takes. */

#include <stdio.h>

#include "series.h"

#define CALLS 200000

/* Long enough to be patched. */
__attribute__((noinline, noclone)) static long work(long x)
{
	volatile long y = x;

	return y + 1;
}

int main(void)
{
	double begin;
	long x = 0;

	work(0);
	begin = series_cpu_ns();
	for (int i = 0; i < CALLS; i++)
		x = work(x);
	printf("%f\n", (series_cpu_ns() - begin) / CALLS);
	return x != CALLS;
}
