// SPDX-License-Identifier: GPL-2.0
/*
 * A result: read from the module, space by space.
 */

#include "result.h"

#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "libinstr/array.h"
#include "measure.h"
#include "say.h"

/* Of one shard: where the counters of the target's functions begin and end. */
static void find_counters(const struct instr_plan *plan, size_t nr, uint64_t *start, uint64_t *end)
{
	*start = plan->data_len;
	*end = 0;
	for (size_t i = 0; i < nr; i++) {
		const struct instr_plan_site *site = instr_plan_place(plan, i);

		if (site->how == INSTR_HOW_REFUSED)
			continue;
		*start = MIN(*start, site->counter);
		*end = MAX(*end, site->counter + sizeof(uint64_t));
	}
}

/* A file may have many functions, and each process is read by itself. */
static int read_shards(struct count *count, const struct instr_plan *plan, uint32_t overlay_id,
		       uint32_t space_id, size_t nr, uint8_t *data, struct instr_err *err)
{
	uint64_t start, end;
	int code = 0;

	find_counters(plan, nr, &start, &end);
	for (uint32_t i = 0; i < plan->nr_shards && start < end && !code; i++) {
		uint64_t offset = start + (uint64_t)i * plan->shard_len;

		code = instr_dev_data_read(count->dev, space_id, overlay_id, offset,
					   (uint64_t *)(void *)(data + offset),
					   (end - start) / sizeof(uint64_t), err);
	}
	return code;
}

/* Counters of one overlay in one space, added to those of its alternatives. */
static int add_counters(struct count *count, const struct target *target, size_t alternative,
			struct result_space *space, struct instr_err *err)
{
	const struct instr_plan *plan = target->plan[alternative];
	uint8_t *data = malloc(plan->data_len);
	int code;

	if (!data)
		out_of_memory();
	code = read_shards(count, plan, target->overlay_id[alternative], space->id, target->nr,
			   data, err);
	for (size_t i = 0; i < target->nr && !code; i++)
		space->calls[target->first + i] +=
			instr_plan_count(plan, instr_plan_place(plan, i), data);
	free(data);
	return code;
}

static int read_counters(struct count *count, const struct targets *targets,
			 struct result_space *space, struct instr_err *err)
{
	int code = 0;

	for (size_t i = 0; i < targets->nr; i++)
		for (size_t j = 0; j < targets->target[i].nr_plans && !code; j++)
			code = add_counters(count, &targets->target[i], j, space, err);
	return code;
}

static int read_times(struct count *count, const struct targets *targets,
		      struct result_space *space, bool execed, struct instr_err *err)
{
	int code = measure_read(count, targets, space, execed, err);

	for (size_t i = 0; i < targets->nr_sites && !code; i++)
		space->calls[i] = space->times[i] ? space->times[i]->times.calls : 0;
	return code;
}

/* ---- a space, once it has been read ------------------------------------------ */

static struct result_times *take_times(struct result_space *space, size_t number)
{
	struct result_times *times = space->times ? space->times[number] : NULL;

	if (times)
		space->times[number] = NULL;
	return times;
}

static void merge(struct result_times *sum, const struct result_times *times)
{
	instr_times_merge(&sum->times, &times->times);
	sum->finished += times->finished;
}

/* Takes over @times. What is sampled is with what has ended, which stays as it is. */
static void add_together(struct result *result, size_t number, struct result_times *times,
			 bool sampled)
{
	struct result_times **sum = sampled ? &result->sampled[number] : &result->times[number];

	if (*sum) {
		merge(*sum, times);
		free(times);
		return;
	}
	if (sampled && result->times[number])
		merge(times, result->times[number]);
	*sum = times;
}

static void add_count(struct result *result, struct result_space *space, size_t number)
{
	struct result_times *times = take_times(space, number);
	struct result_count count = {
		.number = number,
		.calls = space->calls[number],
		.total = times ? times->times.total : 0,
		.self = times ? times->times.self : 0,
		.times = result->together ? NULL : times,
	};

	if (!ARRAY_PUSH(space->count, space->nr, count))
		out_of_memory();
	if (times && result->together)
		add_together(result, number, times, space->sampled);
}

/* Most functions are never called. */
static void pack(struct result *result, struct result_space *space)
{
	for (size_t i = 0; i < result->nr_numbers; i++)
		if (space->calls[i] || (space->times && space->times[i]))
			add_count(result, space, i);
	space->active |= space->nr != 0;
	result->nr_active += space->active;
	result->nr_sampled += space->sampled;
	free(space->calls);
	free(space->times);
	space->calls = NULL;
	space->times = NULL;
}

static int read_space(struct count *count, const struct targets *targets,
		      struct result_space *space, bool execed, struct instr_err *err)
{
	space->calls = calloc(targets->nr_sites + 1, sizeof(*space->calls));
	if (!space->calls)
		out_of_memory();
	return targets->goal.measure != INSTR_CALLS ?
	       read_times(count, targets, space, execed, err) :
	       read_counters(count, targets, space, err);
}

static struct result_space *add_space(struct result *result, struct count *count,
				      const struct instr_space_next *next)
{
	struct result_space *space;

	result->space = reallocarray(result->space, result->nr + 1, sizeof(*space));
	if (!result->space)
		out_of_memory();
	space = &result->space[result->nr++];
	*space = (struct result_space) {
		.id = next->space_id,
		/* In another pid namespace. */
		.pid = next->out_pid ?: count->pid,
		.refused = next->out_refused,
		.private_pages = next->out_private,
		.unset = next->out_unset,
		.active = next->out_slabs != 0,
		.live = next->out_live,
	};
	memcpy(space->comm, next->out_comm, sizeof(space->comm));
	return space;
}

static int add_read(struct result *result, struct count *count, const struct targets *targets,
		    const struct instr_space_next *next, bool sampled, struct instr_err *err)
{
	struct result_space *space = add_space(result, count, next);
	int code;

	space->sampled = sampled;
	code = read_space(count, targets, space, next->out_exec, err);
	if (!code && result->on_space)
		result->on_space(space, result->arg);
	pack(result, space);
	return code;
}

/* ---- samples ----------------------------------------------------------------- */

static void free_space(const struct result_space *space)
{
	for (size_t i = 0; i < space->nr; i++)
		free(space->count[i].times);
	free(space->count);
}

static void free_times(const struct result *result, struct result_times **times)
{
	for (size_t i = 0; i < result->nr_numbers && times; i++) {
		free(times[i]);
		times[i] = NULL;
	}
}

static void drop_sampled(struct result *result)
{
	for (; result->nr_sampled; result->nr_sampled--) {
		const struct result_space *space = &result->space[--result->nr];

		result->nr_active -= space->active;
		free_space(space);
	}
	free_times(result, result->sampled);
}

/* Meanwhile nobody looks at signals and deadlines. */
#define COLLECT_MAX 16

/* ---- all of them ------------------------------------------------------------- */

static void begin(struct result *result, const struct count *count,
		  const struct targets *targets, bool together)
{
	*result = (struct result) {
		.tsc_khz = count->tsc_khz,
		.nr_numbers = targets->nr_sites,
		.together = together,
	};
	if (!together)
		return;
	result->times = calloc(targets->nr_sites + 1, sizeof(*result->times));
	result->sampled = calloc(targets->nr_sites + 1, sizeof(*result->sampled));
	if (!result->times || !result->sampled)
		out_of_memory();
}

void result_begin(struct result *result, const struct count *count,
		  const struct targets *targets)
{
	begin(result, count, targets, count_has_many(count));
}

void result_begin_together(struct result *result, const struct count *count,
			   const struct targets *targets)
{
	begin(result, count, targets, true);
}

/* What can be forgotten will not change any more: it is read before, and then once. */
static int collect(struct result *result, struct count *count, const struct targets *targets,
		   const struct instr_space_next *next, struct instr_err *err)
{
	int code = add_read(result, count, targets, next, false, err);

	return code ?: instr_dev_space_forget(count->dev, next->space_id, err);
}

int result_collect(struct result *result, struct count *count, const struct targets *targets,
		   struct instr_err *err)
{
	struct instr_space_next next = { .flags = INSTR_SPACE_GONE };
	int code, nr = 0;

	drop_sampled(result);
	while ((code = instr_dev_space_next(count->dev, &next, err)) > 0) {
		code = collect(result, count, targets, &next, err);
		if (code < 0)
			break;
		if (++nr == COLLECT_MAX)
			return 1;
	}
	return code;
}

static int read_left(struct result *result, struct count *count, const struct targets *targets,
		     bool sampled, struct instr_err *err)
{
	struct instr_space_next next = { 0 };
	int code;

	while ((code = instr_dev_space_next(count->dev, &next, err)) > 0) {
		code = add_read(result, count, targets, &next, sampled, err);
		if (code)
			break;
	}
	return code;
}

int result_sample(struct result *result, struct count *count, const struct targets *targets,
		  struct instr_err *err)
{
	int code;

	while ((code = result_collect(result, count, targets, err)) > 0)
		;
	return code ?: read_left(result, count, targets, true, err);
}

static int compare_spaces(const void *a, const void *b)
{
	const struct result_space *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

int result_finish(struct result *result, struct count *count, const struct targets *targets,
		  struct instr_err *err)
{
	int code;

	drop_sampled(result);
	code = read_left(result, count, targets, false, err);
	if (result->nr)
		qsort(result->space, result->nr, sizeof(*result->space), compare_spaces);
	return code;
}

void result_free(struct result *result)
{
	for (size_t i = 0; i < result->nr; i++)
		free_space(&result->space[i]);
	free_times(result, result->times);
	free_times(result, result->sampled);
	free(result->times);
	free(result->sampled);
	free(result->space);
	*result = (struct result) { 0 };
}

/* ---- asking it --------------------------------------------------------------- */

const struct result_count *result_count(const struct result_space *space, size_t number)
{
	size_t at = ARRAY_LOWER(space->count, space->nr, .number, number);

	return at < space->nr && space->count[at].number == number ? &space->count[at] : NULL;
}

const struct result_times *result_times(const struct result *result, size_t number)
{
	const struct result_times *times = NULL;

	if (result->together)
		return result->sampled[number] ?: result->times[number];
	for (size_t i = 0; i < result->nr && !times; i++) {
		const struct result_count *count = result_count(&result->space[i], number);

		times = count ? count->times : NULL;
	}
	return times;
}

uint64_t result_exits(const struct result *result, size_t number, enum instr_exit exit)
{
	const struct result_times *times;
	uint64_t nr = 0;

	if (result->together) {
		times = result_times(result, number);
		return times ? times->times.exits[exit] : 0;
	}
	for (size_t i = 0; i < result->nr; i++) {
		const struct result_count *count = result_count(&result->space[i], number);

		nr += count && count->times ? count->times->times.exits[exit] : 0;
	}
	return nr;
}
