// SPDX-License-Identifier: GPL-2.0
/*
 * Durations, as instrctl prints them.
 */

#include <string.h>

#include "instrctl/duration.h"
#include "tap.h"

static bool reads(uint64_t ns, const char *expected)
{
	char text[DURATION_LEN];

	if (!strcmp(duration_text(ns, text), expected))
		return true;
	printf("# %llu ns: %s, not %s\n", (unsigned long long)ns, text, expected);
	return false;
}

static void three_digits_and_a_unit(void)
{
	CHECK(reads(0, "0ns"));
	CHECK(reads(1, "1ns"));
	CHECK(reads(812, "812ns"));
	CHECK(reads(999, "999ns"));
	CHECK(reads(1000, "1.00us"));
	CHECK(reads(4210, "4.21us"));
	CHECK(reads(13900000, "13.9ms"));
	CHECK(reads(2050000000, "2.05s"));
	CHECK(reads(123456789012, "123s"));
	CHECK(reads(86400000000000, "86400s"));
	CHECK(reads(UINT64_MAX, "18446744074s"));
}

static void rounding_never_makes_a_fourth_digit(void)
{
	CHECK(reads(9994, "9.99us"));
	CHECK(reads(9996, "10.0us"));
	CHECK(reads(99940, "99.9us"));
	CHECK(reads(99960, "100us"));
	CHECK(reads(999400, "999us"));
	CHECK(reads(999600, "1.00ms"));
	CHECK(reads(999600000, "1.00s"));
	for (uint64_t ns = 1; ns < 999000000000; ns += ns / 7 + 1) {
		char text[DURATION_LEN];

		CHECK(strspn(duration_text(ns, text), "0123456789.") <= 4);
	}
}

static void ticks_become_nanoseconds(void)
{
	CHECK(duration_ns(0, 1) == 0);
	CHECK(duration_ns(3000, 3000000) == 1000);
	CHECK(duration_ns(1, 3000000) == 0);
	CHECK(duration_ns(1, 1) == 1000000);
	/* Ten years at 3 GHz; the product has more than 64 bits. */
	CHECK(duration_ns(946080000000000000, 3000000) == 315360000000000000);
	CHECK(duration_ns(UINT64_MAX, 1000000) == UINT64_MAX);
	CHECK(duration_ns(UINT64_MAX, UINT32_MAX) == 4294967297000000);
}

static void what_is_too_long_is_the_longest(void)
{
	CHECK(duration_ns(UINT64_MAX, 1) == UINT64_MAX);
	CHECK(duration_ns(UINT64_MAX, 999999) == UINT64_MAX);
}

int main(void)
{
	RUN(three_digits_and_a_unit);
	RUN(rounding_never_makes_a_fourth_digit);
	RUN(ticks_become_nanoseconds);
	RUN(what_is_too_long_is_the_longest);
	return tap_done();
}
