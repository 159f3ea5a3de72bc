/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Durations: from ticks of the time stamp counter to what people read.
 */
#ifndef INSTRCTL_DURATION_H
#define INSTRCTL_DURATION_H

#include <stdint.h>

/*
 * Nanoseconds of @ticks, where a millisecond has @khz of them, which are not 0. What is
 * beyond 64 bits is UINT64_MAX.
 */
uint64_t duration_ns(uint64_t ticks, uint32_t khz);

#define DURATION_LEN 32

/* Writes "812ns", "4.21us", "13.9ms" or "2.05s" to @text, and returns that. */
const char *duration_text(uint64_t ns, char text[DURATION_LEN]);

#endif
