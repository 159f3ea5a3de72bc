/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tests that print TAP: a test is a function with no arguments, named after what
 * is true if it passes. CHECK() may fail as often as it likes.
 *
 *	static void truth_is_true(void) { CHECK(true); }
 *	int main(void) { RUN(truth_is_true); return tap_done(); }
 */
#ifndef UNIT_TAP_H
#define UNIT_TAP_H

#include <stdbool.h>
#include <stdio.h>

static int tap_nr, tap_nr_failed;
static bool tap_failed;
static char tap_skipped[80];

#define CHECK(cond) ({							\
	bool __true = (cond);						\
	if (!__true) {							\
		tap_failed = true;					\
		printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);	\
	}								\
	__true;								\
})

/* Why the test that runs can't: the rest of it should then return. */
#define SKIP(...) snprintf(tap_skipped, sizeof(tap_skipped), __VA_ARGS__)

#define RUN(test) tap_run(#test, test)

static inline void tap_run(const char *name, void (*test)(void))
{
	tap_failed = false;
	tap_skipped[0] = '\0';
	test();
	tap_nr++;
	tap_nr_failed += tap_failed;
	printf("%sok %d - %s%s%s\n", tap_failed ? "not " : "", tap_nr, name,
	       tap_skipped[0] ? " # SKIP " : "", tap_skipped);
	fflush(stdout);
}

static inline int tap_done(void)
{
	printf("1..%d\n", tap_nr);
	return tap_nr_failed != 0;
}

#endif
