// SPDX-License-Identifier: GPL-2.0
/*
 * What a fork costs a process in which 10,000 functions are probed: by the module, and by
 * uprobes. For a machine whose clock counts instructions (vm/run -i -s 1).
 *
 *	fork [-j]
 *
 * A round is one fork, an exit of the child, and the wait for it. Ways take turns where they
 * can: uprobes come last, as nobody waits for them to go.
 */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "out.h"
#include "series.h"
#include "uprobe.h"

#define ROUNDS 31
#define SITES 10000
#define EACH 20		/* of them has a uprobe: to open 10,000 takes minutes */
#define FILE_PATH TARGETS "/many.so"

/* f0 to f9999. */
static const char *const places[] = { "f?", "f??", "f???", "f????", NULL };

enum way { NOTHING, ATTACHED, ARMED, UPROBES, NR_WAYS };

static const char *const names[NR_WAYS] = {
	[NOTHING] = "nothing", [ATTACHED] = "instr, attached, no sites",
	[ARMED] = "instr, 10,000 sites", [UPROBES] = "500 uprobes on those pages",
};

static struct series fork_ns[NR_WAYS], vfork_ns[NR_WAYS];
static struct probes probes;
static long (*function[SITES])(long);

static void fail(const char *what)
{
	out_note("fork: %s", what);
	exit(1);
}

static double take(pid_t (*make)(void))
{
	double begin = series_wall_ns();
	pid_t child = make();

	if (!child)
		_exit(0);
	if (child < 0 || waitpid(child, NULL, 0) != child)
		fail("no child");
	return series_wall_ns() - begin;
}

/* All text is there before, and afterwards: what is measured is the fork. */
static void call_all(void)
{
	for (int i = 0; i < SITES; i++)
		function[i](i);
}

/* The compiler has to know that it returns twice. */
static double take_vfork(void)
{
	double begin = series_wall_ns();
	pid_t child = vfork();

	if (!child)
		_exit(0);
	if (child < 0 || waitpid(child, NULL, 0) != child)
		fail("no child");
	return series_wall_ns() - begin;
}

static void measure(enum way way)
{
	call_all();
	take(fork);
	for (int i = 0; i < 3; i++) {
		series_add(&fork_ns[way], take(fork));
		series_add(&vfork_ns[way], take_vfork());
	}
}

static void load(void)
{
	void *many = dlopen(FILE_PATH, RTLD_NOW);
	char name[16];

	for (int i = 0; many && i < SITES; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		function[i] = (long (*)(long))dlsym(many, name);
		if (!function[i])
			fail(name);
	}
	if (!many)
		fail(dlerror());
}

/* Ours are gone by then. */
static void arm_uprobes(void)
{
	int fd = -1;

	for (int i = 0; i < SITES; i += EACH) {
		fd = uprobe_open((const void *)(uintptr_t)function[i]);
		if (fd < 0)
			fail(strerror(-fd));
	}
	call_all();
	if (uprobe_count(fd) != 1)
		fail("uprobes count something else");
}

static const struct out_column columns[] = {
	{ "way", -28, 0 }, { "fork", 10, 0 }, { "x_fork", 7, 3 },
	{ "vfork", 10, 0 }, { "x_vfork", 7, 3 }, { NULL, 0, 0 },
};

static void print(void)
{
	out_table("fork", "A fork, exit and wait, with the module: instructions", columns);
	for (enum way way = 0; way < NR_WAYS; way++) {
		out_text(names[way]);
		out_number(series_median(&fork_ns[way]));
		out_number(series_median(&fork_ns[way]) / series_median(&fork_ns[NOTHING]));
		out_number(series_median(&vfork_ns[way]));
		out_number(series_median(&vfork_ns[way]) / series_median(&vfork_ns[NOTHING]));
	}
}

int main(int argc, char **argv)
{
	uint64_t calls;

	out_as_json(argc > 1 && !strcmp(argv[1], "-j"));
	load();
	probes_open(&probes, FILE_PATH, places);
	for (int round = 0; round < ROUNDS / 3; round++) {
		measure(NOTHING);
		if (probes_attach(&probes, getpid()) < 0)
			fail("can't attach to itself");
		measure(ATTACHED);
		if (probes_publish(&probes))
			fail("can't publish");
		measure(ARMED);
		probes_detach(&probes, getpid());
		probes_withdraw(&probes);
	}
	calls = probes_count(&probes, "f77");
	if (calls != ROUNDS / 3)
		fail("calls were not counted");
	probes_close(&probes);
	arm_uprobes();
	for (int round = 0; round < ROUNDS / 3; round++)
		measure(UPROBES);
	print();
	return 0;
}
