// SPDX-License-Identifier: GPL-2.0
/*
 * Metrics: what Prometheus' own client (../prometheus.py) reads in them.
 */

#include "instrctl/prometheus.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define KHZ	2000000		/* two ticks a nanosecond */
#define NR	4

static const struct prometheus_site sites[NR] = {
	{ "/bin/a", "first" }, { "/bin/a", "second" }, { "/bin/b", "first" }, { "/bin/a", "first" },
};

static char text_path[] = "/tmp/instr-prometheus.XXXXXX";
static char earlier_path[] = "/tmp/instr-prometheus.XXXXXX";

/* ---- spaces ------------------------------------------------------------------ */

static uint64_t calls[NR];
static struct result_times times[NR];
static struct result_times *times_of[NR];

static struct result_space space_of(const char *comm, bool sampled)
{
	struct result_space space = { .calls = calls, .sampled = sampled, .live = sampled,
				      .active = true };

	strncpy(space.comm, comm, sizeof(space.comm) - 1);
	return space;
}

static void add(struct prometheus *prometheus, const char *comm, bool sampled)
{
	struct result_space space = space_of(comm, sampled);

	prometheus_add(&space, prometheus);
}

static void add_times(struct prometheus *prometheus, const char *comm, bool sampled)
{
	struct result_space space = space_of(comm, sampled);

	for (size_t i = 0; i < NR; i++) {
		times_of[i] = calls[i] ? &times[i] : NULL;
		times[i].times.calls = calls[i];
	}
	space.times = times_of;
	prometheus_add(&space, prometheus);
}

static void set_calls(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	const uint64_t number[NR] = { a, b, c, d };

	memcpy(calls, number, sizeof(calls));
	memset(times, 0, sizeof(times));
}

static unsigned int bucket_of(uint64_t ticks)
{
	unsigned int i = 0;

	while (instr_bucket_start(i + 1) <= ticks)
		i++;
	return i;
}

/* A call of site 0. */
static void take(uint64_t ns)
{
	struct instr_times *to = &times[0].times;

	calls[0]++;
	to->exits[INSTR_EXIT_RETURN]++;
	to->total += 2 * ns;
	to->bucket[bucket_of(2 * ns)]++;
}

/* ---- reading ------------------------------------------------------------------ */

static void print(struct prometheus *prometheus, const char *path)
{
	FILE *out = fopen(path, "w");

	prometheus_print(prometheus, 7, out);
	fclose(out);
}

static bool run(const char *expression, const char *earlier)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		execl("/usr/bin/python3", "python3", "-B", SELFTESTS "/prometheus.py", text_path,
		      expression, earlier, NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return status == 0;
}

/* It is true of what is printed now. */
static bool is(struct prometheus *prometheus, const char *expression)
{
	print(prometheus, text_path);
	return run(expression, NULL);
}

static struct prometheus *create(enum instr_measure measure)
{
	return prometheus_create(sites, NR, measure, KHZ);
}

/* ---- calls --------------------------------------------------------------------- */

static void calls_of_processes_of_one_name_are_one_number(void)
{
	struct prometheus *prometheus = create(INSTR_CALLS);

	set_calls(3, 0, 5, 0);
	add(prometheus, "one", false);
	add(prometheus, "one", true);
	add(prometheus, "two", true);
	CHECK(is(prometheus, "v('instr_calls_total', file='/bin/a', function='first', comm='one') == 6 and "
			     "v('instr_calls_total', file='/bin/b', function='first', comm='two') == 5 and "
			     "v('instr_calls_total') == 24 and labels('function') == {'first'} and "
			     "not labels('pid')"));
	CHECK(is(prometheus, "v('instr_processes') == 2 and v('instr_events_lost_total') == 7"));
	prometheus_destroy(prometheus);
}

static void functions_of_one_name_share_a_series(void)
{
	struct prometheus *prometheus = create(INSTR_CALLS);

	set_calls(3, 1, 5, 4);
	add(prometheus, "one", false);
	CHECK(is(prometheus, "v('instr_calls_total', file='/bin/a', function='first') == 7 and "
			     "v('instr_calls_total') == 13"));
	prometheus_destroy(prometheus);
}

static void what_is_sampled_is_added_anew(void)
{
	struct prometheus *prometheus = create(INSTR_CALLS);

	set_calls(3, 0, 0, 0);
	add(prometheus, "one", true);
	CHECK(is(prometheus, "v('instr_calls_total') == 3 and v('instr_processes') == 1"));
	prometheus_begin(prometheus);
	set_calls(8, 0, 0, 0);
	add(prometheus, "one", false);
	CHECK(is(prometheus, "v('instr_calls_total') == 8 and v('instr_processes') == 0"));
	prometheus_destroy(prometheus);
}

static void counters_never_get_less(void)
{
	struct prometheus *prometheus = create(INSTR_TIMES);

	srand(1);
	print(prometheus, earlier_path);
	for (int i = 0; i < 20; i++) {
		prometheus_begin(prometheus);
		set_calls((unsigned)rand() % 100, 0, (unsigned)rand() % 2, (unsigned)rand() % 100);
		for (int j = rand() % 20; j > 0; j--)
			take((unsigned)rand() % 10000);
		add_times(prometheus, i % 3 ? "one" : "two", i % 4);
		print(prometheus, text_path);
		CHECK(run("True", earlier_path));
		CHECK(!rename(text_path, earlier_path));
	}
	prometheus_destroy(prometheus);
}

static void refusals_have_reasons(void)
{
	struct prometheus *prometheus = create(INSTR_CALLS);
	struct result_space space = space_of("one", true);

	set_calls(0, 0, 0, 0);
	space.refused = 12;
	prometheus_add(&space, prometheus);
	prometheus_begin(prometheus);
	space.sampled = false;
	prometheus_add(&space, prometheus);
	prometheus_add(&space, prometheus);
	space.refused = 28;
	prometheus_add(&space, prometheus);
	CHECK(is(prometheus, "v('instr_processes_refused', reason='out of memory') == 2 and "
			     "v('instr_processes_refused') == 3"));
	prometheus_destroy(prometheus);
}

/* ---- names --------------------------------------------------------------------- */

static void names_may_be_any_bytes(void)
{
	static const struct prometheus_site hostile[] = {
		{ "/a\"b\\c\nd", "x{y=\"z\"} 5\n# TYPE" }, { "\xff\xfe", "\xc3\x28" },
		{ "\\", "\"" }, { "", "" }, { "\xe2\x82\xac", "\r\t\x01" },
		/* They are one when they are text. */
		{ "\xfd\xfe", "\xc3\x28" },
	};
	uint64_t one_each[] = { 1, 2, 4, 8, 16, 32 };
	struct prometheus *prometheus = prometheus_create(hostile, 6, INSTR_CALLS, 0);
	struct result_space space = { .calls = one_each };

	strcpy(space.comm, "\"}\n\\\x80 1\n");
	prometheus_add(&space, prometheus);
	CHECK(is(prometheus, "v('instr_calls_total', file='/a\"b\\\\c\\nd', function='x{y=\"z\"} 5\\n# TYPE') == 1"));
	CHECK(is(prometheus, "v('instr_calls_total', file='\\ufffd\\ufffd', function='\\ufffd(') == 34"));
	CHECK(is(prometheus, "v('instr_calls_total', file='\\\\', function='\"') == 4"));
	CHECK(is(prometheus, "v('instr_calls_total', file='', function='') == 8"));
	CHECK(is(prometheus, "v('instr_calls_total', file='\\u20ac', function='\\r\\t\\x01') == 16"));
	CHECK(is(prometheus, "labels('comm') == {'\"}\\n\\\\\\ufffd 1\\n'} and v('instr_calls_total') == 63"));
	prometheus_destroy(prometheus);
}

static void there_are_only_so_many_names_of_processes(void)
{
	struct prometheus *prometheus = create(INSTR_CALLS);
	char comm[32];

	set_calls(1, 0, 0, 0);
	for (int i = 0; i < 2 * PROMETHEUS_COMMS; i++) {
		snprintf(comm, sizeof(comm), "name-%d", i);
		add(prometheus, comm, false);
	}
	CHECK(is(prometheus, "len(labels('comm')) == 257 and v('instr_calls_total') == 512 and "
			     "v('instr_calls_total', comm='(others)') == 256 and "
			     "v('instr_calls_total', comm='name-255') == 1"));
	prometheus_destroy(prometheus);
}

/* ---- times --------------------------------------------------------------------- */

static void histograms_are_cumulative(void)
{
	struct prometheus *prometheus = create(INSTR_TIMES);

	set_calls(0, 0, 0, 0);
	take(50);
	take(200);
	take(290);
	take(310);
	take(5000000);
	take(20000000000);
	add_times(prometheus, "one", true);
	CHECK(is(prometheus, "v('instr_call_duration_seconds_bucket', le='1e-07') == 1 and "
			     "v('instr_call_duration_seconds_bucket', le='3e-07') == 3 and "
			     "v('instr_call_duration_seconds_bucket', le='1e-06') == 4 and "
			     "v('instr_call_duration_seconds_bucket', le='0.003') == 4 and "
			     "v('instr_call_duration_seconds_bucket', le='0.01') == 5 and "
			     "v('instr_call_duration_seconds_bucket', le='10') == 5 and "
			     "v('instr_call_duration_seconds_bucket', le='+Inf') == 6 and "
			     "v('instr_call_duration_seconds_count') == 6"));
	CHECK(is(prometheus, "abs(v('instr_call_duration_seconds_sum') - 20.00500085) < 1e-8"));
	prometheus_destroy(prometheus);
}

/* Whatever the time of a call: it is in the right bucket, or within 1.6 % of another. */
static void buckets_are_exact_to_their_error(void)
{
	static const double bounds[] = { 100, 300, 1000, 3000, 1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7,
					 3e7, 1e8, 3e8, 1e9, 3e9, 1e10 };
	char expression[200];

	for (size_t i = 0; i < sizeof(bounds) / sizeof(*bounds); i++) {
		struct prometheus *prometheus = create(INSTR_TIMES);

		set_calls(0, 0, 0, 0);
		take((uint64_t)(bounds[i] / 1.032));
		take((uint64_t)(bounds[i] * 1.032) + 1);
		add_times(prometheus, "one", false);
		snprintf(expression, sizeof(expression),
			 "v('instr_call_duration_seconds_bucket', le='%g') == 1", bounds[i] / 1e9);
		CHECK(is(prometheus, expression));
		prometheus_destroy(prometheus);
	}
}

static void exits_are_told_by_reason(void)
{
	struct prometheus *prometheus = create(INSTR_TIMES);

	set_calls(9, 0, 0, 0);
	times[0].times.exits[INSTR_EXIT_RETURN] = 3;
	times[0].times.exits[INSTR_EXIT_LONGJMP] = 4;
	times[0].times.exits[INSTR_EXIT_INSIDE] = 2;
	add_times(prometheus, "one", true);
	CHECK(is(prometheus, "v('instr_exits_total', reason='return') == 3 and "
			     "v('instr_exits_total', reason='longjmp') == 4 and "
			     "v('instr_calls_inside') == 2 and v('instr_calls_total') == "
			     "v('instr_exits_total') + v('instr_calls_inside')"));
	prometheus_begin(prometheus);
	CHECK(is(prometheus, "v('instr_calls_inside') == 0 and v('instr_calls_total') == 9"));
	prometheus_destroy(prometheus);
}

static void returns_without_times(void)
{
	struct prometheus *prometheus = create(INSTR_EXITS);

	set_calls(3, 0, 0, 0);
	times[0].times.exits[INSTR_EXIT_RETURN] = 3;
	add_times(prometheus, "one", true);
	CHECK(is(prometheus, "v('instr_exits_total', reason='return') == 3 and not labels('le')"));
	prometheus_destroy(prometheus);
}

/* A process may write to its counts. */
static void numbers_may_be_anything(void)
{
	struct prometheus *prometheus = create(INSTR_TIMES);

	for (int i = 0; i < 3; i++) {
		set_calls(UINT64_MAX, 0, 0, 0);
		memset(&times[0], 0xff, sizeof(times[0]));
		add_times(prometheus, "one", i);
	}
	CHECK(is(prometheus, "v('instr_calls_total') > 0"));
	prometheus_destroy(prometheus);
}

static void without_any_function(void)
{
	struct prometheus *prometheus = prometheus_create(NULL, 0, INSTR_TIMES, KHZ);

	add_times(prometheus, "one", false);
	CHECK(is(prometheus, "v('instr_calls_total') == 0 and not labels('comm')"));
	prometheus_destroy(prometheus);
}

int main(void)
{
	close(mkstemp(text_path));
	close(mkstemp(earlier_path));
	RUN(calls_of_processes_of_one_name_are_one_number);
	RUN(functions_of_one_name_share_a_series);
	RUN(what_is_sampled_is_added_anew);
	RUN(counters_never_get_less);
	RUN(refusals_have_reasons);
	RUN(names_may_be_any_bytes);
	RUN(there_are_only_so_many_names_of_processes);
	RUN(histograms_are_cumulative);
	RUN(buckets_are_exact_to_their_error);
	RUN(exits_are_told_by_reason);
	RUN(returns_without_times);
	RUN(numbers_may_be_anything);
	RUN(without_any_function);
	unlink(text_path);
	unlink(earlier_path);
	return tap_done();
}
