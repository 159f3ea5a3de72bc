// SPDX-License-Identifier: GPL-2.0
#include "series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void series_add(struct series *series, double value)
{
	if (!isnan(value) && series->nr < SERIES_MAX)
		series->value[series->nr++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double series_part(const struct series *series, double part)
{
	double value[SERIES_MAX];

	if (!series->nr)
		return NAN;
	memcpy(value, series->value, series->nr * sizeof(value[0]));
	qsort(value, series->nr, sizeof(value[0]), compare);
	return value[(size_t)lround(part * (double)(series->nr - 1))];
}

double series_median(const struct series *series)
{
	return series_part(series, 0.5);
}

static double clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

double series_cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

double series_wall_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}
