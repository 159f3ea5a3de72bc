// SPDX-License-Identifier: GPL-2.0
/*
 * What a hit of a site costs with the module: int3 sites beside uprobes on the same
 * instruction. For a machine whose clock counts instructions (vm/run -i -s 1): a
 * nanosecond is one.
 *
 *	hit [-j]
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "out.h"
#include "series.h"
#include "shape.h"
#include "uprobe.h"

#define ROUNDS 11
#define CALLS 1000

struct way {
	const char *name;
	const char *shape;
	enum shape_copy copy;
	long at;		/* of the probe, from the entry */
};

/* The instructions at @at: see shape_entry.S. */
static const struct way ways[] = {
	{ "inline lock inc", "sub", SHAPE_LOCK, 0 },
	{ "instr, jump", "sub", SHAPE_OURS, 0 },
	{ "instr, int3 on lea", "sub", SHAPE_TRAP, 4 },
	{ "uprobe on lea: single-stepped", "sub", SHAPE_UPROBE, 4 },
	{ "instr, int3 on push", "endbr", SHAPE_TRAP, 4 },
	{ "uprobe on push: emulated", "endbr", SHAPE_UPROBE, 4 },
};

#define NR_WAYS (sizeof(ways) / sizeof(ways[0]))
#define FIRST_TRAP 2

static const char *const places[] = { "ours_sub", "trap_sub+4", "trap_endbr+4", NULL };

static struct series added[NR_WAYS];
static int uprobe[NR_WAYS];

static double calls_take(long (*fn)(long))
{
	double begin = series_wall_ns();

	for (long i = 0; i < CALLS; i++)
		fn(i);
	return (series_wall_ns() - begin) / CALLS;
}

static void measure(size_t i)
{
	const struct shape *shape = shape_find(ways[i].shape);
	double plain = calls_take(shape->copy[SHAPE_PLAIN]);

	series_add(&added[i], calls_take(shape->copy[ways[i].copy]) - plain);
}

static void open_uprobes(void)
{
	for (size_t i = 0; i < NR_WAYS; i++) {
		const struct shape *shape = shape_find(ways[i].shape);

		if (ways[i].copy != SHAPE_UPROBE)
			continue;
		uprobe[i] = uprobe_open((const char *)shape->copy[SHAPE_UPROBE] + ways[i].at);
		if (uprobe[i] < 0) {
			out_note("No uprobes: perf_event_open: %s", strerror(-uprobe[i]));
			exit(1);
		}
	}
}

/* A count of 0 would mean that something else was measured. */
static void check_counts(struct probes *probes)
{
	uint64_t want = 2 * ROUNDS * CALLS;

	if (probes_count(probes, "trap_sub") + probes_count(probes, "trap_endbr") != want ||
	    uprobe_count(uprobe[3]) + uprobe_count(uprobe[5]) != want) {
		out_note("hit: hits were not counted");
		exit(1);
	}
}

static const struct out_column columns[] = {
	{ "hit", -30, 0 }, { "instructions", 12, 0 }, { "quartile1", 9, 0 },
	{ "quartile3", 9, 0 }, { "x_int3", 7, 2 }, { NULL, 0, 0 },
};

static void print(void)
{
	out_table("hit", "A hit, with the module: instructions added to a call", columns);
	for (size_t i = 0; i < NR_WAYS; i++) {
		out_text(ways[i].name);
		out_number(series_median(&added[i]));
		out_number(series_part(&added[i], 0.25));
		out_number(series_part(&added[i], 0.75));
		out_number(series_median(&added[i]) / series_median(&added[FIRST_TRAP]));
	}
}

int main(int argc, char **argv)
{
	struct probes probes;

	out_as_json(argc > 1 && !strcmp(argv[1], "-j"));
	open_uprobes();
	probes_open(&probes, "/proc/self/exe", places);
	if (probes_publish(&probes) || probes_attach(&probes, getpid()) < 1) {
		out_note("hit: can't attach to itself");
		return 1;
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < NR_WAYS; i++)
			measure(i);
	}
	check_counts(&probes);
	print();
	probes_close(&probes);
	return 0;
}
