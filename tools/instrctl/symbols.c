// SPDX-License-Identifier: GPL-2.0
/*
 * instrctl symbols: what debuggers and profilers have to know of a process's slabs.
 *
 * The process may have written anything to its slabs, and map what only looks like one.
 * libinstr sees to that; nor are folders trusted that the file is written to: see replace.c.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "libinstr/clean.h"
#include "libinstr/err.h"
#include "libinstr/proc.h"
#include "libinstr/symfile.h"
#include "replace.h"
#include "say.h"

const char help_symbols[] =
	"Tells a debugger or a profiler of the code that a running process has beside its\n"
	"text: writes an ELF file with names like malloc[instr], and how to unwind.\n"
	"\n"
	"  -p, --pid PID      the process\n"
	"  -o, --output FILE  write to FILE; default: instr-PID.elf in this folder\n"
	"  -m, --perf-map     write lines of \"START LENGTH NAME\" instead; default:\n"
	"                     /tmp/perf-PID.map\n"
	"\n"
	"  gdb -p PID -ex 'add-symbol-file instr-PID.elf'\n"
	"\n"
	"Above a frame in code that was moved is the function whose code that is, one byte\n"
	"behind the instruction that it stands for: \"finish\" is of no use there. Where only\n"
	"calls are counted nothing says how to unwind, and gdb has to guess.\n"
	"\n"
	"It is what is there now: do it again when another session has begun. A file that\n"
	"this wrote is replaced, any other refused. Only its owner may read it.\n";

struct request {
	pid_t pid;
	const char *path;
	bool perf_map;
};

/* ---- the process ----------------------------------------------------------- */

static bool is_slab(const struct instr_map *map)
{
	return map->is_text && instr_map_is_slab(map);
}

/* Of a process, and the file that one of its slabs has there, or -1. */
struct memory {
	int fd, file;
	uint64_t start, offset;	/* of the mapping, and in the file */
};

/*
 * To read what was never written would take memory for it, as long as the slab is there;
 * most of one that counts is like that.
 */
static bool is_hole(const struct memory *memory, uint64_t vaddr, size_t len)
{
	off_t at = (off_t)(vaddr - memory->start + memory->offset);
	off_t data = memory->file < 0 ? at : lseek(memory->file, at, SEEK_DATA);

	return data < 0 ? errno == ENXIO : data >= at + (off_t)len;
}

static bool read_memory(void *arg, uint64_t vaddr, void *to, size_t len)
{
	const struct memory *memory = arg;

	if (!is_hole(memory, vaddr, len))
		return pread(memory->fd, to, len, (off_t)vaddr) == (ssize_t)len;
	memset(to, 0, len);
	return true;
}

/* -1: it can't be seen, or the slab is not what the file has, but a private copy. */
static int open_slab_file(const struct instr_maps *maps, const struct instr_map *map)
{
	char link[96];
	struct stat stat_buf;

	snprintf(link, sizeof(link), "/proc/%d/map_files/%lx-%lx", maps->pid,
		 (unsigned long)map->start, (unsigned long)map->end);
	if (!strncmp(map->name, "/memfd:", strlen("/memfd:")) || stat(link, &stat_buf) ||
	    !S_ISREG(stat_buf.st_mode))
		return -1;
	return open(link, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/* NULL: it can't be opened; there are addresses instead of names then. */
static struct instr_file *open_map(const struct instr_maps *maps, const struct instr_map *map)
{
	CLEAN(free) char *path = instr_map_path(maps, map);
	CLEAN(file) struct instr_file *file = NULL;
	struct instr_err err = { 0 };
	struct stat stat_buf;

	if (!path)
		out_of_memory();
	if (stat(path, &stat_buf) || !S_ISREG(stat_buf.st_mode))
		instr_fail(&err, -ENOENT, "%s: not there any more", map->name);
	else if (!instr_file_open(path, &file, &err) &&
		 !instr_map_is(maps, map, instr_file_fd(file)))
		instr_fail(&err, -ESTALE, "%s: another file is mapped", map->name);
	if (!err.code)
		return TAKE(file);
	say(SAY_NOTE, "%s", err.text);
	return NULL;
}

/* The file whose offset 0 is at @base. */
static struct instr_file *open_text(const struct instr_maps *maps, uint64_t base)
{
	for (size_t i = 0; i < maps->nr; i++) {
		const struct instr_map *map = &maps->map[i];

		if (map->is_text && !is_slab(map) && map->start - map->offset == base)
			return open_map(maps, map);
	}
	return NULL;
}

static int add_slab(struct instr_symbols *symbols, const struct instr_maps *maps,
		    const struct instr_map *map, int fd, struct instr_err *err)
{
	CLEAN(file) struct instr_file *file = NULL;
	CLEAN(close) int slab_file = open_slab_file(maps, map);
	struct memory memory = { fd, slab_file, map->start, map->offset };
	struct symbols_slab slab = {
		.start = map->start,
		.len = map->end - map->start,
		.read = read_memory,
		.arg = &memory,
	};
	uint64_t base;
	int code = symbols_base(&slab, &base, err);

	if (!code) {
		file = open_text(maps, base);
		slab.file = file;
		code = symbols_add(symbols, &slab, err);
	}
	if (code != -EINVAL)
		return code;
	say(SAY_NOTE, "%s", err->text);
	return 0;
}

static int add_slabs(struct instr_symbols *symbols, const struct instr_maps *maps,
		     struct instr_err *err)
{
	char path[64];
	size_t nr = 0;
	int code = 0;

	snprintf(path, sizeof(path), "/proc/%d/mem", maps->pid);

	CLEAN(close) int memory = open(path, O_RDONLY | O_CLOEXEC);

	if (memory < 0)
		return err_errno(err, -errno, path);
	for (size_t i = 0; i < maps->nr && !code; i++) {
		if (!is_slab(&maps->map[i]))
			continue;
		if (nr++ == SYMFILE_SLABS_MAX)
			return instr_fail(err, -E2BIG, "process %d: has more than %d slabs",
					  maps->pid, SYMFILE_SLABS_MAX);
		code = add_slab(symbols, maps, &maps->map[i], memory, err);
	}
	if (!code && !symbols->nr_slabs)
		return instr_fail(err, -ENOENT, "process %d: has no slabs, as nothing of it was instrumented",
				  maps->pid);
	return code;
}

static int find_symbols(pid_t pid, struct instr_symbols *symbols, struct instr_err *err)
{
	struct instr_maps maps;
	int code = instr_maps_read(pid, &maps, err);

	if (code)
		return code;
	code = add_slabs(symbols, &maps, err);
	instr_maps_free(&maps);
	return code;
}

/* ---- the verb -------------------------------------------------------------- */

/* perf looks for its map where the process has its /tmp. */
static int check_namespace(pid_t pid, struct instr_err *err)
{
	struct stat ours, theirs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	if (stat(path, &theirs) || stat("/proc/self/ns/mnt", &ours))
		return err_errno(err, -errno, path);
	if (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino)
		return 0;
	instr_fail(err, -EXDEV, "process %d: has another /tmp, in which perf looks", pid);
	return instr_hint(err, -EXDEV, "name a file, and copy it there: -o FILE");
}

static const char *plural(size_t nr)
{
	return nr == 1 ? "" : "s";
}

static void summarise(const struct instr_symbols *symbols, const struct request *request)
{
	say(SAY_NOTE, "%s: %zu name%s in %zu slab%s; of %zu nothing says how to unwind",
	    request->path, symbols->nr_names, plural(symbols->nr_names), symbols->nr_slabs,
	    plural(symbols->nr_slabs), symbols->nr_bare);
	if (symbols->nr_broken)
		say(SAY_NOTE, "%zu description%s made no sense, and %s left out",
		    symbols->nr_broken, plural(symbols->nr_broken),
		    symbols->nr_broken == 1 ? "was" : "were");
	if (!request->perf_map)
		say_hint(SAY_NOTE, "in gdb: add-symbol-file %s", request->path);
}

static int run(const struct request *request, struct instr_symbols *symbols,
	       struct instr_err *err)
{
	CLEAN(free) uint8_t *bytes = NULL;
	size_t len;
	int code = find_symbols(request->pid, symbols, err);

	if (!code && request->perf_map)
		code = symfile_perf_map(symbols, &bytes, &len, err);
	else if (!code)
		code = symfile_elf(symbols, &bytes, &len, err);
	if (!code)
		code = replace_file(request->path, bytes, len, symfile_is_ours, err);
	return code;
}

/* NULL: it is an error. */
static const char *default_path(const struct request *request, char *path, size_t len,
				struct instr_err *err)
{
	if (request->perf_map && check_namespace(request->pid, err))
		return NULL;
	snprintf(path, len, request->perf_map ? "/tmp/perf-%d.map" : "instr-%d.elf",
		 request->pid);
	return path;
}

static int symbols_main(struct request *request)
{
	struct instr_symbols symbols = { 0 };
	struct instr_err err = { 0 };
	char path[64];
	int code = instr_proc_find(request->pid, &request->pid, &err);

	if (!code && !request->path)
		request->path = default_path(request, path, sizeof(path), &err);
	if (code || !request->path)
		return say_error(&err, EXIT_NO);
	code = run(request, &symbols, &err);
	if (!code)
		summarise(&symbols, request);
	symbols_exit(&symbols);
	return code ? say_error(&err, EXIT_NO) : EXIT_DONE;
}

int cmd_symbols(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "pid", required_argument, NULL, 'p' },
		{ "output", required_argument, NULL, 'o' },
		{ "perf-map", no_argument, NULL, 'm' },
		OPT_COMMON
	};
	struct request request = { 0 };
	int option;

	while ((option = opt_next(argc, argv, ":p:o:m" OPT_COMMON_SHORT, longs)) >= 0) {
		switch (option) {
		case 'p':
			request.pid = (pid_t)opt_number("-p", optarg, 1, INT32_MAX);
			break;
		case 'o':
			request.path = optarg;
			break;
		case 'm':
			request.perf_map = true;
			break;
		}
	}
	if (optind < argc)
		return usage_error("%s: not an option", argv[optind]);
	if (!request.pid)
		return usage_error("which process: -p PID?");
	return symbols_main(&request);
}
