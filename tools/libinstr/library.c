// SPDX-License-Identifier: GPL-2.0
/*
 * Names of libraries to files, as the loader finds them for any program.
 *
 * /etc/ld.so.cache is a header, sorted entries, and the strings they refer to by
 * their distance from the header. Glibc writes nothing else since 2.32; a cache
 * of another form is as good as none.
 */

#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CACHE_PATH	"/etc/ld.so.cache"
#define CACHE_MAGIC	"glibc-ld.so.cache1.1"
#define CACHE_MAX	(64 << 20)
/* A library for glibc's x86-64 programs. */
#define ENTRY_FLAGS	0x0303

struct cache_entry {
	int32_t flags;
	uint32_t name, path;
	uint32_t unused;
	uint64_t hwcap;
};

struct cache {
	char magic[20];
	uint32_t nr;
	uint32_t unused[6];
	struct cache_entry entry[];
};

static struct cache *cache_read(size_t *len)
{
	FILE *file = fopen(CACHE_PATH, "re");
	struct cache *cache;

	if (!file)
		return NULL;
	cache = calloc(1, CACHE_MAX + 1);
	*len = cache ? fread(cache, 1, CACHE_MAX, file) : 0;
	fclose(file);
	if (*len < sizeof(*cache) ||
	    memcmp(cache->magic, CACHE_MAGIC, sizeof(cache->magic)) ||
	    cache->nr > (*len - sizeof(*cache)) / sizeof(*cache->entry)) {
		free(cache);
		return NULL;
	}
	return cache;
}

/* Strings end within the file: cache_read() put a zero behind it. */
static const char *cache_string(const struct cache *cache, size_t len, uint32_t at)
{
	return at < len ? (const char *)cache + at : "";
}

static char *cache_find(const char *name)
{
	size_t len;
	struct cache *cache = cache_read(&len);
	char *found = NULL;

	if (!cache)
		return NULL;
	for (uint32_t i = 0; i < cache->nr && !found; i++) {
		const struct cache_entry *entry = &cache->entry[i];

		/* Variants for newer processors are the loader's choice, not ours. */
		if (entry->flags == ENTRY_FLAGS && !entry->hwcap &&
		    !strcmp(cache_string(cache, len, entry->name), name))
			found = strdup(cache_string(cache, len, entry->path));
	}
	free(cache);
	return found;
}

static char *folders_find(const char *name)
{
	static const char *const folders[] = {
		"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu",
		"/lib64", "/usr/lib64", "/lib", "/usr/lib",
	};
	char *path;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if (asprintf(&path, "%s/%s", folders[i], name) < 0)
			return NULL;
		if (!access(path, R_OK))
			return path;
		free(path);
	}
	return NULL;
}

int instr_library_find(const char *name, char **ret, struct instr_err *err)
{
	char *path = cache_find(name) ?: folders_find(name);

	if (!path) {
		instr_fail(err, -ENOENT, "%s: no such library", name);
		return instr_hint(err, -ENOENT, "name a file by its path, with a '/' in it");
	}
	*ret = path;
	return 0;
}
