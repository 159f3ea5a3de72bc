// SPDX-License-Identifier: GPL-2.0
/*
 * Planning: how fast, and what memory its result needs where it is placed.
 *
 *	plan [-j] [-r ROUNDS] FILE...
 *
 * CPU time of one thread, the median of ROUNDS. "read" is from opening the file to
 * its list of functions, "plan" from that to what goes to the kernel.
 */

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clean.h"
#include "libinstr.h"
#include "out.h"
#include "series.h"

#define PAGE 4096UL

struct result {
	struct series read, plan;	/* ns */
	const char *path;
	size_t functions;
	/* Of the plan. */
	size_t jumps, traps, with_call;
	size_t text_pages, code_pages, data_solo, data_many;
	size_t code_bytes;
};

/* ---- memory ----------------------------------------------------------------------- */

/* Counts the pages of places that ascend. */
struct pages {
	uint64_t next;		/* the first that is not counted */
	size_t nr;
};

static void pages_touch(struct pages *pages, uint64_t at, uint64_t len)
{
	uint64_t first = at / PAGE, end = (at + len - 1) / PAGE + 1;

	if (first < pages->next)
		first = pages->next;
	if (end > first)
		pages->nr += end - first;
	if (end > pages->next)
		pages->next = end;
}

static size_t text_pages(const struct instr_plan *plan)
{
	struct pages pages = { 0 };

	for (size_t i = 0; i < plan->nr_sites; i++)
		pages_touch(&pages, plan->sites[i].offset, plan->sites[i].len);
	return pages.nr;
}

static void add_code(const struct instr_plan *plan, struct result *result)
{
	struct pages pages = { 0 };

	result->code_bytes = 0;
	for (size_t i = 0; i < plan->nr_chunks; i++) {
		pages_touch(&pages, plan->chunk[i].offset, plan->chunk[i].len);
		result->code_bytes += plan->chunk[i].len;
	}
	result->code_pages = pages.nr;
}

/* If all sites are called: by one thread; by threads on all processors. */
static size_t data_pages(const struct instr_plan *plan, uint32_t shards)
{
	struct pages pages = { 0 };

	pages_touch(&pages, 0, sizeof(struct instr_control));
	for (uint32_t shard = 0; shard < shards; shard++) {
		for (size_t i = 0; i < plan->nr; i++) {
			if (plan->site[i].how != INSTR_HOW_REFUSED)
				pages_touch(&pages, plan->site[i].counter +
					    (uint64_t)shard * plan->shard_len, sizeof(uint64_t));
		}
	}
	return pages.nr;
}

static bool displaces_call(const struct instr_plan_site *site)
{
	for (unsigned int i = 0; i < site->nr_moved; i++) {
		if (site->old[site->moved[i].old_at] == 0xe8)
			return true;
	}
	return false;
}

static void result_of_plan(const struct instr_plan *plan, struct result *result)
{
	result->jumps = result->traps = result->with_call = 0;
	for (size_t i = 0; i < plan->nr; i++) {
		result->jumps += plan->site[i].how == INSTR_HOW_JUMP;
		result->traps += plan->site[i].how == INSTR_HOW_TRAP;
		result->with_call += displaces_call(&plan->site[i]);
	}
	result->text_pages = text_pages(plan);
	add_code(plan, result);
	result->data_solo = data_pages(plan, 1);
	result->data_many = data_pages(plan, plan->nr_shards);
}

/* ---- speed ------------------------------------------------------------------------ */

static struct instr_place *all_places(const struct instr_func *func, size_t nr_funcs,
				      size_t *nr)
{
	struct instr_place *place = calloc(nr_funcs + 1, sizeof(*place));

	*nr = 0;
	for (size_t i = 0; place && i < nr_funcs; i++) {
		if (!func[i].is_alias)
			place[(*nr)++].func = i;
	}
	return place;
}

static int measure(struct result *result, struct instr_err *err)
{
	CLEAN(file) struct instr_file *file = NULL;
	CLEAN(plan) struct instr_plan *plan = NULL;
	CLEAN(free) struct instr_place *place = NULL;
	const struct instr_func *func;
	double begin = series_cpu_ns();
	size_t nr;
	int code;

	code = instr_file_open(result->path, &file, err);
	if (!code)
		code = instr_file_funcs(file, &func, &nr, err);
	if (code)
		return code;
	series_add(&result->read, series_cpu_ns() - begin);
	place = all_places(func, nr, &result->functions);
	begin = series_cpu_ns();
	code = instr_plan_create(file, place, result->functions, instr_distances(file)[0],
				 &plan, err);
	series_add(&result->plan, series_cpu_ns() - begin);
	if (!code)
		result_of_plan(plan, result);
	return code;
}

/* ---- telling ---------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const struct out_column speed_columns[] = {
	{ "file", -24, 0 }, { "functions", 9, 0 }, { "read_ms", 8, 1 }, { "plan_ms", 8, 1 },
	{ "read/s", 9, 0 }, { "plan/s", 9, 0 }, { "both/s", 9, 0 }, { "calls%", 6, 2 },
	{ NULL, 0, 0 },
};

static void print_speed(const struct result *result)
{
	double read = series_median(&result->read), plan = series_median(&result->plan);
	double nr = (double)result->functions;

	out_text(base_name(result->path));
	out_number(nr);
	out_number(read / 1e6);
	out_number(plan / 1e6);
	out_number(nr / read * 1e9);
	out_number(nr / plan * 1e9);
	out_number(nr / (read + plan) * 1e9);
	out_number(100.0 * (double)result->with_call / nr);
}

static const struct out_column memory_columns[] = {
	{ "file", -24, 0 }, { "jumps", 8, 0 }, { "traps", 7, 0 }, { "text_kB", 8, 0 },
	{ "code_kB", 8, 0 }, { "data_kB", 8, 0 }, { "data_n_kB", 9, 0 }, { "code_B", 6, 0 },
	{ "shared/site", 11, 0 }, { "own/site", 8, 0 }, { NULL, 0, 0 },
};

static void print_memory(const struct result *result)
{
	double nr = (double)(result->jumps + result->traps), page_kb = PAGE / 1024.0;

	out_text(base_name(result->path));
	out_number((double)result->jumps);
	out_number((double)result->traps);
	out_number((double)result->text_pages * page_kb);
	out_number((double)result->code_pages * page_kb);
	out_number((double)result->data_solo * page_kb);
	out_number((double)result->data_many * page_kb);
	out_number((double)result->code_bytes / nr);
	out_number((double)((result->text_pages + result->code_pages) * PAGE) / nr);
	out_number((double)(result->data_solo * PAGE) / nr);
}

static void print_all(const struct result *result, int nr)
{
	out_table("planning", "Planning all functions of a file: one thread", speed_columns);
	for (int i = 0; i < nr; i++)
		print_speed(&result[i]);
	out_table("memory", "Memory of that: text and code once a machine, data each process",
		  memory_columns);
	for (int i = 0; i < nr; i++)
		print_memory(&result[i]);
}

int main(int argc, char **argv)
{
	int option, rounds = 5, nr = 0;
	struct result *result = calloc((size_t)argc, sizeof(*result));

	while ((option = getopt(argc, argv, "jr:")) != -1) {
		if (option == 'j')
			out_as_json(true);
		else if (option == 'r')
			rounds = atoi(optarg);
		else
			return 2;
	}
	for (; optind < argc; optind++) {
		struct instr_err err = { 0 };
		int code = 0;

		result[nr].path = argv[optind];
		for (int i = 0; i < rounds && !code; i++)
			code = measure(&result[nr], &err);
		if (code)
			out_note("%s", err.text);
		else
			nr++;
	}
	print_all(result, nr);
	free(result);
	return 0;
}
