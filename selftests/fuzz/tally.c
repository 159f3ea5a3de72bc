// SPDX-License-Identifier: GPL-2.0
#include "tally.h"

#include <stddef.h>
#include <stdio.h>

#include "class.h"
#include "extended.h"
#include "libinstr.h"

/* Of so many runs, less than one. */
#define EXCUSED_IN 500

static void print_row(const char *name, const struct tally_class *class)
{
	printf("# %-14s %9llu %9llu %8llu %8llu %8llu %9llu %9llu %9llu %9llu %8llu %7llu %6llu\n",
	       name, (unsigned long long)class->sequences, (unsigned long long)class->jumps,
	       (unsigned long long)class->traps, (unsigned long long)class->refused,
	       (unsigned long long)class->far, (unsigned long long)class->entries,
	       (unsigned long long)class->insides, (unsigned long long)class->exits,
	       (unsigned long long)class->faults, (unsigned long long)class->timeouts,
	       (unsigned long long)class->excused, (unsigned long long)class->fatal);
}

struct tally_class tally_sum(const struct tally *tally)
{
	struct tally_class sum = { 0 };

	for (unsigned int i = 0; i < nr_classes; i++) {
		const uint64_t *from = (const uint64_t *)&tally->class[i];
		uint64_t *to = (uint64_t *)&sum;

		for (size_t n = 0; n < sizeof(sum) / sizeof(*to); n++)
			to[n] += from[n];
	}
	return sum;
}

void tally_print(const struct tally *tally)
{
	struct tally_class sum = tally_sum(tally);

	printf("# %-14s %9s %9s %8s %8s %8s %9s %9s %9s %9s %8s %7s %6s\n", "class", "sequences",
	       "jump", "trap", "refused", "far", "entered", "inside", "exits", "faults",
	       "timeouts", "excused", "fatal");
	for (unsigned int i = 0; i < nr_classes; i++)
		print_row(classes[i].name, &tally->class[i]);
	print_row("all", &sum);
	for (unsigned int i = 1; i < INSTR_REASON_MAX; i++) {
		if (tally->reasons[i])
			printf("# %9llu %s\n", (unsigned long long)tally->reasons[i],
			       instr_reason_text((enum instr_reason)i));
	}
	printf("# %9llu traps led on\n", (unsigned long long)tally->led_on);
}

/* A jump that was executed, and came out. */
static bool class_is_tested(const struct class *class, const struct tally_class *tally)
{
	bool faults = class->faults || (class->avx512 && !extended_has_avx512());

	return tally->jumps && tally->entries && (tally->exits || faults) &&
	       (tally->far || !class->far);
}

/* Excuses are few, or they are none. */
static bool excuses_are_few(const struct tally *tally)
{
	struct tally_class sum = tally_sum(tally);

	return sum.excused + sum.fatal < (sum.entries + sum.insides) / EXCUSED_IN;
}

bool tally_is_complete(const struct tally *tally, bool real)
{
	bool complete = excuses_are_few(tally);

	if (!complete)
		printf("# too much was excused\n");
	for (unsigned int i = real ? 0 : CLASS_RANDOM; i < nr_classes; i++) {
		if (class_is_tested(&classes[i], &tally->class[i]))
			continue;
		printf("# %s was not executed\n", classes[i].name);
		complete = false;
	}
	return complete;
}
