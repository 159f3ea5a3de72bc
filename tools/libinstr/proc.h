/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A running process, as /proc tells it. Everything here may be outdated when it
 * returns: the module checks again.
 */
#ifndef LIBINSTR_PROC_H
#define LIBINSTR_PROC_H

#include "libinstr.h"

/*
 * The process that @pid is a thread of. -ESRCH: there is none, -EPERM: a kernel
 * thread, -ECHILD: it has ended, and waits for its parent.
 */
int instr_proc_find(pid_t pid, pid_t *ret, struct instr_err *err);

/*
 * What the process runs: a path that opens it even where the file was deleted
 * or lies in another mount namespace, and its name for people. Both are freed
 * by the caller.
 */
int instr_proc_exe(pid_t pid, char **path, char **name, struct instr_err *err);

struct instr_map {
	uint64_t start, end;	/* vaddr */
	uint64_t offset;	/* in the file */
	bool is_text;		/* a private mapping of a file that may be run */
	const char *name;	/* "" where there is none */
};

struct instr_maps {
	pid_t pid;
	size_t nr;
	struct instr_map *map;
	char *text;
};

int instr_maps_read(pid_t pid, struct instr_maps *ret, struct instr_err *err);
void instr_maps_free(struct instr_maps *maps);

/* A path of what lies behind @map, if we may open that; freed by the caller. */
char *instr_map_path(const struct instr_maps *maps, const struct instr_map *map);

/* It maps the file that is open as @fd. */
bool instr_map_is(const struct instr_maps *maps, const struct instr_map *map, int fd);

/* It is called what slabs are; who else calls a mapping so isn't known. */
bool instr_map_is_slab(const struct instr_map *map);

/* From now on something lies in [start, start + len). */
int instr_maps_take(struct instr_maps *maps, uint64_t start, uint64_t len, struct instr_err *err);
/* Nothing lies in [start, start + len), and something may. */
bool instr_maps_is_free(const struct instr_maps *maps, uint64_t start, uint64_t len);

#endif
