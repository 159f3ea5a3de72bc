// SPDX-License-Identifier: GPL-2.0
/*
 * Durations.
 */

#include "duration.h"

#include <stdio.h>

uint64_t duration_ns(uint64_t ticks, uint32_t khz)
{
	unsigned __int128 ns = (unsigned __int128)ticks * 1000000 / khz;

	return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

/* Three digits, as they are when it is rounded. */
static int decimals(double value)
{
	return value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
}

const char *duration_text(uint64_t ns, char text[DURATION_LEN])
{
	static const char *const unit[] = { "us", "ms", "s" };
	double value = (double)ns / 1e3;
	int i = 0;

	if (ns < 1000) {
		snprintf(text, DURATION_LEN, "%uns", (unsigned int)ns);
		return text;
	}
	for (; i < 2 && value >= 999.5; i++)
		value /= 1e3;
	snprintf(text, DURATION_LEN, "%.*f%s", decimals(value), value, unit[i]);
	return text;
}
