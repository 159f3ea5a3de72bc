// SPDX-License-Identifier: GPL-2.0
/*
 * Needed libraries: which files the loader would load for a program, breadth
 * first as it does. It is a forecast: preloads, dlopen() and namespaces of the
 * program's own are not known here.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "array.h"
#include "clean.h"
#include "err.h"
#include "file.h"
#include "ldcache.h"

#define CACHE_PATH "/etc/ld.so.cache"

/* No program has as many; a ring of broken files must end. */
#define NEEDED_MAX 4096

static const char default_path[] =
	"/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib64:/usr/lib64:/lib:/usr/lib";

/* A file that was found; the first is the program, which is not ours to close. */
struct loaded {
	struct instr_file *file;
	char *name;		/* as it was asked for; NULL: the program */
};

struct walk {
	const char *env_path;
	struct ldcache cache;
	struct loaded *loaded;
	size_t nr;
};

/* ---- one folder, one path --------------------------------------------------- */

static bool is_open(const struct walk *walk, const struct instr_file *file)
{
	struct stat a, b;

	if (fstat(file->fd, &a))
		return true;
	for (size_t i = 0; i < walk->nr; i++) {
		if (!fstat(walk->loaded[i].file->fd, &b) && a.st_dev == b.st_dev &&
		    a.st_ino == b.st_ino)
			return true;
	}
	return false;
}

static struct instr_file *open_in(const char *folder, size_t folder_len, const char *name)
{
	struct instr_file *file = NULL;
	const char *sub;
	char path[4096];

	for (size_t i = 0; !file && (sub = ldcache_subfolder(i)); i++) {
		int len = snprintf(path, sizeof(path), "%.*s/%s%s", (int)folder_len, folder, sub,
				   name);

		if (len > 0 && (size_t)len < sizeof(path))
			instr_file_open(path, &file, NULL);
	}
	return file;
}

/*
 * Writes @folder with $ORIGIN replaced; false: too long, or with something else
 * behind a '$'.
 */
static bool expand(const char *folder, size_t len, const char *origin, char *to, size_t to_len)
{
	static const char *const token[] = { "$ORIGIN", "${ORIGIN}" };
	size_t used = 0;

	for (size_t at = 0; at < len;) {
		size_t skip = 0;

		for (size_t i = 0; i < 2; i++) {
			if (!strncmp(folder + at, token[i], strlen(token[i])))
				skip = strlen(token[i]);
		}
		if ((folder[at] == '$' && !skip) || used + strlen(origin) + 2 > to_len)
			return false;
		if (skip)
			used += (size_t)sprintf(to + used, "%s", origin);
		else
			to[used++] = folder[at];
		at += skip ? skip : 1;
	}
	to[used] = '\0';
	return used;
}

/* The folder that @file is in. */
static char *origin_of(const struct instr_file *file)
{
	char *path = realpath(file->path, NULL);
	char *slash = path ? strrchr(path, '/') : NULL;

	if (slash)
		slash[slash == path] = '\0';
	return path;
}

/* Looks in each folder of @folders, as @by has written them. */
static struct instr_file *open_along(const char *folders, const struct instr_file *by,
				     const char *name)
{
	CLEAN(free) char *origin = origin_of(by);
	struct instr_file *file = NULL;
	char folder[4096];

	while (folders && *folders && !file) {
		size_t len = strcspn(folders, ":;");

		if (len && expand(folders, len, origin ? origin : "", folder, sizeof(folder)))
			file = open_in(folder, strlen(folder), name);
		folders += len;
		folders += *folders != '\0';
	}
	return file;
}

/* ---- one library ------------------------------------------------------------ */

static const char *dynamic_string_of(const struct instr_file *file, int64_t tag)
{
	uint64_t at;

	return file_dynamic(file, tag, &at) ? file_dynamic_string(file, at) : NULL;
}

/* RPATH counts only where there is no RUNPATH, and for what others need too. */
static struct instr_file *open_by_rpath(const struct walk *walk, const struct instr_file *by,
					const char *name)
{
	const struct instr_file *program = walk->loaded[0].file;
	struct instr_file *file;

	if (dynamic_string_of(by, DT_RUNPATH))
		return NULL;
	file = open_along(dynamic_string_of(by, DT_RPATH), by, name);
	if (!file && by != program && !dynamic_string_of(program, DT_RUNPATH))
		file = open_along(dynamic_string_of(program, DT_RPATH), program, name);
	return file;
}

static struct instr_file *open_cached(const struct walk *walk, const char *name)
{
	const char *path = ldcache_find(&walk->cache, name);
	struct instr_file *file = NULL;

	if (path)
		instr_file_open(path, &file, NULL);
	return file;
}

static struct instr_file *open_path(const struct instr_file *by, const char *name)
{
	CLEAN(free) char *origin = origin_of(by);
	struct instr_file *file = NULL;
	char path[4096];

	if (expand(name, strlen(name), origin ? origin : "", path, sizeof(path)))
		instr_file_open(path, &file, NULL);
	return file;
}

static struct instr_file *open_needed(const struct walk *walk, const struct instr_file *by,
				      const char *name)
{
	struct instr_file *file;

	if (strchr(name, '/'))
		return open_path(by, name);
	file = open_by_rpath(walk, by, name);
	if (!file)
		file = open_along(walk->env_path, by, name);
	if (!file)
		file = open_along(dynamic_string_of(by, DT_RUNPATH), by, name);
	if (!file)
		file = open_cached(walk, name);
	return file ? file : open_along(default_path, by, name);
}

/* ---- all of them ------------------------------------------------------------ */

static bool walk_has(const struct walk *walk, const char *name)
{
	for (size_t i = 1; i < walk->nr; i++) {
		const char *soname = instr_file_soname(walk->loaded[i].file);

		if (!strcmp(walk->loaded[i].name, name) || (soname && !strcmp(soname, name)))
			return true;
	}
	return false;
}

static int walk_add(struct walk *walk, const struct instr_file *by, const char *name,
		    struct instr_err *err)
{
	if (walk->nr >= NEEDED_MAX || walk_has(walk, name))
		return 0;

	CLEAN(file) struct instr_file *file = open_needed(walk, by, name);

	if (!file || is_open(walk, file))
		return 0;

	struct loaded new = { .file = file, .name = strdup(name) };

	if (!new.name || !ARRAY_PUSH(walk->loaded, walk->nr, new)) {
		free(new.name);
		return err_memory(err);
	}
	TAKE(file);
	return 0;
}

static int walk_run(struct walk *walk, struct instr_err *err)
{
	for (size_t i = 0; i < walk->nr; i++) {
		const struct instr_file *by = walk->loaded[i].file;

		for (size_t n = 0; n < by->nr_dynamic; n++) {
			const Elf64_Dyn *entry = &by->dynamic[n];
			const char *name = entry->d_tag != DT_NEEDED ? NULL :
					   file_dynamic_string(by, entry->d_un.d_val);
			int code = name && *name ? walk_add(walk, by, name, err) : 0;

			if (code)
				return code;
		}
	}
	return 0;
}

static int walk_paths(const struct walk *walk, char ***ret, size_t *nr, struct instr_err *err)
{
	char **paths = calloc(walk->nr, sizeof(*paths));

	for (size_t i = 1; paths && i < walk->nr; i++) {
		paths[i - 1] = strdup(walk->loaded[i].file->path);
		if (paths[i - 1])
			continue;
		instr_paths_free(paths, walk->nr);
		paths = NULL;
	}
	if (!paths)
		return err_memory(err);
	*ret = paths;
	*nr = walk->nr - 1;
	return 0;
}

static void walk_exit(struct walk *walk)
{
	for (size_t i = 1; i < walk->nr; i++) {
		instr_file_close(walk->loaded[i].file);
		free(walk->loaded[i].name);
	}
	free(walk->loaded);
	ldcache_exit(&walk->cache);
}

int instr_file_needed(const struct instr_file *file, const char *env_path,
		      char ***ret, size_t *nr, struct instr_err *err)
{
	struct loaded program = { .file = (struct instr_file *)file };
	struct walk walk = { .env_path = env_path };
	int code;

	ldcache_init(&walk.cache, CACHE_PATH);
	code = ARRAY_PUSH(walk.loaded, walk.nr, program) ? 0 : err_memory(err);
	if (!code)
		code = walk_run(&walk, err);
	if (!code)
		code = walk_paths(&walk, ret, nr, err);
	walk_exit(&walk);
	return code;
}

void instr_paths_free(char **paths, size_t nr)
{
	for (size_t i = 0; paths && i < nr; i++)
		free(paths[i]);
	free(paths);
}
