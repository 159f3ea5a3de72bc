// SPDX-License-Identifier: GPL-2.0
/*
 * The loader's cache, as glibc has written it since 2.2: a head, entries, and
 * strings that are counted from the head.
 */

#include "ldcache.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

#include "clean.h"
#include "file.h"

#define MAGIC "glibc-ld.so.cache1.1"
#define FLAGS_X86_64 0x0303	/* ELF, for libc6, in a lib64 */

struct head {
	char magic[20];
	uint32_t nr;
	uint32_t strings_len;
	uint32_t flags;
	uint32_t extension;
	uint32_t unused[3];
};

struct entry {
	uint32_t flags;
	uint32_t name, path;
	uint32_t os_version;
	uint64_t hwcap;		/* 0: for any processor */
};

static const struct {
	const char *folder;
	int level;
} subfolders[] = {
	{ "glibc-hwcaps/x86-64-v4/", 4 },
	{ "glibc-hwcaps/x86-64-v3/", 3 },
	{ "glibc-hwcaps/x86-64-v2/", 2 },
	{ "", 1 },
};

#define NR_SUBFOLDERS (sizeof(subfolders) / sizeof(subfolders[0]))

static int processor_level(void)
{
	if (__builtin_cpu_supports("x86-64-v4"))
		return 4;
	if (__builtin_cpu_supports("x86-64-v3"))
		return 3;
	return __builtin_cpu_supports("x86-64-v2") ? 2 : 1;
}

const char *ldcache_subfolder(size_t i)
{
	size_t first = 0;

	while (subfolders[first].level > processor_level())
		first++;
	return first + i < NR_SUBFOLDERS ? subfolders[first + i].folder : NULL;
}

/* 0: not for this processor, or for one of another kind. */
static int path_level(const char *path, uint64_t hwcap)
{
	if (!hwcap)
		return 1;
	for (size_t i = 0; i + 1 < NR_SUBFOLDERS; i++) {
		if (strstr(path, subfolders[i].folder))
			return subfolders[i].level <= processor_level() ? subfolders[i].level : 0;
	}
	return 0;
}

void ldcache_init(struct ldcache *cache, const char *path)
{
	CLEAN(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat stat;
	ssize_t len;

	*cache = (struct ldcache){ .bytes = NULL };
	if (fd < 0 || fstat(fd, &stat) || stat.st_size < (off_t)sizeof(struct head))
		return;
	cache->bytes = malloc((size_t)stat.st_size);
	if (!cache->bytes)
		return;
	len = read(fd, cache->bytes, (size_t)stat.st_size);
	if (len >= (ssize_t)sizeof(struct head) &&
	    !memcmp(cache->bytes, MAGIC, sizeof(MAGIC) - 1))
		cache->len = (size_t)len;
}

void ldcache_exit(struct ldcache *cache)
{
	free(cache->bytes);
}

const char *ldcache_find(const struct ldcache *cache, const char *name)
{
	const char *best = NULL;
	int best_level = 0;
	struct head head;
	struct entry entry;

	if (!cache->len)
		return NULL;
	memcpy(&head, cache->bytes, sizeof(head));
	for (size_t i = 0; i < head.nr; i++) {
		size_t at = sizeof(head) + i * sizeof(entry);

		if (at + sizeof(entry) > cache->len)
			break;
		memcpy(&entry, cache->bytes + at, sizeof(entry));

		const char *found = file_string(cache->bytes, cache->len, entry.name);
		const char *path = file_string(cache->bytes, cache->len, entry.path);

		if (entry.flags != FLAGS_X86_64 || !found || !path || strcmp(found, name))
			continue;
		if (path_level(path, entry.hwcap) > best_level) {
			best_level = path_level(path, entry.hwcap);
			best = path;
		}
	}
	return best;
}
