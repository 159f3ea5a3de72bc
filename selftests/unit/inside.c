// SPDX-License-Identifier: GPL-2.0
/*
 * What became of calls that were not seen to end: from the bytes of a process's frames,
 * which may be anything, to numbers that add up.
 */

#include <stdlib.h>
#include <string.h>

#include "instrctl/inside.h"
#include "tap.h"
#include "timing.h"

#define RECORD_LEN	(INSTR_LANES * sizeof(struct timing_record))
#define TIMES_A		0x7f0000000000
#define TIMES_B		0x7e0000000000
#define STACK		0x100000
#define FS_LIVE		0x5000
#define FS_GONE		0x6000

/* Functions 3, 4 and 9 of file A, 0 and 7 of B. */
static const uint32_t record_a[] = { 3, 4, 9 };
static const uint32_t record_b[] = { 0, 7 };
static uint64_t ended_a[3], ended_b[2];
static struct inside_slab slab[2];
static struct instr_thread thread[INSTR_THREADS];
static struct inside inside;

static void begin(void)
{
	memset(thread, 0, sizeof(thread));
	memset(ended_a, 0, sizeof(ended_a));
	memset(ended_b, 0, sizeof(ended_b));
	slab[0] = (struct inside_slab){ TIMES_A, record_a, 3, ended_a };
	slab[1] = (struct inside_slab){ TIMES_B, record_b, 2, ended_b };
}

static void set_thread(size_t i, uint64_t fs_base, uint64_t start, uint64_t born)
{
	thread[i] = (struct instr_thread){
		.fs_base = fs_base,
		.stack_start = start,
		.stack_end = start + STACK,
		.born = born,
	};
}

/* All threads but FS_LIVE are gone. */
static void add(const struct timing_frame *frame, size_t nr)
{
	uint64_t fs_base[] = { FS_LIVE, 0x4000 };

	inside_init(&inside, slab, 2, thread, fs_base, 2);
	inside_add(&inside, frame, nr * sizeof(*frame));
}

static void add_one(uint64_t record, uint64_t address, uint64_t time)
{
	const struct timing_frame frame = { .record = record, .address = address, .time = time };

	add(&frame, 1);
}

static uint64_t sum_ended(void)
{
	return ended_a[0] + ended_a[1] + ended_a[2] + ended_b[0] + ended_b[1];
}

/* ---- whose frames ------------------------------------------------------------ */

static void a_frame_of_a_live_thread_is_inside(void)
{
	begin();
	set_thread(0, FS_LIVE, 0x10000000, 100);
	add_one(TIMES_A + 4 * RECORD_LEN, 0x10000000 + 8, 200);
	CHECK(sum_ended() == 0);
}

static void a_frame_of_one_that_is_gone_ended(void)
{
	begin();
	set_thread(0, FS_LIVE, 0x10000000, 100);
	set_thread(4095, FS_GONE, 0x20000000, 100);
	add_one(TIMES_A + 4 * RECORD_LEN, 0x20000000, 200);
	add_one(TIMES_B + 7 * RECORD_LEN, 0x20000000 + STACK - 8, 200);
	add_one(TIMES_B, 0x20000000 + STACK - 8, 200);
	CHECK(ended_a[1] == 1 && ended_b[1] == 1 && ended_b[0] == 1 && sum_ended() == 3);
	add_one(TIMES_A + 4 * RECORD_LEN, 0x20000000 + STACK, 200);
	add_one(TIMES_A + 4 * RECORD_LEN, 0x20000000 - 8, 200);
	CHECK(sum_ended() == 3);
}

static void an_entry_that_was_left_is_of_one_that_is_gone(void)
{
	begin();
	set_thread(0, FS_LIVE | INSTR_THREAD_LEFT, 0x10000000, 100);
	add_one(TIMES_A + 9 * RECORD_LEN, 0x10000000, 200);
	CHECK(ended_a[2] == 1);
}

static void what_is_older_than_a_thread_is_of_who_had_the_stack_before(void)
{
	begin();
	set_thread(0, FS_LIVE, 0x10000000, 100);
	add_one(TIMES_A + 3 * RECORD_LEN, 0x10000000, 99);
	CHECK(ended_a[0] == 1);
	add_one(TIMES_A + 3 * RECORD_LEN, 0x10000000, 100);
	CHECK(ended_a[0] == 1);
}

static void stacks_of_those_that_are_gone_may_overlap(void)
{
	begin();
	set_thread(0, FS_GONE, 0x20000000, 100);
	set_thread(1, FS_GONE + 64, 0x20000000 + 4096, 100);
	thread[1].stack_end = thread[1].stack_start + 4096;
	add_one(TIMES_A + 3 * RECORD_LEN, 0x20000000 + STACK - 8, 200);
	CHECK(ended_a[0] == 1);
	/* A live one comes first. */
	set_thread(2, FS_LIVE, 0x20000000 + 2 * 4096, 100);
	add_one(TIMES_A + 3 * RECORD_LEN, 0x20000000 + STACK - 8, 200);
	CHECK(ended_a[0] == 1);
}

static void a_frame_on_nobodys_stack_is_inside(void)
{
	begin();
	set_thread(0, FS_GONE, 0x20000000, 100);
	add_one(TIMES_A + 3 * RECORD_LEN, 0x30000000, 1);
	/* Its stack is not known. */
	set_thread(0, FS_GONE, 0, 100);
	thread[0].stack_end = 0;
	add_one(TIMES_A + 3 * RECORD_LEN, 0, 1);
	CHECK(sum_ended() == 0);
}

/* ---- what makes no sense ------------------------------------------------------ */

static void records_that_are_none_are_left_alone(void)
{
	static const uint64_t wrong[] = {
		1, TIMES_A - 1, TIMES_A + 1, TIMES_A + 4 * RECORD_LEN + 8, TIMES_A + 2 * RECORD_LEN,
		TIMES_A + 10 * RECORD_LEN, TIMES_B - RECORD_LEN, UINT64_MAX, UINT64_MAX - 255,
		TIMES_A + ((1ULL << 32) + 3) * RECORD_LEN,
	};

	begin();
	set_thread(0, FS_GONE, 0, 0);
	thread[0].stack_end = UINT64_MAX;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		add_one(wrong[i], 64, 1);
	CHECK(sum_ended() == 0);
}

static void addresses_at_the_end_of_the_world(void)
{
	begin();
	set_thread(0, FS_GONE, 0, 0);
	thread[0].stack_end = UINT64_MAX;
	add_one(TIMES_A + 3 * RECORD_LEN, UINT64_MAX, 1);
	CHECK(sum_ended() == 0);
	add_one(TIMES_A + 3 * RECORD_LEN, UINT64_MAX - 1, 1);
	CHECK(ended_a[0] == 1);
}

static void half_a_frame_is_none(void)
{
	struct timing_frame frame[2] = {
		{ .record = TIMES_A + 3 * RECORD_LEN, .address = 64, .time = 1 },
		{ .record = TIMES_A + 3 * RECORD_LEN, .address = 64, .time = 1 },
	};
	uint64_t fs_base[] = { FS_LIVE };
	void *exact = malloc(2 * sizeof(*frame) - 1);

	begin();
	set_thread(0, FS_GONE, 0, 0);
	memcpy(exact, frame, 2 * sizeof(*frame) - 1);
	inside_init(&inside, slab, 2, thread, fs_base, 1);
	inside_add(&inside, exact, 2 * sizeof(*frame) - 1);
	inside_add(&inside, exact, 0);
	CHECK(ended_a[0] == 1);
	free(exact);
}

/* It is being entered, or left. */
static void what_has_no_time_is_none(void)
{
	begin();
	set_thread(0, FS_GONE, 0, 0);
	add_one(TIMES_A + 3 * RECORD_LEN, 64, 0);
	CHECK(sum_ended() == 0);
	add_one(TIMES_A + 3 * RECORD_LEN, 64, 1);
	CHECK(sum_ended() == 1);
}

static void without_slabs_or_threads(void)
{
	const struct timing_frame frame = { .record = TIMES_A, .address = 64, .time = 1 };

	begin();
	inside_init(&inside, NULL, 0, thread, NULL, 0);
	inside_add(&inside, &frame, sizeof(frame));
	CHECK(sum_ended() == 0);
}

/* Numbers that are likely to mean something, and others. */
static uint64_t anything(void)
{
	static const uint64_t some[] = { 0, 1, TIMES_A, TIMES_B, FS_LIVE, FS_GONE, UINT64_MAX,
					 1ULL << 63, 0x20000000 };
	uint64_t value = some[(size_t)rand() % (sizeof(some) / sizeof(*some))];

	switch (rand() % 4) {
	case 0:
		return value + (uint64_t)(rand() % 12) * RECORD_LEN;
	case 1:
		return value - (uint64_t)rand();
	case 2:
		return (uint64_t)rand() << 33 ^ (uint64_t)rand();
	}
	return value;
}

static void fill(void *to, size_t len)
{
	uint64_t *word = to;

	for (size_t i = 0; i < len / sizeof(*word); i++)
		word[i] = anything();
}

static void anything_may_be_in_memory(void)
{
	static struct timing_frame frame[512];
	uint64_t nr = 0;

	srand(1);
	begin();
	for (int i = 0; i < 200; i++) {
		fill(thread, sizeof(thread));
		fill(frame, sizeof(frame));
		add(frame, 512);
		CHECK(sum_ended() - nr <= 512);
		nr = sum_ended();
	}
	CHECK(nr > 0);
}

/* ---- what is left over -------------------------------------------------------- */

static uint64_t sum_exits(const struct instr_times *times)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < INSTR_EXIT_MAX; i++)
		sum += times->exits[i];
	return sum;
}

static void no_more_is_settled_than_is_left_over(void)
{
	struct instr_times times = { .calls = 10, .exits = { [INSTR_EXIT_RETURN] = 7,
							     [INSTR_EXIT_INSIDE] = 3 } };

	inside_check(&times);
	inside_settle(&times, INSTR_EXIT_THREAD, 1);
	CHECK(times.exits[INSTR_EXIT_THREAD] == 1 && times.exits[INSTR_EXIT_INSIDE] == 2);
	inside_settle(&times, INSTR_EXIT_EXEC, UINT64_MAX);
	CHECK(times.exits[INSTR_EXIT_EXEC] == 2 && times.exits[INSTR_EXIT_INSIDE] == 0);
	inside_settle(&times, INSTR_EXIT_THREAD, 5);
	CHECK(times.calls == 10 && sum_exits(&times) == 10);
}

static void more_exits_than_calls_add_up(void)
{
	struct instr_times times = { .calls = 5, .exits = { [INSTR_EXIT_RETURN] = 7,
							    [INSTR_EXIT_INSIDE] = -2ULL } };

	inside_check(&times);
	CHECK(times.calls == 7 && times.exits[INSTR_EXIT_INSIDE] == 0 && sum_exits(&times) == 7);
	srand(2);
	for (int i = 0; i < 1000; i++) {
		fill(&times, sizeof(times));
		times.exits[INSTR_EXIT_INSIDE] += times.calls - sum_exits(&times);
		inside_check(&times);
		inside_settle(&times, INSTR_EXIT_THREAD, anything());
		CHECK(times.calls == sum_exits(&times));
	}
}

int main(void)
{
	RUN(a_frame_of_a_live_thread_is_inside);
	RUN(a_frame_of_one_that_is_gone_ended);
	RUN(an_entry_that_was_left_is_of_one_that_is_gone);
	RUN(what_is_older_than_a_thread_is_of_who_had_the_stack_before);
	RUN(stacks_of_those_that_are_gone_may_overlap);
	RUN(a_frame_on_nobodys_stack_is_inside);
	RUN(records_that_are_none_are_left_alone);
	RUN(addresses_at_the_end_of_the_world);
	RUN(half_a_frame_is_none);
	RUN(what_has_no_time_is_none);
	RUN(without_slabs_or_threads);
	RUN(anything_may_be_in_memory);
	RUN(no_more_is_settled_than_is_left_over);
	RUN(more_exits_than_calls_add_up);
	return tap_done();
}
