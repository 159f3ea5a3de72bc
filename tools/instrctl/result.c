// SPDX-License-Identifier: GPL-2.0
/*
 * A result: read from the module, space by space.
 */

#include "result.h"

#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "say.h"

/* Counters of one overlay in one space, added to those of its alternatives. */
static int add_counters(struct count *count, const struct target *target, size_t alternative,
			struct result_space *space, struct instr_err *err)
{
	const struct instr_plan *plan = target->plan[alternative];
	uint64_t *data = malloc(plan->data_len);
	int code;

	if (!data)
		out_of_memory();
	code = instr_dev_data_read(count->dev, space->id, target->overlay_id[alternative],
				   data, plan->data_len / sizeof(*data), err);
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

static int read_space(struct count *count, const struct targets *targets,
		      struct result_space *space, bool execed, struct instr_err *err)
{
	int code;

	space->calls = calloc(targets->nr_sites, sizeof(*space->calls));
	if (!space->calls)
		out_of_memory();
	code = targets->goal.measure != INSTR_CALLS ? read_times(count, targets, space, execed, err) :
				read_counters(count, targets, space, err);
	for (size_t i = 0; i < targets->nr_sites; i++)
		space->active |= space->calls[i] != 0;
	return code;
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
		/* A process that ended has none; children are never counted in. */
		.pid = next->out_pid ?: count->pid,
		.refused = next->out_refused,
		.private_pages = next->out_private,
		.unset = next->out_unset,
		.active = next->out_slabs != 0,
	};
	memcpy(space->comm, next->out_comm, sizeof(space->comm));
	return space;
}

int result_read(struct count *count, const struct targets *targets, struct result *ret,
		struct instr_err *err)
{
	struct instr_space_next next = { 0 };
	int code;

	*ret = (struct result) { .tsc_khz = count->tsc_khz, .nr_numbers = targets->nr_sites };
	while ((code = instr_dev_space_next(count->dev, &next, err)) > 0) {
		struct result_space *space = add_space(ret, count, &next);

		code = read_space(count, targets, space, next.out_exec, err);
		if (code)
			break;
		ret->nr_active += space->active;
	}
	if (code)
		result_free(ret);
	return code;
}

static void free_times(const struct result *result, struct result_times **times)
{
	for (size_t i = 0; i < result->nr_numbers && times; i++)
		free(times[i]);
	free(times);
}

void result_free(struct result *result)
{
	for (size_t i = 0; i < result->nr; i++) {
		free(result->space[i].calls);
		free_times(result, result->space[i].times);
	}
	free(result->space);
	*result = (struct result) { 0 };
}
