// SPDX-License-Identifier: GPL-2.0
/* Names of libraries to files, as the loader finds them for any program. */

#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ldcache.h"

#define CACHE_PATH	"/etc/ld.so.cache"

static char *cache_find(const char *name)
{
	struct ldcache cache;
	const char *path;
	char *found;

	ldcache_init(&cache, CACHE_PATH);
	path = ldcache_find(&cache, name);
	found = path ? strdup(path) : NULL;
	ldcache_exit(&cache);
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
