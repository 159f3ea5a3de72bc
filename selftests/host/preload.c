// SPDX-License-Identifier: GPL-2.0
/*
 * A library for LD_PRELOAD that instruments all functions of some of the files
 * that a program starts with, in the process itself, and lets the program run.
 *
 *	INSTR_HOST=cc1:-libgcc_s.so.1	the files, by the last part of their paths; -: only what
 *			unwinds in them, if functions are timed
 *	INSTR_HOST_TIME=1		functions are timed, not only counted
 *	INSTR_EXIT=slot	how exits are seen: return, slot, auto
 *	INSTR_HOST_GLOBS='SHA*:mem*'	which of their functions, if not all
 *	INSTR_HOST_LOG=/tmp/log		where a process that exits says what it did:
 *
 *	PID NAME: N functions, N calls, N traps
 *	PID NAME: N functions, N calls, N traps, own: N return, N exception, ...
 *	PID NAME: what went wrong
 *
 * Programs that it execs do the same, if they are given the environment; a fork
 * child goes on, and its counts with those of its parent. What a program loads
 * later is left as it is.
 *
 * A child of posix_spawn(3) has no handlers any more, in its parent's text: a trap
 * there, which the module would lead on, ends it.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "clean.h"
#include "host.h"
#include "signals.h"

#define HOSTS_MAX 8
#define GLOBS_MAX 64
/* More than libinstr opens. */
#define FDS_MAX 64

struct mapped {
	char path[PATH_MAX];
	uint64_t load;
	bool hidden;	/* only what unwinds */
	bool own;	/* the program itself */
};

static struct mapped mapped[HOSTS_MAX];
static struct host host[HOSTS_MAX];
static size_t nr_mapped, nr_hosts;
static const struct host *own;
static char log_path[PATH_MAX];
static bool is_timed;
static enum instr_way way;
static const char *globs[GLOBS_MAX];
static size_t nr_globs;

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Is @name in @list, which has colons in between? *hidden: behind a '-'. */
static bool is_listed(const char *list, const char *name, bool *hidden)
{
	size_t len = strlen(name);

	while (*list) {
		size_t part = strcspn(list, ":");

		*hidden = *list == '-';
		if (part - *hidden == len && !memcmp(list + *hidden, name, len))
			return true;
		list += part;
		list += *list == ':';
	}
	return false;
}

/* The program itself is called "". */
static int collect(struct dl_phdr_info *info, size_t size, void *list)
{
	struct mapped *next = &mapped[nr_mapped];
	ssize_t len;

	(void)size;
	if (info->dlpi_name[0]) {
		len = snprintf(next->path, sizeof(next->path), "%s", info->dlpi_name);
	} else {
		len = readlink("/proc/self/exe", next->path, sizeof(next->path) - 1);
		next->path[len < 0 ? 0 : len] = '\0';
	}
	if (len <= 0 || !is_listed(list, base_name(next->path), &next->hidden))
		return 0;
	next->load = info->dlpi_addr;
	next->own = !info->dlpi_name[0];
	return ++nr_mapped == HOSTS_MAX;
}

/* The program may have another environment when it ends. */
static void log_choose(void)
{
	const char *path = getenv("INSTR_HOST_LOG");

	snprintf(log_path, sizeof(log_path), "%s", path ? path : "");
}

/* The list becomes strings of its own. */
static void globs_choose(void)
{
	const char *from = getenv("INSTR_HOST_GLOBS");
	char *next = strdup(from && *from ? from : "*");

	while (next && nr_globs < GLOBS_MAX)
		globs[nr_globs++] = strsep(&next, ":");
}

/* One write, so that processes do not mix. */
__attribute__((format(printf, 1, 2)))
static void report(const char *fmt, ...)
{
	CLEAN(close) int fd = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	char line[1024];
	int len;
	va_list args;

	if (fd < 0)
		return;
	/* A program may have made its name a long one. */
	len = snprintf(line, sizeof(line), "%d %.64s: ", (int)getpid(),
		       program_invocation_short_name);
	va_start(args, fmt);
	vsnprintf(line + len, sizeof(line) - (size_t)len - 1, fmt, args);
	va_end(args);
	strcat(line, "\n");
	if (write(fd, line, strlen(line)) < 0)
		return;
}

/* Text that other threads run can't be changed here. */
static bool has_threads(void)
{
	struct stat tasks;

	return stat("/proc/self/task", &tasks) || tasks.st_nlink != 3;
}

static int prepare(struct host *new, const struct mapped *from, struct instr_err *err)
{
	if (is_timed)
		return host_prepare_exits(new, INSTR_TIMES, way, from->path, globs,
					  from->hidden ? 0 : nr_globs, from->load, false, err);
	return host_prepare(new, from->path, globs, nr_globs, from->load, HOST_ANYWHERE, err);
}

static void prepare_all(void)
{
	for (size_t i = 0; i < nr_mapped; i++) {
		struct instr_err err = { 0 };

		if (prepare(&host[nr_hosts], &mapped[i], &err)) {
			report("%s", err.text);
			continue;
		}
		if (mapped[i].own)
			own = &host[nr_hosts];
		nr_hosts++;
	}
}

/* The files are not read again, and the program may count its descriptors. */
static void prepare_and_close(void)
{
	bool open_before[FDS_MAX];

	for (int fd = 0; fd < FDS_MAX; fd++)
		open_before[fd] = fcntl(fd, F_GETFD) >= 0;
	prepare_all();
	for (int fd = 0; fd < FDS_MAX; fd++) {
		if (!open_before[fd])
			close(fd);
	}
}

static enum instr_way way_of(const char *name)
{
	enum instr_way found = name ? instr_way_find(name) : INSTR_WAY_AUTO;

	return found < INSTR_WAY_MAX ? found : INSTR_WAY_AUTO;
}

__attribute__((constructor))
static void begin(void)
{
	char *list = getenv("INSTR_HOST");
	int saved = errno;

	log_choose();
	globs_choose();
	is_timed = getenv("INSTR_HOST_TIME") != NULL;
	way = way_of(getenv("INSTR_EXIT"));
	if (list)
		dl_iterate_phdr(collect, list);
	if (nr_mapped && has_threads())
		report("there are other threads already");
	else if (nr_mapped)
		prepare_and_close();
	if (nr_hosts)
		signals_share();
	errno = saved;
	/* From here on nothing of libc may be called that should not be counted. */
	for (size_t i = 0; i < nr_hosts; i++)
		host_show(&host[i], true);
}

static size_t nr_functions(void)
{
	size_t nr = 0;

	for (size_t i = 0; i < nr_hosts; i++)
		nr += host[i].plan->nr_sites;
	return nr;
}

static uint64_t nr_calls(void)
{
	uint64_t nr = 0;

	for (size_t i = 0; i < nr_hosts; i++)
		nr += host_count_all(&host[i]);
	return nr;
}

/* Threads that are still at work may be in between. */
static void check_times(const struct host *from, size_t place, const struct instr_times *times)
{
	if (!has_threads() && times->exits[INSTR_EXIT_INSIDE] > times->calls)
		report("%s: %llu calls, and more exits",
		       from->func[instr_plan_place(from->plan, place)->place.func].name,
		       (unsigned long long)times->calls);
}

static uint64_t nr_timed_calls(void)
{
	static struct instr_times times;
	uint64_t nr = 0;

	for (size_t i = 0; i < nr_hosts; i++) {
		for (size_t j = 0; j < host[i].plan->nr_places; j++) {
			host_times(&host[i], instr_plan_place(host[i].plan, j), &times);
			check_times(&host[i], j, &times);
			nr += times.calls;
		}
	}
	return nr;
}

static void sum_exits(const struct host *from, uint64_t *exits)
{
	static struct instr_times times;

	for (size_t i = 0; i < from->plan->nr_places; i++) {
		host_times(from, instr_plan_place(from->plan, i), &times);
		for (size_t j = 0; j < INSTR_EXIT_MAX; j++)
			exits[j] += times.exits[j];
	}
}

/* Who is in these functions now, as this is called from one, is inside. */
static void report_times(void)
{
	uint64_t exits[INSTR_EXIT_MAX] = { 0 };
	char text[INSTR_EXIT_MAX * 40] = "";
	size_t len = 0;

	if (own)
		sum_exits(own, exits);
	for (size_t i = 0; i < INSTR_EXIT_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, ", %llu %s",
					(unsigned long long)exits[i], instr_exit_name(i));
	report("%zu functions, %llu calls, %lu traps, own: %s", nr_functions(),
	       (unsigned long long)nr_timed_calls(), host_nr_traps(), text + strlen(", "));
}

__attribute__((destructor))
static void end(void)
{
	if (nr_hosts && is_timed)
		report_times();
	else if (nr_hosts)
		report("%zu functions, %llu calls, %lu traps", nr_functions(),
		       (unsigned long long)nr_calls(), host_nr_traps());
}
