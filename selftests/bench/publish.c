// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs to show 10,000 sites in a running process with 100 threads
 * (crowd.c), and to take them back. For a machine whose clock counts instructions.
 *
 *	publish [-j] alone	with one processor (vm/run -i -s 1), which nobody else
 *				gets meanwhile: what it takes
 *	publish [-j] beside	with two: what the threads notice on the other one
 */

#include <linux/perf_event.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fixture.h"
#include "out.h"
#include "series.h"

#define ROUNDS 5
#define TURN_NS 50000

static const char *const places[] = { "crowd_*", NULL };

static struct probes probes;
static struct puppet crowd;

static int attach(void)
{
	return probes_attach(&probes, crowd.pid) < 1;
}

static int detach(void)
{
	return probes_detach(&probes, crowd.pid);
}

static int publish(void)
{
	return probes_publish(&probes);
}

static int withdraw(void)
{
	return probes_withdraw(&probes);
}

static int nothing(void)
{
	return 0;
}

/* In this order; behind the last it is as it was before the first. */
static const struct {
	const char *name;
	int (*fn)(void);
} steps[] = {
	{ "publish, nobody attached", publish },
	{ "withdraw, nobody attached", withdraw },
	{ "attach, no sites", attach },
	{ "nothing", nothing },
	{ "publish", publish },
	{ "withdraw", withdraw },
	{ "publish again", publish },
	{ "detach", detach },
	{ "withdraw, nobody attached", withdraw },
};

#define NR_STEPS (sizeof(steps) / sizeof(steps[0]))

static struct series took[NR_STEPS], gap[NR_STEPS];

/* The threads run a while before and behind it. */
static void step_measure(size_t i)
{
	double begin, end;

	puppet_ask(&crowd, "reset");
	usleep(20000);
	begin = series_wall_ns();
	if (steps[i].fn()) {
		out_note("publish: failed to %s", steps[i].name);
		exit(1);
	}
	end = series_wall_ns();
	usleep(20000);
	series_add(&took[i], end - begin);
	series_add(&gap[i], (double)puppet_number(&crowd, "gap"));
}

/* ---- processors ------------------------------------------------------------------- */

static void use_processor(int number)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(number, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		out_note("publish: there is no processor %d", number);
		exit(1);
	}
}

/*
 * The emulator gives the processors turns, which end with the next timer: the
 * shorter they are, the better is seen what happens at the same time. Samples that
 * nobody reads are timers that come again by themselves.
 */
static void keep_turns_short(int processor)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = TURN_NS,
	};

	if (syscall(SYS_perf_event_open, &attr, -1, processor, -1, 0) < 0)
		out_note("publish: no timer on processor %d: gaps are too long", processor);
}

static void start_crowd(bool beside)
{
	const struct sched_param param = { .sched_priority = 1 };

	use_processor(0);
	puppet_start(&crowd, target_path("crowd"));
	use_processor(beside ? 1 : 0);
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		out_note("publish: no priority over the threads");
	for (int i = 0; beside && i < 2; i++)
		keep_turns_short(i);
}

/* ---- telling ---------------------------------------------------------------------- */

static const struct out_column columns[] = {
	{ "step", -26, 0 }, { "us", 9, 0 }, { "least", 9, 0 }, { "most", 9, 0 },
	{ "gap_us", 9, 0 }, { NULL, 0, 0 },
};

static void print(const char *name, const char *title)
{
	out_table(name, title, columns);
	for (size_t i = 0; i < NR_STEPS; i++) {
		out_text(steps[i].name);
		out_number(series_median(&took[i]) / 1e3);
		out_number(series_part(&took[i], 0) / 1e3);
		out_number(series_part(&took[i], 1) / 1e3);
		out_number(series_median(&gap[i]) / 1e3);
	}
}

static void print_size(void)
{
	struct instr_info info;

	probes_publish(&probes);
	info = live_objects(probes.fd);
	out_note("%zu sites, %zu traps, %llu patched pages", probes.plan->nr_sites,
		 probes.plan->nr_traps, (unsigned long long)info.out_pages);
}

int main(int argc, char **argv)
{
	bool beside = argc > 1 && !strcmp(argv[argc - 1], "beside");

	out_as_json(argc > 1 && !strcmp(argv[1], "-j"));
	start_crowd(beside);
	probes_open(&probes, target_path("crowd"), places);
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < NR_STEPS; i++)
			step_measure(i);
	}
	print(beside ? "beside" : "alone",
	      beside ? "Sites in 100 threads: what they notice on another processor" :
		       "Sites in 100 threads: what it takes");
	print_size();
	puppet_end(&crowd);
	probes_close(&probes);
	return 0;
}
