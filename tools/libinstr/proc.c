// SPDX-License-Identifier: GPL-2.0
/*
 * A running process, as /proc tells it.
 */

#include "proc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dev.h"
#include "err.h"

/* Of the flags in /proc/PID/stat. */
#define PF_KTHREAD	0x00200000
/* Below the last page of the address space. */
#define TASK_END	0x7ffffffff000ULL

static int proc_fail(struct instr_err *err, int code, pid_t pid)
{
	switch (code) {
	case -ENOENT:
	case -ESRCH:
		return instr_fail(err, -ESRCH, "process %d: no such process", pid);
	case -EACCES:
	case -EPERM:
		instr_fail(err, -EACCES, "process %d: must be root", pid);
		return instr_hint(err, -EACCES, INSTR_HINT_ROOT);
	default:
		return instr_fail(err, code, "process %d: %s", pid, strerror(-code));
	}
}

static FILE *proc_open(pid_t pid, const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	return fopen(path, "re");
}

static int read_tgid(pid_t pid, pid_t *ret)
{
	FILE *status = proc_open(pid, "status");
	char line[256];

	if (!status)
		return -errno;
	*ret = 0;
	while (!*ret && fgets(line, sizeof(line), status))
		sscanf(line, "Tgid: %d", ret);
	fclose(status);
	return *ret ? 0 : -ESRCH;
}

/* The name stands in parentheses, and may itself hold any character. */
static int read_stat(pid_t pid, char *state, unsigned int *flags)
{
	FILE *stat = proc_open(pid, "stat");
	char text[512];
	const char *rest;
	size_t len;

	if (!stat)
		return -errno;
	len = fread(text, 1, sizeof(text) - 1, stat);
	fclose(stat);
	text[len] = '\0';
	rest = strrchr(text, ')');
	if (!rest || sscanf(rest, ") %c %*d %*d %*d %*d %*d %u", state, flags) != 2)
		return -ESRCH;
	return 0;
}

int instr_proc_find(pid_t pid, pid_t *ret, struct instr_err *err)
{
	unsigned int flags;
	char state;
	int code = read_tgid(pid, ret);

	if (!code)
		code = read_stat(*ret, &state, &flags);
	if (code)
		return proc_fail(err, code, pid);
	if (flags & PF_KTHREAD)
		return instr_fail(err, -EPERM, "process %d: is a kernel thread", pid);
	if (state == 'Z' || state == 'X')
		return instr_fail(err, -ECHILD, "process %d: has ended already", pid);
	return 0;
}

static bool same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return !stat(a, &sa) && !stat(b, &sb) &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

int instr_proc_exe(pid_t pid, char **path, char **name, struct instr_err *err)
{
	char link[64], target[4096];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return proc_fail(err, -errno, pid);
	target[len] = '\0';
	*path = strdup(same_file(link, target) ? target : link);
	*name = strdup(target);
	if (*path && *name)
		return 0;
	free(*path);
	free(*name);
	return err_memory(err);
}

/* ---- mappings ------------------------------------------------------------- */

static char *read_all(FILE *file)
{
	char *text = NULL;
	size_t len = 0;
	ssize_t nr = getdelim(&text, &len, '\0', file);

	if (nr >= 0)
		return text;
	free(text);
	return ferror(file) ? NULL : strdup("");
}

static bool map_parse(char *line, struct instr_map *map)
{
	unsigned long start, end, offset;
	char perms[5];
	int name = 0;

	if (sscanf(line, "%lx-%lx %4s %lx %*s %*s %n", &start, &end, perms, &offset, &name) != 4)
		return false;
	map->start = start;
	map->end = end;
	map->offset = offset;
	map->name = line + name;
	map->is_text = perms[2] == 'x' && perms[3] == 'p' && map->name[0] == '/';
	return true;
}

static size_t count_lines(const char *text)
{
	size_t nr = 0;

	for (; *text; text++)
		nr += *text == '\n';
	return nr;
}

static int maps_parse(struct instr_maps *maps)
{
	char *line, *rest = maps->text;

	maps->map = calloc(count_lines(maps->text) + 1, sizeof(*maps->map));
	if (!maps->map)
		return -ENOMEM;
	while ((line = strsep(&rest, "\n")))
		if (map_parse(line, &maps->map[maps->nr]))
			maps->nr++;
	return 0;
}

int instr_maps_read(pid_t pid, struct instr_maps *ret, struct instr_err *err)
{
	FILE *file = proc_open(pid, "maps");
	int code = 0;

	*ret = (struct instr_maps) { .pid = pid };
	if (!file)
		return proc_fail(err, -errno, pid);
	ret->text = read_all(file);
	if (!ret->text)
		code = errno ? -errno : -ENOMEM;
	fclose(file);
	if (!code)
		code = maps_parse(ret);
	if (code) {
		instr_maps_free(ret);
		return proc_fail(err, code, pid);
	}
	return 0;
}

void instr_maps_free(struct instr_maps *maps)
{
	free(maps->map);
	free(maps->text);
	*maps = (struct instr_maps) { 0 };
}

static void map_link(const struct instr_maps *maps, const struct instr_map *map,
		     char *link, size_t link_len)
{
	snprintf(link, link_len, "/proc/%d/map_files/%lx-%lx", maps->pid,
		 (unsigned long)map->start, (unsigned long)map->end);
}

bool instr_map_is(const struct instr_maps *maps, const struct instr_map *map, int fd)
{
	char link[96];
	struct stat ours, theirs;

	map_link(maps, map, link, sizeof(link));
	if (!map->is_text || fstat(fd, &ours) ||
	    (stat(link, &theirs) && stat(map->name, &theirs)))
		return false;
	return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

/* The module's; an older one's; a memfd, as selftests/host makes them. */
bool instr_map_is_slab(const struct instr_map *map)
{
	static const char *const names[] = {
		"/dev/zero:instr-slab (deleted)", "/instr-slab (deleted)",
		"/memfd:instr-slab (deleted)",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(map->name, names[i]))
			return true;
	}
	return false;
}

char *instr_map_path(const struct instr_maps *maps, const struct instr_map *map)
{
	char link[96];

	map_link(maps, map, link, sizeof(link));
	/* The file's own name where it still leads there: it reads better. */
	return strdup(access(link, F_OK) || same_file(link, map->name) ? map->name : link);
}

static uint64_t lowest_address(void)
{
	FILE *file = fopen("/proc/sys/vm/mmap_min_addr", "re");
	unsigned long min = 0;

	if (file && fscanf(file, "%lu", &min) != 1)
		min = 0;
	if (file)
		fclose(file);
	return min > 65536 ? min : 65536;
}

bool instr_maps_is_free(const struct instr_maps *maps, uint64_t start, uint64_t len)
{
	if (start < lowest_address() || start >= TASK_END || len > TASK_END - start)
		return false;
	for (size_t i = 0; i < maps->nr; i++)
		if (maps->map[i].start < start + len && start < maps->map[i].end)
			return false;
	return true;
}

int instr_maps_take(struct instr_maps *maps, uint64_t start, uint64_t len, struct instr_err *err)
{
	struct instr_map *map = reallocarray(maps->map, maps->nr + 1, sizeof(*map));

	if (!map)
		return err_memory(err);
	maps->map = map;
	map[maps->nr++] = (struct instr_map) { .start = start, .end = start + len, .name = "" };
	return 0;
}
