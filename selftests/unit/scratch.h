/* SPDX-License-Identifier: GPL-2.0 */
/* Files that a test changes: copies in memory, with a path. */
#ifndef UNIT_SCRATCH_H
#define UNIT_SCRATCH_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch {
	uint8_t *bytes;
	size_t len;
	int fd;
	char path[64];
};

/* False: @path can't be read. */
static inline bool scratch_read(struct scratch *scratch, const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat stat;
	bool good;

	if (fd < 0 || fstat(fd, &stat)) {
		scratch->bytes = NULL;
		return false;
	}
	scratch->len = (size_t)stat.st_size;
	scratch->bytes = malloc(scratch->len);
	good = read(fd, scratch->bytes, scratch->len) == (ssize_t)scratch->len;
	close(fd);
	scratch->fd = memfd_create("scratch", 0);
	snprintf(scratch->path, sizeof(scratch->path), "/proc/self/fd/%d", scratch->fd);
	return good;
}

/* Makes the file hold @len bytes. */
static inline bool scratch_write(struct scratch *scratch, const void *bytes, size_t len)
{
	return !ftruncate(scratch->fd, 0) &&
	       pwrite(scratch->fd, bytes, len, 0) == (ssize_t)len;
}

static inline void scratch_exit(struct scratch *scratch)
{
	if (!scratch->bytes)
		return;
	free(scratch->bytes);
	close(scratch->fd);
}

#endif
