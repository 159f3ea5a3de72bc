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

#include "libinstr/program.h"
#include "say.h"

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

static int make_plan(const struct patterns *patterns, struct preview *preview,
		     struct instr_err *err)
{
	static const char *const all = "*";
	size_t nr_funcs;
	int code;

	code = instr_file_funcs(preview->file, &preview->func, &nr_funcs, err);
	if (code)
		return code;
	code = instr_funcs_match(preview->file, patterns->nr ? patterns->text : &all,
				 patterns->nr ?: 1, &preview->chosen, &preview->nr, err);
	if (code)
		return code;
	return instr_plan_create(preview->file, preview->chosen, preview->nr,
				 instr_distances(preview->file)[0], &preview->plan, err);
}

static void preview_close(struct preview *preview)
{
	if (preview->plan)
		instr_plan_destroy(preview->plan);
	free(preview->chosen);
	if (preview->file)
		instr_file_close(preview->file);
}

static int preview_open(const char *name, const struct patterns *patterns,
			struct preview *ret, struct instr_err *err)
{
	int code;

	*ret = (struct preview) { 0 };
	code = open_file(name, &ret->file, err);
	if (!code)
		code = make_plan(patterns, ret, err);
	if (code) {
		preview_close(ret);
		return code;
	}
	for (size_t i = 0; i < ret->plan->nr; i++)
		ret->count[ret->plan->site[i].how]++;
	return 0;
}

int preview_main(int argc, char **argv, void (*print_text)(const struct preview *preview),
		 void (*print_json)(const struct preview *preview))
{
	static const struct option longs[] = {
		{ "function", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		OPT_COMMON
	};
	void (*print)(const struct preview *preview) = print_text;
	struct patterns patterns = { 0 };
	struct instr_err err = { 0 };
	struct preview preview;
	int option;

	while ((option = opt_next(argc, argv, ":f:j" OPT_COMMON_SHORT, longs)) >= 0) {
		if (option == 'f')
			patterns_add(&patterns, optarg);
		else
			print = print_json;
	}
	if (optind == argc)
		return usage_error("which FILE?");
	if (argc - optind > 1)
		return usage_error("%s: one FILE is enough", argv[optind + 1]);

	if (preview_open(argv[optind], &patterns, &preview, &err))
		return say_error(&err, EXIT_NO);
	print(&preview);
	preview_close(&preview);
	free(patterns.text);
	return EXIT_DONE;
}

void preview_summary(const struct preview *preview, char *text, size_t text_len)
{
	snprintf(text, text_len, "%zu function%s: %zu jump, %zu trap, %zu refused",
		 preview->plan->nr, preview->plan->nr == 1 ? "" : "s",
		 preview->count[INSTR_HOW_JUMP], preview->count[INSTR_HOW_TRAP],
		 preview->count[INSTR_HOW_REFUSED]);
}
