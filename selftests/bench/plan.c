// SPDX-License-Identifier: GPL-2.0
/*
 * Planning: how fast, and what memory its result needs where it is placed.
 *
 *	plan [-j] [-r ROUNDS] FILE...
 *
 * CPU time of one thread, the median of ROUNDS. "read" is from opening the file to
 * its list of functions, "plan" from that to what goes to the kernel: with no cache of
 * plans, with one, and with one for 10,000 functions and for one.
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

struct memory {
	size_t jumps, traps, with_call;
	size_t text_pages, code_pages, data_solo, data_many;
};

struct result {
	struct series read, plan, cached, some, one;	/* ns */
	const char *path;
	size_t functions;
	struct memory all, of_some, of_one;
};

/* As many as one attaches at once. */
#define SOME 10000

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

static size_t code_pages(const struct instr_plan *plan)
{
	struct pages pages = { 0 };

	for (size_t i = 0; i < plan->nr_chunks; i++)
		pages_touch(&pages, plan->chunk[i].offset, plan->chunk[i].len);
	return pages.nr;
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
	if (site->calls)
		return false;
	for (unsigned int i = 0; i < site->nr_moved; i++) {
		if (site->old[site->moved[i].old_at] == 0xe8)
			return true;
	}
	return false;
}

static void memory_of_plan(const struct instr_plan *plan, struct memory *memory)
{
	*memory = (struct memory){ 0 };
	for (size_t i = 0; i < plan->nr; i++) {
		memory->jumps += plan->site[i].how == INSTR_HOW_JUMP;
		memory->traps += plan->site[i].how == INSTR_HOW_TRAP;
		memory->with_call += displaces_call(&plan->site[i]);
	}
	memory->text_pages = text_pages(plan);
	memory->code_pages = code_pages(plan);
	memory->data_solo = data_pages(plan, 1);
	memory->data_many = data_pages(plan, plan->nr_shards);
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

/* An empty @cache: none. */
static int plan_time(struct instr_file *file, const struct instr_place *place, size_t nr,
		     const char *cache, struct series *ns, struct memory *memory,
		     struct instr_err *err)
{
	CLEAN(plan) struct instr_plan *plan = NULL;
	double begin;
	int code;

	setenv("INSTR_CACHE", cache, 1);
	begin = series_cpu_ns();
	code = instr_plan_create(file, place, nr, instr_distances(file)[0], &plan, err);
	series_add(ns, series_cpu_ns() - begin);
	if (!code)
		memory_of_plan(plan, memory);
	return code;
}

static int measure(struct result *result, const char *cache, struct instr_err *err)
{
	CLEAN(file) struct instr_file *file = NULL;
	CLEAN(free) struct instr_place *place = NULL;
	struct series fill = { 0 };
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
	place = all_places(func, nr, &nr);
	result->functions = nr;
	code = plan_time(file, place, nr, "", &result->plan, &result->all, err);
	if (!code && result->cached.nr == 0)
		code = plan_time(file, place, nr, cache, &fill, &result->all, err);
	if (!code)
		code = plan_time(file, place, nr, cache, &result->cached, &result->all, err);
	if (!code)
		code = plan_time(file, place, nr < SOME ? nr : SOME, cache, &result->some,
				 &result->of_some, err);
	if (!code)
		code = plan_time(file, place + nr / 2, 1, cache, &result->one,
				 &result->of_one, err);
	return code;
}

static void measure_all(struct result *result, int rounds, const char *cache)
{
	struct instr_err err = { 0 };

	for (int i = 0; i < rounds; i++) {
		if (measure(result, cache, &err)) {
			out_note("%s", err.text);
			return;
		}
	}
}

/* ---- telling ---------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const struct out_column speed_columns[] = {
	{ "file", -22, 0 }, { "functions", 9, 0 }, { "read_ms", 8, 1 }, { "plan_ms", 8, 1 },
	{ "plan/s", 9, 0 }, { "both/s", 9, 0 }, { "cached_ms", 9, 1 }, { "10k_ms", 7, 1 },
	{ "one_ms", 7, 1 },
	{ "calls%", 6, 2 }, { NULL, 0, 0 },
};

static void print_speed(const struct result *result)
{
	double read = series_median(&result->read), plan = series_median(&result->plan);
	double nr = (double)result->functions;

	out_text(base_name(result->path));
	out_number(nr);
	out_number(read / 1e6);
	out_number(plan / 1e6);
	out_number(nr / plan * 1e9);
	out_number(nr / (read + plan) * 1e9);
	out_number(series_median(&result->cached) / 1e6);
	out_number(series_median(&result->some) / 1e6);
	out_number(series_median(&result->one) / 1e6);
	out_number(100.0 * (double)result->all.with_call / nr);
}

static const struct out_column memory_columns[] = {
	{ "file", -22, 0 }, { "jumps", 7, 0 }, { "traps", 6, 0 }, { "text_kB", 7, 0 },
	{ "code_kB", 7, 0 }, { "data_kB", 7, 0 }, { "threads_kB", 10, 0 },
	{ "shared/site", 11, 0 }, { "own/site", 8, 0 }, { "one_kB", 6, 0 }, { NULL, 0, 0 },
};

static double pages_kb(size_t nr)
{
	return (double)(nr * PAGE) / 1024;
}

static void print_memory(const struct result *result)
{
	const struct memory *all = &result->all, *one = &result->of_one;
	double nr = (double)(all->jumps + all->traps);

	out_text(base_name(result->path));
	out_number((double)all->jumps);
	out_number((double)all->traps);
	out_number(pages_kb(all->text_pages));
	out_number(pages_kb(all->code_pages));
	out_number(pages_kb(all->data_solo));
	out_number(pages_kb(all->data_many));
	out_number((double)((all->text_pages + all->code_pages) * PAGE) / nr);
	out_number((double)(all->data_solo * PAGE) / nr);
	out_number(pages_kb(one->text_pages + one->code_pages + one->data_solo));
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

static void remove_cache(const char *cache)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", cache);
	if (system(command))
		out_note("%s is left", cache);
}

int main(int argc, char **argv)
{
	char cache[] = "/tmp/instr-bench-XXXXXX";
	int rounds = out_options(argc, argv, 5, SERIES_MAX), nr = 0;
	struct result *result = calloc((size_t)argc, sizeof(*result));

	if (!result || !mkdtemp(cache))
		return 1;
	for (; optind < argc; optind++) {
		result[nr].path = argv[optind];
		measure_all(&result[nr], rounds, cache);
		nr += result[nr].one.nr > 0;
	}
	remove_cache(cache);
	print_all(result, nr);
	free(result);
	return 0;
}
