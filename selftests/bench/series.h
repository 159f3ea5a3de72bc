/* SPDX-License-Identifier: GPL-2.0 */
/* Series of measurements: what is told of one is its median and its quartiles. */
#ifndef SERIES_H
#define SERIES_H

#include <stddef.h>

#define SERIES_MAX 128

struct series {
	size_t nr;
	double value[SERIES_MAX];
};

/* NAN is not added: there was nothing to measure. */
void series_add(struct series *series, double value);
/* The value that @part of all lie below (0.5: the median); NAN if there is none. */
double series_part(const struct series *series, double part);
double series_median(const struct series *series);

/* Nanoseconds of CPU time of this thread, of the clock on the wall. */
double series_cpu_ns(void);
double series_wall_ns(void);

#endif
