// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs all processes that a function of libc is counted in all of them: by the
 * module, and by a uprobe. For a machine with one processor whose clock counts instructions
 * (vm/run -i -s 1).
 *
 *	whole [-j]
 *
 * A round is a child that executes a program, which calls the function, the program's end,
 * and the wait for it. With a thousand calls more it is what calls cost.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "out.h"
#include "series.h"
#include "uprobe.h"

#define ROUNDS 30
#define MORE 1000

enum way { NOTHING, OTHERS, ARMED, UPROBE, NR_WAYS };

static const char *const names[NR_WAYS] = {
	[NOTHING] = "nothing", [OTHERS] = "instr, of another file",
	[ARMED] = "instr", [UPROBE] = "a uprobe",
};

static struct series exec_ns[NR_WAYS], more_ns[NR_WAYS];

/* Files in memory: who asks the host for one waits, and that is in the clock. */
#define ROOT "/dev/shm/whole"
#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"
#define LOADER "/lib64/ld-linux-x86-64.so.2"

static void fail(const char *what)
{
	out_note("whole: %s", what);
	exit(1);
}

static double take(const char *calls)
{
	double begin = series_wall_ns();
	pid_t child = vfork();
	int status;

	if (!child) {
		if (!chroot(ROOT))
			execl("/whole_call", "whole_call", calls, NULL);
		_exit(1);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		fail("no child");
	return series_wall_ns() - begin;
}

/* Returns how often the function was called. */
static uint64_t measure(enum way way)
{
	take("1");
	for (int i = 0; i < ROUNDS; i++) {
		series_add(&exec_ns[way], take("1"));
		series_add(&more_ns[way], take("1001"));
	}
	return 1 + ROUNDS * (1 + 1 + MORE);
}

/* The counts of spaces that were not read take memory, as they do for who only looks at the end. */
static void measure_ours(enum way way, const char *path, const char *name)
{
	const char *const functions[] = { name, NULL };
	struct instr_attach_all all = { .size = sizeof(all), .flags = INSTR_ATTACH_FOLLOW };
	struct probes probes;
	uint64_t calls;

	probes_open(&probes, path, functions);
	if (probes_publish(&probes) || ioctl(probes.fd, INSTR_ATTACH_ALL, &all))
		fail("can't attach");
	calls = measure(way);
	if (probes_count(&probes, name) != (way == ARMED ? calls : 0))
		fail("calls were not counted");
	probes_close(&probes);
}

static void measure_uprobe(void)
{
	int fd = uprobe_open_all(ROOT LIBC, (const void *)(uintptr_t)a64l);
	uint64_t calls;

	if (fd < 0)
		fail(strerror(-fd));
	calls = measure(UPROBE);
	if (uprobe_count(fd) != calls)
		fail("the uprobe counted something else");
	close(fd);
}

static const struct out_column columns[] = {
	{ "way", -24, 0 }, { "exec", 10, 0 }, { "x_exec", 7, 3 }, { "call", 10, 1 }, { NULL, 0, 0 },
};

static void print(void)
{
	out_table("whole", "All processes: an exec, and a call, in instructions", columns);
	for (enum way way = 0; way < NR_WAYS; way++) {
		double exec = series_median(&exec_ns[way]);

		out_text(names[way]);
		out_number(exec);
		out_number(exec / series_median(&exec_ns[NOTHING]));
		out_number((series_median(&more_ns[way]) - exec) / MORE);
	}
}

int main(int argc, char **argv)
{
	out_as_json(argc > 1 && !strcmp(argv[1], "-j"));
	if (system("set -e; mkdir -p " ROOT "/lib64 " ROOT "/lib/x86_64-linux-gnu; "
		   "cp " LOADER " " ROOT LOADER "; cp " LIBC " " ROOT LIBC "; "
		   "cp " TARGETS "/whole_call " ROOT))
		fail("can't copy");
	measure(NOTHING);
	measure_ours(OTHERS, TARGETS "/many.so", "f77");
	measure_ours(ARMED, ROOT LIBC, "a64l");
	measure_uprobe();
	print();
	return 0;
}
