// SPDX-License-Identifier: GPL-2.0
/*
 * The rows of a report.
 */

#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

bool rows_by_space(const struct result *result)
{
	return !result->together && result->nr_active > 1;
}

static uint64_t calls_in(const struct result_space *space, size_t number)
{
	const struct result_count *count = result_count(space, number);

	return count ? count->calls : 0;
}

static uint64_t sum(const struct result *result, size_t number)
{
	uint64_t calls = 0;

	for (size_t i = 0; i < result->nr; i++)
		calls += calls_in(&result->space[i], number);
	return calls;
}

static void add_rows(const struct result *result, const struct target *target, size_t i,
		     struct rows *rows)
{
	size_t number = target->first + i;
	struct row row = {
		.calls = sum(result, number),
		.target = target,
		.place = target_place(target, i),
	};

	rows->uncalled += row.calls == 0;
	if (!rows_by_space(result)) {
		row.times = result_times(result, number);
		rows->row[rows->nr++] = row;
		return;
	}
	for (size_t j = 0; j < result->nr; j++) {
		const struct result_count *count = result_count(&result->space[j], number);

		if (!result->space[j].active)
			continue;
		row.space = &result->space[j];
		row.calls = count ? count->calls : 0;
		row.times = count ? count->times : NULL;
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
	size_t rows_each = rows_by_space(result) ? result->nr_active : 1;

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
