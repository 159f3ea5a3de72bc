/* SPDX-License-Identifier: GPL-2.0 */
/* The clock that waiting goes by. */
#ifndef INSTRCTL_CLOCK_H
#define INSTRCTL_CLOCK_H

#include <time.h>

/* Seconds, since whenever. */
static inline double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

#endif
