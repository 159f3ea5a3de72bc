// SPDX-License-Identifier: GPL-2.0
/*
 * A preview: see preview.h.
 */

#include "preview.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libinstr/array.h"
#include "libinstr/program.h"
#include "say.h"
#include "timable.h"

/* A path, or the name of a file here, of a command, or of a library, in this order. */
static int find_path(const char *name, char **ret, struct instr_err *err)
{
	if (strchr(name, '/') || !access(name, F_OK)) {
		*ret = strdup(name);
		return *ret ? 0 : instr_fail(err, -ENOMEM, "out of memory");
	}
	if (!instr_program_find(name, ret, NULL) || !instr_library_find(name, ret, NULL))
		return 0;
	instr_fail(err, -ENOENT, "%s: no such file, command or library", name);
	return instr_hint(err, -ENOENT, "name a file by its path");
}

static int open_file(const char *name, struct instr_file **ret, struct instr_err *err)
{
	char *path;
	int code = find_path(name, &path, err);

	if (code)
		return code;
	code = instr_file_open(path, ret, err);
	free(path);
	return code;
}

static const char *all = "*";
static const struct patterns all_patterns = { 1, &all };

static int choose(const struct patterns *patterns, struct preview *preview,
		  struct instr_err *err)
{
	size_t nr_funcs;
	int code = instr_file_funcs(preview->file, &preview->func, &nr_funcs, err);

	if (code)
		return code;
	code = instr_places_match(preview->file, patterns->text, patterns->nr,
				  &preview->chosen, &preview->nr, err);
	if (code || !preview->timed)
		return code;
	return timable_only(preview->file, patterns, preview->chosen, &preview->nr, err);
}

static int make_plan(struct preview *preview, const struct instr_place *places, size_t nr,
		     struct instr_err *err)
{
	struct instr_distance distance = instr_distances(preview->file)[0];

	if (preview->timed)
		return instr_plan_exits(preview->file, INSTR_TIMES, preview->way, places, nr,
					distance, &preview->plan, err);
	return instr_plan_create(preview->file, places, nr, distance, &preview->plan, err);
}

/*
 * There is no plan if all that was chosen is refused, but one of the whole file
 * has it, and why.
 */
static int make_plan_of_all(struct preview *preview)
{
	struct instr_place *places;
	size_t nr;
	int code = instr_places_match(preview->file, &all, 1, &places, &nr, NULL);

	if (code)
		return code;
	code = make_plan(preview, places, nr, NULL);
	free(places);
	return code;
}

static bool same_place(const struct preview *preview, struct instr_place a,
		       struct instr_place b)
{
	return (a.func == INSTR_POINTER) == (b.func == INSTR_POINTER) &&
	       instr_place_info(preview->file, a).vaddr ==
	       instr_place_info(preview->file, b).vaddr;
}

/* ---- the sites of each ------------------------------------------------------ */

/* How bad it is that a function has a site of that kind. */
static enum instr_how worst_of(const struct preview *preview, size_t i)
{
	enum instr_how how = preview->site[i]->how;
	size_t nr;
	const struct instr_plan_site *const *site = preview_sites(preview, i, &nr);

	for (size_t j = 0; j < nr && preview->timed; j++)
		if (site[j]->how == INSTR_HOW_TRAP)
			how = INSTR_HOW_TRAP;
	return how;
}

static int compare_sites(const void *a, const void *b)
{
	const struct instr_plan_site *x = *(const struct instr_plan_site *const *)a;
	const struct instr_plan_site *y = *(const struct instr_plan_site *const *)b;

	if (x->record != y->record)
		return x->record < y->record ? -1 : 1;
	if (x->enters != y->enters)
		return x->enters ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* What only unwinds stacks is no part of a function's time. */
static int sort_sites(struct preview *preview, struct instr_err *err)
{
	const struct instr_plan *plan = preview->plan;

	preview->all = calloc(plan->nr + 1, sizeof(*preview->all));
	if (!preview->all)
		return instr_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < plan->nr; i++)
		if (plan->site[i].enters || plan->site[i].exits)
			preview->all[preview->nr_all++] = &plan->site[i];
	if (preview->nr_all)
		qsort(preview->all, preview->nr_all, sizeof(*preview->all), compare_sites);
	return 0;
}

const struct instr_plan_site *const *preview_sites(const struct preview *preview, size_t i,
						   size_t *nr)
{
	const struct instr_plan_site *site = preview->site[i];
	size_t first = ARRAY_LOWER(preview->all, preview->nr_all, ->record, site->record);

	*nr = site->how != INSTR_HOW_REFUSED;
	if (!preview->timed || !*nr)
		return &preview->site[i];
	while (first + *nr < preview->nr_all &&
	       preview->all[first + *nr]->record == site->record)
		++*nr;
	return &preview->all[first];
}

const char *preview_exits(const struct preview *preview, size_t i)
{
	size_t nr;
	const struct instr_plan_site *const *site = preview_sites(preview, i, &nr);
	const char *how = nr ? "none" : "-";

	if (nr && site[0]->by_slot)
		return "slot";
	for (size_t j = 0; j < nr; j++) {
		if (!site[j]->exits)
			continue;
		how = instr_how_name(site[j]->how);
		if (site[j]->how == INSTR_HOW_TRAP)
			break;
	}
	return how;
}

const char *preview_reason(const struct preview *preview, size_t i)
{
	enum instr_reason reason = preview->site[i]->reason;
	size_t nr;
	const struct instr_plan_site *const *site = preview_sites(preview, i, &nr);

	for (size_t j = 0; j < nr && !reason; j++)
		reason = site[j]->reason;
	return instr_reason_text(reason);
}

/* The plan's places are in the order of their functions, and so are the chosen. */
static int find_sites(struct preview *preview, struct instr_err *err)
{
	const struct instr_plan *plan = preview->plan;
	size_t at = 0;

	preview->site = calloc(preview->nr, sizeof(*preview->site));
	if (!preview->site)
		return instr_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < preview->nr; i++) {
		while (at < plan->nr_places &&
		       !same_place(preview, instr_plan_place(plan, at)->place,
				   preview->chosen[i]))
			at++;
		if (at == plan->nr_places)
			return instr_fail(err, -ENOENT, "%s: is in no plan",
					  instr_place_info(preview->file,
							   preview->chosen[i]).name);
		preview->site[i] = instr_plan_place(plan, at);
	}
	return preview->timed ? sort_sites(preview, err) : 0;
}

static void count_sites(struct preview *preview)
{
	for (size_t i = 0; i < preview->nr; i++)
		preview->count[worst_of(preview, i)]++;
}

static void preview_close(struct preview *preview)
{
	if (preview->plan)
		instr_plan_destroy(preview->plan);
	free(preview->site);
	free(preview->all);
	free(preview->chosen);
	if (preview->file)
		instr_file_close(preview->file);
}

/* @ret says how. */
static int preview_open(const char *name, const struct patterns *patterns,
			struct preview *ret, struct instr_err *err)
{
	int code;

	code = open_file(name, &ret->file, err);
	if (!code)
		code = choose(patterns->nr ? patterns : &all_patterns, ret, err);
	if (!code)
		code = make_plan(ret, ret->chosen, ret->nr, err);
	if (code == -ENOSPC && patterns->nr && !make_plan_of_all(ret))
		code = 0;
	if (!code)
		code = find_sites(ret, err);
	if (code)
		preview_close(ret);
	else
		count_sites(ret);
	return code;
}

int preview_main(int argc, char **argv, void (*print_text)(const struct preview *preview),
		 void (*print_json)(const struct preview *preview))
{
	static const struct option longs[] = {
		OPT_EXIT,
		{ "function", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ "time", no_argument, NULL, 'T' },
		OPT_COMMON
	};
	void (*print)(const struct preview *preview) = print_text;
	struct patterns patterns = { 0 };
	struct instr_err err = { 0 };
	struct preview preview = { 0 };
	int option;

	while ((option = opt_next(argc, argv, ":f:jT" OPT_COMMON_SHORT, longs)) >= 0) {
		if (option == 'f')
			patterns_add(&patterns, optarg);
		else if (option == 'T')
			preview.timed = true;
		else if (option == OPT_EXIT_VALUE)
			preview.way = opt_exit(optarg);
		else
			print = print_json;
	}
	if (optind == argc)
		return usage_error("which FILE?");
	if (argc - optind > 1)
		return usage_error("%s: one FILE is enough", argv[optind + 1]);
	if (preview.way && !preview.timed)
		return usage_error("--exit: only with --time");

	if (preview_open(argv[optind], &patterns, &preview, &err))
		return say_error(&err, EXIT_NO);
	print(&preview);
	preview_close(&preview);
	free(patterns.text);
	return EXIT_DONE;
}

void preview_summary(const struct preview *preview, char *text, size_t text_len)
{
	const size_t *count = preview->count;
	char pointers[32] = "";
	bool inside = false;

	for (size_t i = 0; i < preview->nr; i++)
		inside |= preview->chosen[i].at != 0;
	if (count[INSTR_HOW_POINTER])
		snprintf(pointers, sizeof(pointers), "%zu pointer, ", count[INSTR_HOW_POINTER]);
	snprintf(text, text_len, "%zu %s%s: %zu jump, %zu trap, %s%zu refused", preview->nr,
		 inside ? "place" : "function", preview->nr == 1 ? "" : "s",
		 count[INSTR_HOW_JUMP], count[INSTR_HOW_TRAP], pointers,
		 count[INSTR_HOW_REFUSED]);
}
