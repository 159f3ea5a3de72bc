// SPDX-License-Identifier: GPL-2.0
/*
 * Results: of spaces that live and end while they are read. The module is what stands here.
 */

#include "instrctl/result.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "instrctl/measure.h"
#include "tap.h"

#define NR_SITES 2

/* ---- the module ---------------------------------------------------------------- */

struct fake {
	uint32_t id;
	uint64_t calls[NR_SITES];
	bool gone;
};

static struct fake fake[16];
static size_t nr_fakes;
static bool fails;

static struct fake *fake_find(uint32_t id)
{
	for (size_t i = 0; i < nr_fakes; i++)
		if (fake[i].id == id)
			return &fake[i];
	return NULL;
}

int instr_dev_space_next(struct instr_dev *dev, struct instr_space_next *space,
			 struct instr_err *err)
{
	(void)dev, (void)err;
	for (size_t i = 0; i < nr_fakes; i++) {
		if (fake[i].id <= space->space_id ||
		    ((space->flags & INSTR_SPACE_GONE) && !fake[i].gone))
			continue;
		*space = (struct instr_space_next) {
			.flags = space->flags,
			.space_id = fake[i].id, .out_pid = (int)fake[i].id + 100,
			.out_live = !fake[i].gone, .out_gone = fake[i].gone, .out_slabs = 1,
		};
		return 1;
	}
	return 0;
}

int instr_dev_space_forget(struct instr_dev *dev, uint32_t space_id, struct instr_err *err)
{
	struct fake *found = fake_find(space_id);

	(void)dev, (void)err;
	CHECK(found->gone);
	memmove(found, found + 1, (size_t)(&fake[--nr_fakes] - found) * sizeof(*found));
	return 0;
}

int instr_dev_data_read(struct instr_dev *dev, uint32_t space_id, uint32_t overlay_id,
			uint64_t offset, uint64_t *counters, size_t nr, struct instr_err *err)
{
	(void)dev, (void)space_id, (void)overlay_id, (void)offset, (void)counters, (void)nr;
	(void)err;
	return -ENXIO;
}

bool count_has_many(const struct count *count)
{
	(void)count;
	return false;
}

/* Each call takes ten ticks. */
int measure_read(struct count *count, const struct targets *targets,
		 struct result_space *space, bool execed, struct instr_err *err)
{
	const struct fake *from = fake_find(space->id);

	(void)count, (void)execed;
	space->times = calloc(targets->nr_sites, sizeof(*space->times));
	if (fails)
		return instr_fail(err, -EIO, "it fails");
	for (size_t i = 0; i < targets->nr_sites; i++) {
		if (!from->calls[i])
			continue;
		space->times[i] = calloc(1, sizeof(struct result_times));
		space->times[i]->finished = space->times[i]->times.calls = from->calls[i];
		space->times[i]->times.total = 10 * from->calls[i];
	}
	return 0;
}

/* ---- what is read --------------------------------------------------------------- */

static const struct targets targets = { .nr_sites = NR_SITES, .goal.measure = INSTR_TIMES };
static struct count count;
static struct result result;

static void begin(bool together)
{
	static const struct fake three[] = { { 1, { 3, 0 }, false }, { 2, { 5, 1 }, false },
					     { 4, { 0, 7 }, true } };

	memcpy(fake, three, sizeof(three));
	nr_fakes = 3;
	if (together)
		result_begin_together(&result, &count, &targets);
	else
		result_begin(&result, &count, &targets);
}

static uint64_t sum_calls(size_t number)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < result.nr; i++) {
		const struct result_count *of = result_count(&result.space[i], number);

		sum += of ? of->calls : 0;
	}
	return sum;
}

static uint64_t total(size_t number)
{
	const struct result_times *times = result_times(&result, number);

	return times ? times->times.total : 0;
}

static bool has(uint64_t first, uint64_t second)
{
	return sum_calls(0) == first && sum_calls(1) == second && total(0) == 10 * first &&
	       total(1) == 10 * second;
}

static bool sample(void)
{
	return result_sample(&result, &count, &targets, NULL) == 0;
}

static void those_that_live_are_read_anew(void)
{
	begin(true);
	CHECK(sample() && has(8, 8));
	CHECK(result.nr == 3 && result.nr_sampled == 2 && result.nr_active == 3);
	CHECK(sample() && has(8, 8));
	fake[0].calls[0] += 100;
	fake[1].calls[1] += 1;
	CHECK(sample() && has(108, 9));
	CHECK(result.nr == 3 && result.nr_sampled == 2 && result.nr_active == 3);
	result_free(&result);
}

static void those_that_ended_are_read_once(void)
{
	begin(true);
	CHECK(sample() && nr_fakes == 2);
	fake[0].gone = true;
	fake[0].calls[0] = 4;
	CHECK(sample() && nr_fakes == 1 && has(9, 8));
	CHECK(sample() && has(9, 8) && result.nr == 3 && result.nr_sampled == 1);
	fake[0].gone = true;
	CHECK(sample() && nr_fakes == 0 && has(9, 8) && result.nr_sampled == 0);
	CHECK(sample() && has(9, 8) && result.nr == 3);
	result_free(&result);
}

static void in_the_end_nothing_is_there_twice(void)
{
	begin(true);
	CHECK(sample());
	fake[0].calls[0]++;
	CHECK(result_finish(&result, &count, &targets, NULL) == 0 && has(9, 8));
	CHECK(result.nr == 3 && result.nr_sampled == 0 && result.nr_active == 3);
	for (size_t i = 0; i < result.nr; i++)
		CHECK(!result.space[i].sampled && (!i || result.space[i - 1].id < result.space[i].id));
	result_free(&result);
}

static void collecting_drops_what_was_sampled(void)
{
	begin(true);
	CHECK(sample());
	CHECK(result_collect(&result, &count, &targets, NULL) == 0 && has(0, 7));
	CHECK(sample() && has(8, 8));
	result_free(&result);
}

static void each_for_itself(void)
{
	begin(false);
	CHECK(sample() && sample() && sum_calls(0) == 8 && sum_calls(1) == 8);
	CHECK(!result.times && !result.sampled);
	for (size_t i = 0; i < result.nr; i++)
		for (size_t j = 0; j < result.space[i].nr; j++)
			CHECK(result.space[i].count[j].times->times.calls ==
			      result.space[i].count[j].calls);
	result_free(&result);
}

/* ---- who is told ---------------------------------------------------------------- */

static uint64_t told_sampled, told_ended;

static void on_space(const struct result_space *space, void *arg)
{
	CHECK(arg == &result && space->times);
	*(space->sampled ? &told_sampled : &told_ended) += space->calls[0] + space->calls[1];
	CHECK(space->live != (space->id == 4));
}

static void others_are_told_what_was_read(void)
{
	begin(true);
	result.on_space = on_space;
	result.arg = &result;
	CHECK(sample() && told_sampled == 9 && told_ended == 7);
	CHECK(sample() && told_sampled == 18 && told_ended == 7);
	CHECK(result_finish(&result, &count, &targets, NULL) == 0 && told_ended == 16);
	result_free(&result);
}

static void what_can_not_be_read_is_an_error(void)
{
	struct instr_err err;

	begin(true);
	CHECK(sample());
	fails = true;
	result.on_space = on_space;
	CHECK(result_sample(&result, &count, &targets, &err) == -EIO);
	fails = false;
	result_free(&result);
}

int main(void)
{
	RUN(those_that_live_are_read_anew);
	RUN(those_that_ended_are_read_once);
	RUN(in_the_end_nothing_is_there_twice);
	RUN(collecting_drops_what_was_sampled);
	RUN(each_for_itself);
	RUN(others_are_told_what_was_read);
	RUN(what_can_not_be_read_is_an_error);
	return tap_done();
}
