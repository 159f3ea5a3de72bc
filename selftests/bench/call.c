// SPDX-License-Identifier: GPL-2.0
/*
 * What a counted call costs, natively and without the module: sites of ours in
 * this process (host.h) beside an inline "lock inc", uprobes and uftrace.
 *
 *	call [-j] [-r ROUNDS]
 *
 * All take turns, ROUNDS times. What is added is the median of the differences to
 * the calls of the same turn that nobody counts. All counts have to be right.
 */

#include <dlfcn.h>
#include <link.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "out.h"
#include "series.h"
#include "shape.h"
#include "uftrace.h"
#include "uprobe.h"

#define CALLS		200000
#define UPROBE_CALLS	2000
#define FIB_INDEX	15
#define FIB_CALLS	1973	/* of fib(15) */
#define THREADS_MAX	2
#define UFTRACE_EVERY	4	/* rounds */

enum loop { ALONE, CHAIN, RECURSION };

struct load {
	const char *shape;
	enum loop loop;
	int threads;
};

static const struct load loads[] = {
	{ "push", ALONE, 1 }, { "push", CHAIN, 1 },
	{ "endbr", ALONE, 1 }, { "endbr", CHAIN, 1 },
	{ "sub", ALONE, 1 }, { "sub", CHAIN, 1 },
	{ "lea", ALONE, 1 }, { "lea", CHAIN, 1 },
	{ "mov", ALONE, 1 }, { "mov", CHAIN, 1 },
	{ "flags", ALONE, 1 }, { "flags", CHAIN, 1 },
	{ "first", ALONE, 1 }, { "first", CHAIN, 1 },
	{ "behind", ALONE, 1 }, { "behind", CHAIN, 1 },
	{ "second", ALONE, 1 }, { "second", CHAIN, 1 },
	{ "fib", RECURSION, 1 },
	{ "push", ALONE, 2 }, { "flags", ALONE, 2 }, { "second", ALONE, 2 },
	{ "fib", RECURSION, 2 },
};

#define NR_LOADS (sizeof(loads) / sizeof(loads[0]))

static const char *const loop_name[] = { "independent", "chain", "recursion" };

enum way { PLAIN, LOCK, SOLO, MANY, UPROBE, EXITS, EXITS_MANY, EXITS_SLOT, EXITS_SLOT_MANY,
	   CLOCKS, TIMED, TIMED_SLOT, URETPROBE, NR_WAYS };

static struct host host, host_exits, host_exits_slot, host_timed, host_timed_slot;

static const struct {
	const char *name;
	enum shape_copy copy;
	const struct host *host;	/* NULL: none of ours */
	uint64_t gate;
} ways[NR_WAYS] = {
	[PLAIN] = { "not counted", SHAPE_PLAIN, NULL, 0 },
	[LOCK] = { "inline lock inc", SHAPE_LOCK, NULL, 0 },
	[SOLO] = { "instr, one thread", SHAPE_OURS, &host, INSTR_GATE_SOLO },
	[MANY] = { "instr, threads", SHAPE_OURS, &host, INSTR_GATE_MANY },
	[UPROBE] = { "uprobe", SHAPE_UPROBE, NULL, 0 },
	[EXITS] = { "instr, both ends", SHAPE_EXITS, &host_exits, INSTR_GATE_SOLO },
	[EXITS_MANY] = { "..., threads", SHAPE_EXITS, &host_exits, INSTR_GATE_MANY },
	[EXITS_SLOT] = { "instr, by slot", SHAPE_EXITS_SLOT, &host_exits_slot, INSTR_GATE_SOLO },
	[EXITS_SLOT_MANY] = { "..., threads", SHAPE_EXITS_SLOT, &host_exits_slot,
			      INSTR_GATE_MANY },
	[CLOCKS] = { "two rdtsc", SHAPE_PLAIN, NULL, 0 },
	[TIMED] = { "instr, timed", SHAPE_TIMED, &host_timed, INSTR_GATE_MANY },
	[TIMED_SLOT] = { "..., by slot", SHAPE_TIMED_SLOT, &host_timed_slot, INSTR_GATE_MANY },
	[URETPROBE] = { "uprobe, uretprobe", SHAPE_URETPROBE, NULL, 0 },
};

static struct series ns[NR_LOADS][NR_WAYS], added[NR_LOADS][NR_WAYS];
static struct series uftrace[UFTRACE_DYNAMIC + 1];
static int uprobe[16], uretprobe[16];	/* of each shape; the latter with an entry, too */
static uint64_t counted[16][NR_WAYS];	/* calls that were made of each shape */

/* ---- calling --------------------------------------------------------------------- */

static void call_alone(long (*fn)(long), long nr)
{
	for (long i = 0; i < nr; i++)
		fn(i);
}

static void call_chain(long (*fn)(long), long nr)
{
	long x = 0;

	for (long i = 0; i < nr; i++)
		x = fn(x);
	if (x != nr)
		abort();
}

static void call_recursion(long (*fn)(long), long nr)
{
	for (; nr > 0; nr -= FIB_CALLS)
		fn(FIB_INDEX);
}

/* What any other way to time a call takes at least. */
static inline void clock_read(void)
{
	asm volatile("rdtsc" : : : "rax", "rdx");
}

static void call_alone_clocked(long (*fn)(long), long nr)
{
	for (long i = 0; i < nr; i++) {
		clock_read();
		fn(i);
		clock_read();
	}
}

static void call_chain_clocked(long (*fn)(long), long nr)
{
	long x = 0;

	for (long i = 0; i < nr; i++) {
		clock_read();
		x = fn(x);
		clock_read();
	}
	if (x != nr)
		abort();
}

static void (*const clocked_loop[])(long (*fn)(long), long nr) = {
	call_alone_clocked, call_chain_clocked, NULL,
};

static void (*const call_loop[])(long (*fn)(long), long nr) = {
	call_alone, call_chain, call_recursion,
};

struct job {
	void (*loop)(long (*fn)(long), long nr);
	long (*fn)(long);
	long nr;
	int processor;
	pthread_barrier_t *start;
	double ns;
};

static void job_do(struct job *job)
{
	double begin = series_cpu_ns();

	job->loop(job->fn, job->nr);
	job->ns = (series_cpu_ns() - begin) / (double)job->nr;
}

/* Threads that run where they were made would take turns. */
static void use_processor(int number)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(number, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *job_thread(void *arg)
{
	struct job *job = arg;

	use_processor(job->processor);
	pthread_barrier_wait(job->start);
	job_do(job);
	return NULL;
}

/* All threads begin at once. Returns the mean of what a call takes each. */
static double job_do_threads(const struct job *job, int nr)
{
	struct job each[THREADS_MAX];
	pthread_t thread[THREADS_MAX];
	pthread_barrier_t start;
	double sum = 0;

	pthread_barrier_init(&start, NULL, (unsigned int)nr);
	for (int i = 0; i < nr; i++) {
		each[i] = *job;
		each[i].processor = i;
		each[i].start = &start;
		pthread_create(&thread[i], NULL, job_thread, &each[i]);
	}
	for (int i = 0; i < nr; i++) {
		pthread_join(thread[i], NULL);
		sum += each[i].ns;
	}
	return sum / nr;
}

/* ---- measuring ------------------------------------------------------------------- */

static bool way_is_there(enum way way, const struct load *load, size_t shape)
{
	if (way == CLOCKS)
		return clocked_loop[load->loop];
	if (way == UPROBE || way == URETPROBE)
		return load->threads == 1 && uprobe[shape] >= 0 && uretprobe[shape] >= 0;
	return load->threads == 1 || !ways[way].host || ways[way].gate == INSTR_GATE_MANY;
}

static long load_calls(const struct load *load, enum way way)
{
	long nr = way == UPROBE || way == URETPROBE ? UPROBE_CALLS : CALLS;

	/* So that they are at it at the same time, though one begins later. */
	if (load->threads > 1)
		nr *= 10;
	return load->loop == RECURSION ? (nr + FIB_CALLS - 1) / FIB_CALLS * FIB_CALLS : nr;
}

static double measure(const struct load *load, enum way way)
{
	const struct shape *shape = shape_find(load->shape);
	struct job job = {
		.loop = way == CLOCKS ? clocked_loop[load->loop] : call_loop[load->loop],
		.fn = shape->copy[ways[way].copy],
		.nr = load_calls(load, way),
	};

	if (!way_is_there(way, load, (size_t)(shape - shapes)))
		return NAN;
	if (ways[way].host)
		host_gate(ways[way].host, ways[way].gate, NULL, 0);
	counted[shape - shapes][way] += (uint64_t)(job.nr * load->threads);
	if (load->threads > 1)
		return job_do_threads(&job, load->threads);
	job_do(&job);
	return job.ns;
}

static void measure_load(size_t i)
{
	double plain = NAN;

	for (enum way way = 0; way < NR_WAYS; way++) {
		double value = measure(&loads[i], way);

		if (way == PLAIN)
			plain = value;
		series_add(&ns[i][way], value);
		series_add(&added[i][way], value - plain);
	}
}

static void measure_all(int rounds)
{
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < NR_LOADS; i++)
			measure_load(i);
		for (size_t i = 0; i <= UFTRACE_DYNAMIC && round % UFTRACE_EVERY == 0; i++)
			series_add(&uftrace[i], uftrace_ns((enum uftrace_way)i));
	}
}

/* ---- what was counted ------------------------------------------------------------ */

static void check(const char *who, const char *shape, uint64_t got, uint64_t want)
{
	if (got == want)
		return;
	fprintf(stderr, "call: %s counted %llu calls of %s, not %llu\n", who,
		(unsigned long long)got, shape, (unsigned long long)want);
	exit(1);
}

static void check_exits(const struct host *from, const char *copy, const char *shape,
			uint64_t want)
{
	static struct instr_times times;
	char name[32];

	snprintf(name, sizeof(name), "%s_%s", copy, shape);
	host_times(from, host_site(from, name), &times);
	check("instr, at entries,", name, times.calls, want);
	check("instr, at exits,", name, times.exits[INSTR_EXIT_RETURN], want);
}

static void check_counts(void)
{
	for (size_t i = 0; i < nr_shapes; i++) {
		const char *shape = shapes[i].name;
		char name[32];

		snprintf(name, sizeof(name), "ours_%s", shape);
		check("instr", shape, host_count(&host, host_site(&host, name)),
		      counted[i][SOLO] + counted[i][MANY]);
		check_exits(&host_timed, "timed", shape, counted[i][TIMED]);
		check_exits(&host_timed_slot, "slottimed", shape, counted[i][TIMED_SLOT]);
		check_exits(&host_exits, "exits", shape,
			    counted[i][EXITS] + counted[i][EXITS_MANY]);
		check_exits(&host_exits_slot, "slotexits", shape,
			    counted[i][EXITS_SLOT] + counted[i][EXITS_SLOT_MANY]);
		if (uprobe[i] >= 0)
			check("the uprobe", shape, uprobe_count(uprobe[i]), counted[i][UPROBE]);
		if (uretprobe[i] >= 0)
			check("the uretprobe", shape, uprobe_count(uretprobe[i]),
			      counted[i][URETPROBE]);
	}
}

/* ---- telling --------------------------------------------------------------------- */

static const struct out_column columns[] = {
	{ "shape", -6, 0 }, { "loop", -11, 0 }, { "threads", 7, 0 }, { "variant", -18, 0 },
	{ "ns/call", 9, 2 }, { "quartile1", 9, 2 }, { "quartile3", 9, 2 }, { "added", 9, 2 },
	{ "x_lock", 8, 1 }, { "x_instr", 8, 1 }, { NULL, 0, 0 },
};

static void print_row(size_t i, enum way way)
{
	double more = series_median(&added[i][way]);
	enum way ours = loads[i].threads > 1 ? MANY : SOLO;

	out_text(loads[i].shape);
	out_text(loop_name[loads[i].loop]);
	out_number(loads[i].threads);
	out_text(ways[way].name);
	out_number(series_median(&ns[i][way]));
	out_number(series_part(&ns[i][way], 0.25));
	out_number(series_part(&ns[i][way], 0.75));
	out_number(way == PLAIN ? NAN : more);
	out_number(way == PLAIN ? NAN : more / series_median(&added[i][LOCK]));
	out_number(way == PLAIN ? NAN : more / series_median(&added[i][ours]));
}

static void print_calls(void)
{
	out_table("call", "A counted call, in ns: median and quartiles; added to a call that "
			  "is not counted; as a multiple", columns);
	for (size_t i = 0; i < NR_LOADS; i++) {
		for (enum way way = 0; way < NR_WAYS; way++) {
			if (ns[i][way].nr)
				print_row(i, way);
		}
	}
}

static const struct out_column summary_columns[] = {
	{ "variant", -28, 0 }, { "threads", 7, 0 }, { "least", 9, 2 }, { "median", 9, 2 },
	{ "most", 9, 2 }, { "x_lock", 8, 1 }, { "x_instr", 8, 1 }, { NULL, 0, 0 },
};

#define ENTRIES "push endbr sub lea mov flags first behind fib"

/* A function that returns to where it was not called from is mispredicted. */
static const struct summary {
	const char *name;
	enum way way;
	const char *shapes;
} summaries[] = {
	{ "inline lock inc", LOCK, ENTRIES " second" },
	{ "instr, one thread", SOLO, ENTRIES },
	{ "instr, threads", MANY, ENTRIES },
	{ "... one thread, moved call", SOLO, "second" },
	{ "... threads, moved call", MANY, "second" },
	{ "uprobe, emulated", UPROBE, "push first second fib" },
	{ "uprobe, single-stepped", UPROBE, "endbr sub lea mov flags behind" },
	{ "instr, both ends", EXITS, ENTRIES },
	{ "..., threads", EXITS_MANY, ENTRIES },
	{ "... by slot", EXITS_SLOT, ENTRIES },
	{ "... by slot, threads", EXITS_SLOT_MANY, ENTRIES },
	{ "two rdtsc", CLOCKS, ENTRIES },
	{ "instr, timed", TIMED, ENTRIES },
	{ "... moved call", TIMED, "second" },
	{ "... by slot", TIMED_SLOT, ENTRIES },
	{ "... by slot, moved call", TIMED_SLOT, "second" },
	{ "uprobe, uretprobe, emulated", URETPROBE, "push first second fib" },
	{ "... single-stepped", URETPROBE, "endbr sub lea mov flags behind" },
};

/* What is added, by the medians of each load. */
static struct series of_loads(enum way way, int threads, const char *names)
{
	struct series all = { 0 };

	for (size_t i = 0; i < NR_LOADS; i++) {
		if (loads[i].threads == threads && strstr(names, loads[i].shape))
			series_add(&all, series_median(&added[i][way]));
	}
	return all;
}

static void print_summary(const char *name, int threads, const struct series *all)
{
	struct series lock = of_loads(LOCK, threads, ENTRIES);
	struct series ours = of_loads(threads > 1 ? MANY : SOLO, threads, ENTRIES);

	if (!all->nr)
		return;
	out_text(name);
	out_number(threads);
	out_number(series_part(all, 0));
	out_number(series_median(all));
	out_number(series_part(all, 1));
	out_number(series_median(all) / series_median(&lock));
	out_number(series_median(all) / series_median(&ours));
}

static void print_ways(int threads)
{
	for (size_t i = 0; i < sizeof(summaries) / sizeof(summaries[0]); i++) {
		const struct summary *summary = &summaries[i];
		struct series all = of_loads(summary->way, threads, summary->shapes);

		print_summary(summary->name, threads, &all);
	}
}

static void print_uftrace(enum uftrace_way way, const char *name)
{
	struct series more = { 0 };

	if (uftrace[way].nr)
		series_add(&more, series_median(&uftrace[way]) -
				  series_median(&uftrace[UFTRACE_NONE]));
	print_summary(name, 1, &more);
}

static void print_all(void)
{
	print_calls();
	out_table("summary", "Added to a call, in ns: over all shapes; as a multiple",
		  summary_columns);
	print_ways(1);
	print_uftrace(UFTRACE_PG, "uftrace, -pg (entry, exit)");
	print_uftrace(UFTRACE_DYNAMIC, "uftrace, dynamic (the same)");
	print_ways(2);
}

/* ---- beginning and end ------------------------------------------------------------ */

static void stop(const struct instr_err *err)
{
	fprintf(stderr, "call: %s\n", err->text);
	exit(1);
}

static void prepare_exits(struct host *new, enum instr_measure measure, enum instr_way way,
			  const char *glob, uint64_t load)
{
	struct instr_err err = { 0 };

	if (host_prepare_exits(new, measure, way, "/proc/self/exe", &glob, 1, load, true, &err))
		stop(&err);
	host_show(new, true);
}

static void prepare(void)
{
	static const char *const glob = "ours_*";
	uint64_t load = ((struct link_map *)dlopen(NULL, RTLD_NOW))->l_addr;
	struct instr_err err = { 0 };

	if (host_prepare(&host, "/proc/self/exe", &glob, 1, load, HOST_ANYWHERE, &err))
		stop(&err);
	host_show(&host, true);
	prepare_exits(&host_exits, INSTR_EXITS, INSTR_WAY_RETURN, "exits_*", load);
	prepare_exits(&host_timed, INSTR_TIMES, INSTR_WAY_RETURN, "timed_*", load);
	prepare_exits(&host_exits_slot, INSTR_EXITS, INSTR_WAY_SLOT, "slotexits_*", load);
	prepare_exits(&host_timed_slot, INSTR_TIMES, INSTR_WAY_SLOT, "slottimed_*", load);
}

static void open_uprobes(void)
{
	for (size_t i = 0; i < nr_shapes; i++) {
		const void *both = (const void *)shapes[i].copy[SHAPE_URETPROBE];

		uprobe[i] = uprobe_open((const void *)shapes[i].copy[SHAPE_UPROBE]);
		uretprobe[i] = uprobe_open(both) < 0 ? -1 : uretprobe_open(both);
	}
	if (uprobe[0] < 0)
		out_note("No uprobes: perf_event_open: %s", strerror(-uprobe[0]));
}

int main(int argc, char **argv)
{
	int rounds = out_options(argc, argv, 31, SERIES_MAX);

	prepare();
	open_uprobes();
	if (isnan(uftrace_ns(UFTRACE_PG)))
		out_note("No uftrace: it is not installed, or does not run here");
	measure_all(rounds);
	check_counts();
	print_all();
	return 0;
}
