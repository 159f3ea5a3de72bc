// SPDX-License-Identifier: GPL-2.0
#include "uprobe.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct place {
	uint64_t vaddr;
	uint64_t offset;	/* of the file; 0: not found */
	char path[PATH_MAX];
};

/* The program itself has no name here. */
static int find_offset(struct dl_phdr_info *info, size_t size, void *data)
{
	struct place *place = data;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type == PT_LOAD && place->vaddr >= start &&
		    place->vaddr < start + segment->p_filesz)
			place->offset = place->vaddr - start + segment->p_offset;
	}
	if (!place->offset)
		return 0;
	snprintf(place->path, sizeof(place->path), "%s", *info->dlpi_name ? info->dlpi_name :
							"/proc/self/exe");
	return 1;
}

static int pmu_type(void)
{
	FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "r");
	int type;

	if (!file)
		return -ENOENT;
	if (fscanf(file, "%d", &type) != 1)
		type = -EIO;
	fclose(file);
	return type;
}

/* See /sys/bus/event_source/devices/uprobe/format/retprobe. */
#define RETPROBE 1

/* @path: of a copy of the file that has it; NULL: that one. */
static int open_at(const void *at, const char *path, uint64_t config, pid_t pid, int processor)
{
	struct place place = { .vaddr = (uintptr_t)at };
	struct perf_event_attr attr = { .size = sizeof(attr) };
	int type = pmu_type(), fd;

	if (type < 0)
		return type;
	if (!dl_iterate_phdr(find_offset, &place))
		return -ENOENT;
	attr.type = (uint32_t)type;
	attr.config = config;
	attr.uprobe_path = (uintptr_t)(path ?: place.path);
	attr.probe_offset = place.offset;
	fd = (int)syscall(SYS_perf_event_open, &attr, pid, processor, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int uprobe_open(const void *at)
{
	return open_at(at, NULL, 0, 0, -1);
}

int uretprobe_open(const void *at)
{
	return open_at(at, NULL, RETPROBE, 0, -1);
}

int uprobe_open_all(const char *path, const void *at)
{
	return open_at(at, path, 0, -1, 0);
}

uint64_t uprobe_count(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}
