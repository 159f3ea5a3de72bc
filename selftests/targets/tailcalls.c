// SPDX-License-Identifier: GPL-2.0
/*
 * Two functions that go on as one another, three million times on one frame; and two that
 * call one another, 100,000 frames deep.
 */
#include "unwinds.h"

#define PAD __asm__ volatile("nop; nop; nop; nop; nop")

static long goes_on_as_even(long turns, long sum);
static long calls_even(long frames);

FRAME static long goes_on_as_odd(long turns, long sum)
{
	PAD;
	if (!turns)
		return sum;
	return goes_on_as_even(turns - 1, sum + 1);
}

FRAME static long goes_on_as_even(long turns, long sum)
{
	PAD;
	if (!turns)
		return sum;
	return goes_on_as_odd(turns - 1, sum + 2);
}

/* Each turn of a few is left by what was gone on as, and called again. */
FRAME static long mixed(long turns)
{
	long sum = 0;

	for (long i = 0; i < turns; i++)
		sum += goes_on_as_odd(i % 10, 0);
	return sum;
}

FRAME static long calls_odd(long frames)
{
	long value = frames ? calls_even(frames - 1) : 0;

	KEEP;
	return value + 1;
}

FRAME static long calls_even(long frames)
{
	long value = frames ? calls_odd(frames - 1) : 0;

	KEEP;
	return value + 2;
}

int main(void)
{
	const long turns = 2 * scaled(1500000), frames = 2 * scaled(50000);

	for (int i = 0; i < 3; i++)
		CHECK(goes_on_as_odd(turns, 0) == turns / 2 * 3);
	CHECK(mixed(1000) == 1000 / 10 * 65);
	for (int i = 0; i < 3; i++)
		CHECK(calls_odd(frames) == frames / 2 * 3 + 1);
	printf("%ld turns, %ld frames\n", turns, frames);
	return unwinds_failed;
}
