/* SPDX-License-Identifier: GPL-2.0 */
/* /etc/ld.so.cache: where the loader finds libraries by name. */
#ifndef LIBINSTR_LDCACHE_H
#define LIBINSTR_LDCACHE_H

#include <stddef.h>

struct ldcache {
	char *bytes;
	size_t len;
};

/* A cache that can't be read, or is none, is empty. */
void ldcache_init(struct ldcache *cache, const char *path);
void ldcache_exit(struct ldcache *cache);

/* The path of library @name, the best for this processor, or NULL. */
const char *ldcache_find(const struct ldcache *cache, const char *name);

/*
 * Below a folder of libraries are those for better processors: the @i-th
 * subfolder to look at, the best first; NULL: no more. The last is "".
 */
const char *ldcache_subfolder(size_t i);

#endif
