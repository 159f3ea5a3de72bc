// SPDX-License-Identifier: GPL-2.0
/*
 * The rows of a report.
 */

#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

static uint64_t sum(const struct result *result, size_t site)
{
	uint64_t calls = 0;

	for (size_t i = 0; i < result->nr; i++)
		calls += result->space[i].calls[site];
	return calls;
}

static const struct result_times *times_of(const struct result_space *space, size_t site)
{
	return space->times ? space->times[site] : NULL;
}

/* If there are several not more than one is active, and has times. */
static const struct result_times *only_times(const struct result *result, size_t site)
{
	const struct result_times *times = NULL;

	for (size_t i = 0; i < result->nr && !times; i++)
		times = times_of(&result->space[i], site);
	return times;
}

static void add_rows(const struct result *result, const struct target *target, size_t i,
		     struct rows *rows)
{
	size_t site = target->first + i;
	struct row row = {
		.calls = sum(result, site),
		.target = target,
		.place = target_place(target, i),
	};

	rows->uncalled += row.calls == 0;
	if (result->nr_active < 2) {
		row.times = only_times(result, site);
		rows->row[rows->nr++] = row;
		return;
	}
	for (size_t j = 0; j < result->nr; j++) {
		if (!result->space[j].active)
			continue;
		row.space = &result->space[j];
		row.calls = row.space->calls[site];
		row.times = times_of(row.space, site);
		rows->row[rows->nr++] = row;
	}
}

static int compare_descending(uint64_t x, uint64_t y)
{
	return (x < y) - (x > y);
}

static uint64_t total(const struct row *row)
{
	return row->times ? row->times->times.total : 0;
}

/* Where nothing is timed all totals are 0. */
static int compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int by_number = compare_descending(total(x), total(y)) ?:
			compare_descending(x->calls, y->calls);

	if (by_number)
		return by_number;
	return strcmp(x->place.name, y->place.name) ?:
	       (x->place.at > y->place.at) - (x->place.at < y->place.at);
}

void rows_create(const struct targets *targets, const struct result *result,
		 struct rows *ret)
{
	size_t rows_each = result->nr_active ?: 1;

	*ret = (struct rows) { 0 };
	ret->row = calloc(targets->nr_sites * rows_each, sizeof(*ret->row));
	if (!ret->row)
		out_of_memory();
	for (size_t i = 0; i < targets->nr; i++) {
		const struct target *target = &targets->target[i];

		for (size_t j = 0; j < target->nr; j++)
			if (target_site(target, j)->how != INSTR_HOW_REFUSED)
				add_rows(result, target, j, ret);
	}
	qsort(ret->row, ret->nr, sizeof(*ret->row), compare);
}

void rows_destroy(struct rows *rows)
{
	free(rows->row);
}
