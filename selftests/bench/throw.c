// SPDX-License-Identifier: GPL-2.0
/*
 * What an exception costs that is thrown through timed functions, natively and without the
 * module: sites of ours in this process (host.h), with libgcc's entries and libstdc++'s.
 *
 *	throw [-j] [-r ROUNDS]
 *
 * All ways take turns, ROUNDS times, and each throws once before it is measured. All exits
 * have to be there.
 */

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host.h"
#include "out.h"
#include "series.h"
#include "throws.h"

#define THROWS 1000

static const int depths[] = { 1, 16, 64 };

#define NR_DEPTHS (sizeof(depths) / sizeof(depths[0]))

enum way { NATIVE, RETURN, SLOT, NR_WAYS };

static struct host by_return, by_slot, unwinder, runtime;

static const struct {
	const char *name;
	void (*throw)(long frames);
	const struct host *host;	/* NULL: nothing is timed */
	const char *frame;
} ways[NR_WAYS] = {
	[NATIVE] = { "not timed", native_throw, NULL, NULL },
	[RETURN] = { "instr, timed", timed_throw, &by_return, "timed_frame" },
	[SLOT] = { "instr, timed, by slot", slot_throw, &by_slot, "slot_frame" },
};

static struct series ns[NR_DEPTHS][NR_WAYS], ratio[NR_DEPTHS][NR_WAYS];
static uint64_t entered[NR_WAYS];

/* ---- measuring ------------------------------------------------------------------- */

static void throw_times(enum way way, int depth, int nr)
{
	for (int i = 0; i < nr; i++)
		ways[way].throw(depth);
	entered[way] += (uint64_t)(nr * depth);
}

static double measure(enum way way, int depth)
{
	double begin;

	host_show(&unwinder, ways[way].host);
	host_show(&runtime, ways[way].host);
	throw_times(way, depth, 1);
	begin = series_cpu_ns();
	throw_times(way, depth, THROWS);
	return (series_cpu_ns() - begin) / THROWS;
}

static void measure_all(int rounds)
{
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < NR_DEPTHS; i++) {
			double native = measure(NATIVE, depths[i]);

			series_add(&ns[i][NATIVE], native);
			for (enum way way = RETURN; way < NR_WAYS; way++) {
				double value = measure(way, depths[i]);

				series_add(&ns[i][way], value);
				series_add(&ratio[i][way], value / native);
			}
		}
	}
}

static void check_exits(enum way way)
{
	static struct instr_times times;

	host_times(ways[way].host, host_site(ways[way].host, ways[way].frame), &times);
	if (times.calls == entered[way] && times.exits[INSTR_EXIT_EXCEPTION] == entered[way])
		return;
	fprintf(stderr, "throw: %s: %llu calls and %llu exceptions, not %llu\n", ways[way].name,
		(unsigned long long)times.calls,
		(unsigned long long)times.exits[INSTR_EXIT_EXCEPTION],
		(unsigned long long)entered[way]);
	exit(1);
}

/* ---- telling --------------------------------------------------------------------- */

static const struct out_column columns[] = {
	{ "frames", 7, 0 }, { "variant", -22, 0 }, { "ns/throw", 9, 0 }, { "quartile1", 9, 0 },
	{ "quartile3", 9, 0 }, { "ratio", 6, 2 }, { NULL, 0, 0 },
};

static void print_all(void)
{
	out_table("throw", "An exception through timed frames, in ns: median and quartiles; as a "
			   "multiple of one that nobody times", columns);
	for (size_t i = 0; i < NR_DEPTHS; i++) {
		for (enum way way = 0; way < NR_WAYS; way++) {
			out_number(depths[i]);
			out_text(ways[way].name);
			out_number(series_median(&ns[i][way]));
			out_number(series_part(&ns[i][way], 0.25));
			out_number(series_part(&ns[i][way], 0.75));
			out_number(series_median(&ratio[i][way]));
		}
	}
}

/* ---- beginning ------------------------------------------------------------------- */

/* With no @glob: only what unwinds. */
static void prepare(struct host *new, enum instr_way way, const char *path, const char *glob,
		    const char *name)
{
	struct link_map *map = dlopen(name, RTLD_NOW | (name ? RTLD_NOLOAD : 0));
	struct instr_err err = { 0 };

	if (map && !host_prepare_exits(new, INSTR_TIMES, way, path ?: map->l_name, &glob, !!glob,
				       map->l_addr, true, &err))
		return;
	fprintf(stderr, "throw: %s\n", map ? err.text : dlerror());
	exit(1);
}

int main(int argc, char **argv)
{
	int rounds = out_options(argc, argv, 31, SERIES_MAX);

	prepare(&by_return, INSTR_WAY_RETURN, "/proc/self/exe", "timed_frame", NULL);
	prepare(&by_slot, INSTR_WAY_SLOT, "/proc/self/exe", "slot_frame", NULL);
	prepare(&unwinder, INSTR_WAY_RETURN, NULL, NULL, "libgcc_s.so.1");
	prepare(&runtime, INSTR_WAY_RETURN, NULL, NULL, "libstdc++.so.6");
	host_show(&by_return, true);
	host_show(&by_slot, true);
	measure_all(rounds);
	check_exits(RETURN);
	check_exits(SLOT);
	print_all();
	return 0;
}
