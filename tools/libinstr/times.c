// SPDX-License-Identifier: GPL-2.0
/*
 * Times: what timing.S left in memory, made sense of. The process may have written
 * there too: no number is believed.
 */

#include <stddef.h>
#include <string.h>

#include "timing.h"

#define EXACT_BITS 5	/* values below 2^6 have a bucket each */

_Static_assert(INSTR_BUCKETS == (TIMING_GROUPS + 1) * TIMING_GROUP_BUCKETS, "timing.S counts in groups");
_Static_assert(sizeof(struct timing_record) == 1 << TIMING_RECORD_BITS, "timing.S");
_Static_assert(offsetof(struct timing_record, unwound) == 48 &&
	       offsetof(struct timing_record, group) == 80 &&
	       offsetof(struct timing_record, slot) == 248, "timing.S");
_Static_assert(offsetof(struct instr_control, frames) == 504, "timing.S");
_Static_assert(INSTR_GATE_SOLO == 0 && INSTR_GATE_MANY == 1, "timing.S");
_Static_assert(INSTR_THREADS == 1 << TIMING_THREAD_BITS &&
	       sizeof(struct instr_thread) == 1 << TIMING_THREAD_LEN_BITS, "timing.S");
_Static_assert(offsetof(struct instr_thread, lane) == 8 &&
	       offsetof(struct instr_thread, stack_start) == 16 &&
	       offsetof(struct instr_thread, born) == 32 &&
	       offsetof(struct instr_thread, slab) == 40, "timing.S");
_Static_assert(INSTR_UNWINDS_AT == TIMING_LOOKUPS &&
	       INSTR_UNWINDS_AT + offsetof(struct instr_unwinds, functions) == TIMING_FUNCTIONS &&
	       TIMING_SLABS == INSTR_THREADS_LEN && TIMING_NR_SLABS == INSTR_SLABS, "lookup.S");
_Static_assert(TIMING_HEAD >= INSTR_FRAMES_MIN &&
	       TIMING_PAGES >= TIMING_HEAD + sizeof(struct timing_head) &&
	       TIMING_FRAMES >= TIMING_PAGES +
			       (sizeof(struct timing_page) << TIMING_PAGE_BITS), "timing.S");

const char *instr_exit_name(enum instr_exit exit)
{
	static const char *const name[] = {
		[INSTR_EXIT_RETURN] = "return",
		[INSTR_EXIT_EXCEPTION] = "exception",
		[INSTR_EXIT_LONGJMP] = "longjmp",
		[INSTR_EXIT_THREAD] = "thread",
		[INSTR_EXIT_EXEC] = "exec",
		[INSTR_EXIT_INSIDE] = "inside",
	};

	return exit < INSTR_EXIT_MAX ? name[exit] : "";
}

uint64_t instr_bucket_start(unsigned int bucket)
{
	unsigned int shift = bucket >> EXACT_BITS;

	if (shift < 2)
		return bucket;
	return (uint64_t)((bucket & 31) | 32) << (shift - 1);
}

static void add_buckets(uint64_t *to, const uint8_t *from, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t count;

		memcpy(&count, from + i * sizeof(count), sizeof(count));
		to[i] += count;
	}
}

/* See give_group in timing.S: group 0 has twice as many, the others begin with bucket 32. */
static void add_histogram(struct instr_times *sum, const struct timing_record *record,
			  const uint8_t *frames)
{
	for (unsigned int i = 0; i < TIMING_GROUPS; i++) {
		uint64_t at = record->group[i];
		unsigned int first = i ? TIMING_GROUP_BUCKETS : 0;

		if (at >= TIMING_HEAD && at < TIMING_FRAMES)
			add_buckets(sum->bucket + i * TIMING_GROUP_BUCKETS + first,
				    frames + at + first * sizeof(uint64_t),
				    2 * TIMING_GROUP_BUCKETS - first);
	}
}

static unsigned int bucket_of(uint64_t value)
{
	unsigned int shift = 63 - EXACT_BITS - (unsigned int)__builtin_clzll(value | 32);

	if (shift >= TIMING_GROUPS)
		return INSTR_BUCKETS - 1;
	return shift * TIMING_GROUP_BUCKETS + (unsigned int)(value >> shift);
}

static void add_range(struct instr_times *sum, const struct timing_record *record)
{
	uint64_t min = ~record->not_min;

	if (!record->exits)
		return;
	if (record->max > sum->max)
		sum->max = record->max;
	if (min < sum->min || !sum->min)
		sum->min = min;
}

static void add_record(struct instr_times *sum, const struct timing_record *record,
		       const uint8_t *frames)
{
	const uint64_t *unwound = record->unwound;

	sum->calls += record->calls;
	sum->total += record->total;
	sum->self += record->total - record->callees;
	sum->exits[INSTR_EXIT_EXCEPTION] += unwound[TIMING_EXCEPTION];
	sum->exits[INSTR_EXIT_LONGJMP] += unwound[TIMING_LONGJMP];
	sum->exits[INSTR_EXIT_THREAD] += unwound[TIMING_THREAD_END];
	sum->exits[INSTR_EXIT_RETURN] += record->exits - unwound[TIMING_EXCEPTION] -
					 unwound[TIMING_LONGJMP] - unwound[TIMING_THREAD_END];
	/* Negative where it was entered in one lane and left in another: the sum is right. */
	sum->exits[INSTR_EXIT_INSIDE] += record->calls - record->exits;
	add_range(sum, record);
	if (record->last)
		sum->bucket[bucket_of(record->last - 1)]++;
	add_histogram(sum, record, frames);
}

void instr_times_add(struct instr_times *sum, const struct instr_plan *plan,
		     const struct instr_plan_site *site, const void *times,
		     const void *frames)
{
	struct timing_record record[INSTR_LANES];
	uint64_t at = site->record * sizeof(record);

	if (at + sizeof(record) > plan->times_len)
		return;
	memcpy(record, (const uint8_t *)times + at, sizeof(record));
	for (size_t lane = 0; lane < INSTR_LANES; lane++)
		add_record(sum, &record[lane], frames);
}

void instr_times_merge(struct instr_times *sum, const struct instr_times *times)
{
	sum->calls += times->calls;
	sum->total += times->total;
	sum->self += times->self;
	for (unsigned int i = 0; i < INSTR_EXIT_MAX; i++)
		sum->exits[i] += times->exits[i];
	for (unsigned int i = 0; i < INSTR_BUCKETS; i++)
		sum->bucket[i] += times->bucket[i];
	if (times->max > sum->max)
		sum->max = times->max;
	if (times->min && (times->min < sum->min || !sum->min))
		sum->min = times->min;
}

uint64_t instr_plan_record(const struct instr_plan_site *site)
{
	return site->record * sizeof(struct timing_record);
}

/* The middle of a bucket is within 1/64 of what is in it. */
static uint64_t bucket_middle(unsigned int bucket)
{
	uint64_t start = instr_bucket_start(bucket);

	return start + (instr_bucket_start(bucket + 1) - start) / 2;
}

static uint64_t clamp(const struct instr_times *times, uint64_t value)
{
	if (value > times->max)
		return times->max;
	return value < times->min ? times->min : value;
}

uint64_t instr_times_quantile(const struct instr_times *times, double part)
{
	uint64_t nr = 0, seen = 0;

	for (unsigned int i = 0; i < INSTR_BUCKETS; i++)
		nr += times->bucket[i];
	for (unsigned int i = 0; i < INSTR_BUCKETS; i++) {
		seen += times->bucket[i];
		if (seen && (double)seen >= part * (double)nr)
			return clamp(times, bucket_middle(i));
	}
	return 0;
}
