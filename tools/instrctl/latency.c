// SPDX-License-Identifier: GPL-2.0
/*
 * Latency.
 */

#include "latency.h"

#include <inttypes.h>

#include "duration.h"

/* ---- numbers --------------------------------------------------------------- */

struct number {
	const char *name;
	uint64_t (*ticks)(const struct result_times *times);
	bool shown;		/* has a column of the table; they are in its order */
};

static uint64_t total(const struct result_times *times)
{
	return times->times.total;
}

static uint64_t self(const struct result_times *times)
{
	return times->times.self;
}

static uint64_t min(const struct result_times *times)
{
	return times->times.min;
}

static uint64_t max(const struct result_times *times)
{
	return times->times.max;
}

static uint64_t mean(const struct result_times *times)
{
	return times->times.total / times->finished;
}

static uint64_t p50(const struct result_times *times)
{
	return instr_times_quantile(&times->times, 0.5);
}

static uint64_t p90(const struct result_times *times)
{
	return instr_times_quantile(&times->times, 0.9);
}

static uint64_t p99(const struct result_times *times)
{
	return instr_times_quantile(&times->times, 0.99);
}

static uint64_t p999(const struct result_times *times)
{
	return instr_times_quantile(&times->times, 0.999);
}

static const struct number numbers[] = {
	{ "total_ns", total, true },
	{ "self_ns", self, true },
	{ "min_ns", min, true },
	{ "p50_ns", p50, true },
	{ "p90_ns", p90, true },
	{ "p99_ns", p99, true },
	{ "p999_ns", p999, false },
	{ "max_ns", max, true },
	{ "mean_ns", mean, false },
};

#define NR_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static bool has_numbers(const struct result_times *times)
{
	return times && times->finished;
}

/* ---- text ------------------------------------------------------------------ */

void latency_cells(struct instr_table *table, const struct result_times *times, uint32_t khz)
{
	char text[DURATION_LEN];

	for (size_t i = 0; i < NR_NUMBERS; i++) {
		if (!numbers[i].shown)
			continue;
		if (has_numbers(times))
			duration_text(duration_ns(numbers[i].ticks(times), khz), text);
		instr_table_cell(table, "%s", has_numbers(times) ? text : "-");
	}
}

/* Functions that were left by @exit. */
struct left {
	uint64_t calls;
	size_t functions;
	const struct target *target;	/* one of them */
	size_t place;
};

static struct left find_left(const struct targets *targets, const struct result *result,
			     enum instr_exit exit)
{
	struct left left = { 0 };

	for (size_t i = 0; i < targets->nr; i++)
		for (size_t j = 0; j < targets->target[i].nr; j++) {
			uint64_t nr = result_exits(result, targets->target[i].first + j, exit);

			if (!nr)
				continue;
			left.calls += nr;
			left.functions++;
			left.target = &targets->target[i];
			left.place = j;
		}
	return left;
}

static void print_left(const struct left *left, const char *how, FILE *out)
{
	fprintf(out, "%" PRIu64 " call%s of ", left->calls, left->calls == 1 ? "" : "s");
	if (left->functions == 1) {
		char name[NAME_LEN];

		snprintf(name, sizeof(name), "%s",
			 target_place(left->target, left->place).name);
		instr_text_clean(name);
		fputs(name, out);
	} else {
		fprintf(out, "%zu functions", left->functions);
	}
	fprintf(out, " %s\n", how);
}

static void print_missed(const struct result *result, FILE *out)
{
	uint64_t missed = 0;

	for (size_t i = 0; i < result->nr; i++)
		missed += result->space[i].missed;
	if (missed)
		fprintf(out, "%" PRIu64 " call%s not timed: too many stacks are in use\n", missed,
			missed == 1 ? " was" : "s were");
}

void latency_notes(const struct targets *targets, const struct result *result, FILE *out)
{
	static const char *const how[INSTR_EXIT_MAX] = {
		[INSTR_EXIT_EXCEPTION] = "ended by an exception",
		[INSTR_EXIT_LONGJMP] = "ended by longjmp, or another jump out",
		[INSTR_EXIT_THREAD] = "ended with the thread, or the process",
		[INSTR_EXIT_EXEC] = "ended as another program began (exec)",
		[INSTR_EXIT_INSIDE] = "had not ended",
	};

	for (unsigned int i = 0; i < INSTR_EXIT_MAX; i++) {
		struct left left = find_left(targets, result, i);

		if (how[i] && left.calls)
			print_left(&left, how[i], out);
	}
	print_missed(result, out);
	if (targets->blind)
		fprintf(out, "exceptions may be taken for longjmp: what unwinds stacks could not be watched (another session?)\n");
}

/* ---- JSON ------------------------------------------------------------------ */

static void add_numbers(struct json_object *row, const struct result_times *times, uint32_t khz)
{
	for (size_t i = 0; i < NR_NUMBERS; i++) {
		if (has_numbers(times))
			json_add_number(row, numbers[i].name,
					duration_ns(numbers[i].ticks(times), khz));
		else
			json_object_object_add(row, numbers[i].name, NULL);
	}
}

static void add_exits(struct json_object *row, const struct result_times *times)
{
	struct json_object *exits = json_add_object(row, "exits");

	for (unsigned int i = 0; i < INSTR_EXIT_MAX; i++)
		json_add_number(exits, instr_exit_name(i), times ? times->times.exits[i] : 0);
}

static void add_bucket(struct json_object *histogram, uint64_t from, uint64_t to, uint64_t count)
{
	const uint64_t number[] = { from, to, count };
	struct json_object *bucket = json_append_array(histogram);

	for (size_t i = 0; i < 3; i++)
		json_object_array_add(bucket, json_object_new_uint64(number[i]));
}

/* Buckets that begin in the same nanosecond are one. */
static void add_histogram(struct json_object *row, const struct result_times *times,
			  uint32_t khz)
{
	struct json_object *histogram = json_add_array(row, "histogram");
	uint64_t from = 0, count = 0;

	for (unsigned int i = 0; i < INSTR_BUCKETS && times; i++) {
		uint64_t to = duration_ns(instr_bucket_start(i + 1), khz);

		count += times->times.bucket[i];
		if (to == from)
			continue;
		if (count)
			add_bucket(histogram, from, to, count);
		from = to;
		count = 0;
	}
}

void latency_json(struct json_object *row, const struct result_times *times, uint32_t khz)
{
	add_numbers(row, times, khz);
	add_exits(row, times);
	add_histogram(row, times, khz);
}

void latency_json_process(struct json_object *row, const struct result_space *space)
{
	if (space->missed_known)
		json_add_number(row, "missed_frames", space->missed);
	else
		json_object_object_add(row, "missed_frames", NULL);
	json_add_number(row, "unwind_lookups", space->unwinds.lookups);
	json_add_number(row, "unwind_functions", space->unwinds.functions);
}

void latency_json_top(struct json_object *top, const struct targets *targets,
		      const struct result *result)
{
	json_add_number(top, "tsc_khz", result->tsc_khz);
	json_add_bool(top, "exceptions_as_longjmp", targets->blind);
}
