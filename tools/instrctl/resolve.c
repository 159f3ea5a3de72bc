// SPDX-License-Identifier: GPL-2.0
/*
 * The FILE of a FILE:GLOB: first what the program has mapped, then what its
 * loader would map, preloaded or needed, then what it may still load by name. Of any
 * program: what all would load, or else execute, by that name.
 */

#include "resolve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libinstr/program.h"

static bool has_base_name(const char *path, const char *name)
{
	const char *base = strrchr(path, '/');

	return !strcmp(base ? base + 1 : path, name);
}

static bool has_soname(const char *path, const char *name)
{
	struct instr_file *file;
	const char *soname;
	bool same;

	if (instr_file_open(path, &file, NULL))
		return false;
	soname = instr_file_soname(file);
	same = soname && !strcmp(soname, name);
	instr_file_close(file);
	return same;
}

/* By its path as the program sees it, or by its name. */
static bool map_is_called(const struct instr_map *map, const char *name)
{
	return map->is_text && (strchr(name, '/') ? !strcmp(map->name, name) :
						    has_base_name(map->name, name));
}

static bool map_has_soname(const struct instr_maps *maps, const struct instr_map *map,
			   const char *name)
{
	char *path;
	bool same;

	if (!map->is_text || strchr(name, '/'))
		return false;
	path = instr_map_path(maps, map);
	same = path && has_soname(path, name);
	free(path);
	return same;
}

static char *find_mapped(const struct instr_maps *maps, const char *name)
{
	for (size_t i = 0; i < maps->nr; i++)
		if (map_is_called(&maps->map[i], name))
			return instr_map_path(maps, &maps->map[i]);
	for (size_t i = 0; i < maps->nr; i++)
		if (map_has_soname(maps, &maps->map[i], name))
			return instr_map_path(maps, &maps->map[i]);
	return NULL;
}

static char *find_in(char **paths, size_t nr, const char *name)
{
	for (size_t i = 0; i < nr; i++)
		if (has_base_name(paths[i], name))
			return strdup(paths[i]);
	for (size_t i = 0; i < nr; i++)
		if (has_soname(paths[i], name))
			return strdup(paths[i]);
	return NULL;
}

/* Of a program that runs we do not know where it was told to look. */
static char *find_needed(const struct subject *subject, const char *name)
{
	const char *folders = subject->pid ? NULL : getenv("LD_LIBRARY_PATH");
	struct instr_file *exe;
	char **paths, *found = NULL;
	size_t nr;

	if (!subject->exe || instr_file_open(subject->exe, &exe, NULL))
		return NULL;
	if (!instr_file_needed(exe, folders, &paths, &nr, NULL)) {
		found = find_in(paths, nr, name);
		instr_paths_free(paths, nr);
	}
	instr_file_close(exe);
	return found;
}

/* What has no '/' is looked for as what is needed is. */
static char *preloaded_path(const char *entry, const char *name)
{
	char *path = NULL;

	if (!strchr(entry, '/'))
		return strcmp(entry, name) || instr_library_find(name, &path, NULL) ? NULL : path;
	return has_base_name(entry, name) || has_soname(entry, name) ? strdup(entry) : NULL;
}

/* As far as one can tell in advance. */
static char *find_preloaded(const struct subject *subject, const char *name)
{
	const char *list = subject->pid || !subject->exe ? NULL : getenv("LD_PRELOAD");
	char *found = NULL;

	while (list && *list && !found) {
		size_t len = strcspn(list, ": ");
		char *entry = strndup(list, len);

		if (entry)
			found = preloaded_path(entry, name);
		free(entry);
		list += len + (list[len] != '\0');
	}
	return found;
}

/* A library or, if there is none of that name, a program. */
static int find_for_any(const char *name, char **ret, struct instr_err *err)
{
	int code = instr_library_find(name, ret, err);
	char *path;

	if (!code || instr_program_find(name, &path, NULL))
		return code;
	code = instr_program_image(path, ret, err);
	free(path);
	return code;
}

int resolve_file(const struct subject *subject, const char *name, char **ret,
		 struct instr_err *err)
{
	char *path = find_mapped(&subject->maps, name);

	if (!path && strchr(name, '/'))
		path = strdup(name);
	if (!path)
		path = find_preloaded(subject, name);
	if (!path)
		path = find_needed(subject, name);
	if (!path && !subject->exe)
		return find_for_any(name, ret, err);
	if (!path)
		return instr_library_find(name, ret, err);
	*ret = path;
	return 0;
}

bool resolve_is_there(const struct subject *subject, const char *name)
{
	char *path = find_mapped(&subject->maps, name);
	bool found;

	if (!path)
		path = find_preloaded(subject, name);
	if (!path)
		path = find_needed(subject, name);
	if (!path && !subject->exe)
		instr_library_find(name, &path, NULL);
	found = path != NULL;
	free(path);
	return found;
}
