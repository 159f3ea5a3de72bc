// SPDX-License-Identifier: GPL-2.0
/*
 * Prometheus.
 */

#include "prometheus.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"
#include "libinstr/array.h"
#include "refusal.h"
#include "say.h"
#include "utf8.h"

/* Upper bounds of a histogram's buckets; one without a bound follows. */
static const uint64_t bounds_ns[] = {
	100, 300, 1000, 3000, 10000, 30000, 100000, 300000, 1000000, 3000000, 10000000,
	30000000, 100000000, 300000000, 1000000000, 3000000000, 10000000000,
};

#define NR_BOUNDS	(sizeof(bounds_ns) / sizeof(*bounds_ns))

/* What only grows: nothing but uint64_t. */
struct numbers {
	uint64_t calls, total;
	uint64_t exits[INSTR_EXIT_INSIDE];	/* of all other kinds */
	uint64_t bucket[NR_BOUNDS + 1];
};

struct series {
	struct numbers ended, sampled;
	struct numbers shown;	/* last, and at the least from now on */
	uint64_t inside;	/* now */
};

/* Processes of one name. */
struct group {
	char *comm;		/* escaped */
	struct series **series;	/* by name; NULL: nothing was called */
};

struct reason {
	const char *text;
	uint64_t ended, sampled;
};

struct prometheus {
	enum instr_measure measure;
	uint32_t tsc_khz;
	size_t nr_names;
	char **name;		/* file and function as labels, ascending */
	size_t nr_sites;
	size_t *name_of;	/* by number of a site */
	size_t nr_groups;
	struct group *group;
	size_t nr_reasons;
	struct reason *reason;
	uint64_t processes;
	uint8_t bound_of[INSTR_BUCKETS];
};

/* ---- labels ------------------------------------------------------------------ */

static char *escape(const char *bytes)
{
	char *text = utf8_text(bytes);
	char *escaped = allocate(2 * strlen(text) + 1, 1), *to = escaped;

	for (const char *at = text; *at; at++) {
		if (*at == '\\' || *at == '"' || *at == '\n')
			*to++ = '\\';
		*to++ = *at == '\n' ? 'n' : *at;
	}
	free(text);
	return escaped;
}

static char *name_labels(const struct prometheus_site *site)
{
	char *file = escape(site->file), *function = escape(site->function), *labels;

	if (asprintf(&labels, "file=\"%s\",function=\"%s\"", file, function) < 0)
		out_of_memory();
	free(file);
	free(function);
	return labels;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_names(struct prometheus *prometheus)
{
	size_t nr = 0;

	qsort(prometheus->name, prometheus->nr_names, sizeof(char *), compare_names);
	for (size_t i = 0; i < prometheus->nr_names; i++) {
		if (nr && !strcmp(prometheus->name[i], prometheus->name[nr - 1]))
			free(prometheus->name[i]);
		else
			prometheus->name[nr++] = prometheus->name[i];
	}
	prometheus->nr_names = nr;
}

static void name_sites(struct prometheus *prometheus, const struct prometheus_site *site,
		       size_t nr)
{
	prometheus->nr_sites = prometheus->nr_names = nr;
	prometheus->name = allocate(nr, sizeof(char *));
	prometheus->name_of = allocate(nr, sizeof(size_t));
	for (size_t i = 0; i < nr; i++)
		prometheus->name[i] = name_labels(&site[i]);
	sort_names(prometheus);
	for (size_t i = 0; i < nr; i++) {
		char *labels = name_labels(&site[i]);
		char **name = bsearch(&labels, prometheus->name, prometheus->nr_names,
				      sizeof(char *), compare_names);

		prometheus->name_of[i] = (size_t)(name - prometheus->name);
		free(labels);
	}
}

/* ---- buckets ----------------------------------------------------------------- */

/* A bucket of a result is where its middle is: within the 1.6 % that it is known by. */
static void place_buckets(struct prometheus *prometheus)
{
	uint8_t bound = 0;

	for (unsigned int i = 0; i < INSTR_BUCKETS; i++) {
		uint64_t start = instr_bucket_start(i);
		uint64_t middle = start + (instr_bucket_start(i + 1) - start) / 2;

		while (bound < NR_BOUNDS &&
		       duration_ns(middle, prometheus->tsc_khz) > bounds_ns[bound])
			bound++;
		prometheus->bound_of[i] = bound;
	}
}

struct prometheus *prometheus_create(const struct prometheus_site *site, size_t nr,
				     enum instr_measure measure, uint32_t tsc_khz)
{
	struct prometheus *prometheus = allocate(1, sizeof(*prometheus));

	prometheus->measure = measure;
	prometheus->tsc_khz = tsc_khz;
	name_sites(prometheus, site, nr);
	if (measure == INSTR_TIMES)
		place_buckets(prometheus);
	return prometheus;
}

static void group_exit(const struct prometheus *prometheus, struct group *group)
{
	for (size_t i = 0; i < prometheus->nr_names; i++)
		free(group->series[i]);
	free(group->series);
	free(group->comm);
}

void prometheus_destroy(struct prometheus *prometheus)
{
	if (!prometheus)
		return;
	for (size_t i = 0; i < prometheus->nr_groups; i++)
		group_exit(prometheus, &prometheus->group[i]);
	for (size_t i = 0; i < prometheus->nr_names; i++)
		free(prometheus->name[i]);
	free(prometheus->group);
	free(prometheus->name);
	free(prometheus->name_of);
	free(prometheus->reason);
	free(prometheus);
}

/* ---- adding ------------------------------------------------------------------ */

void prometheus_begin(struct prometheus *prometheus)
{
	prometheus->processes = 0;
	for (size_t i = 0; i < prometheus->nr_reasons; i++)
		prometheus->reason[i].sampled = 0;
	for (size_t i = 0; i < prometheus->nr_groups; i++)
		for (size_t j = 0; j < prometheus->nr_names; j++) {
			struct series *series = prometheus->group[i].series[j];

			if (!series)
				continue;
			series->sampled = (struct numbers) { 0 };
			series->inside = 0;
		}
}

static struct group *group_find(struct prometheus *prometheus, const char *comm)
{
	for (size_t i = 0; i < prometheus->nr_groups; i++)
		if (!strcmp(prometheus->group[i].comm, comm))
			return &prometheus->group[i];
	return NULL;
}

/* Takes over @comm. */
static struct group *group_push(struct prometheus *prometheus, char *comm)
{
	const struct group group = {
		.comm = comm,
		.series = allocate(prometheus->nr_names, sizeof(struct series *)),
	};

	if (!ARRAY_PUSH(prometheus->group, prometheus->nr_groups, group))
		out_of_memory();
	return &prometheus->group[prometheus->nr_groups - 1];
}

static struct group *group_get(struct prometheus *prometheus, const char *comm)
{
	char *escaped = escape(comm);
	struct group *group = group_find(prometheus, escaped);

	if (!group && prometheus->nr_groups < PROMETHEUS_COMMS)
		return group_push(prometheus, escaped);
	free(escaped);
	return group ?: group_find(prometheus, PROMETHEUS_OTHERS) ?:
	       group_push(prometheus, escape(PROMETHEUS_OTHERS));
}

static struct series *series_of(struct group *group, size_t name)
{
	if (!group->series[name])
		group->series[name] = allocate(1, sizeof(struct series));
	return group->series[name];
}

static void add_times(const struct prometheus *prometheus, struct series *series,
		      struct numbers *numbers, const struct instr_times *times)
{
	numbers->total += times->total;
	for (unsigned int i = 0; i < INSTR_EXIT_INSIDE; i++)
		numbers->exits[i] += times->exits[i];
	for (unsigned int i = 0; i < INSTR_BUCKETS; i++)
		numbers->bucket[prometheus->bound_of[i]] += times->bucket[i];
	series->inside += times->exits[INSTR_EXIT_INSIDE];
}

static void add_site(const struct prometheus *prometheus, struct group *group,
		     const struct result_space *space, size_t number)
{
	struct series *series = series_of(group, prometheus->name_of[number]);
	struct numbers *numbers = space->sampled ? &series->sampled : &series->ended;

	numbers->calls += space->calls[number];
	if (space->times && space->times[number])
		add_times(prometheus, series, numbers, &space->times[number]->times);
}

static void add_refusal(struct prometheus *prometheus, const struct result_space *space)
{
	struct reason fresh = { .text = refusal_text((int)space->refused) };
	size_t i = 0;

	while (i < prometheus->nr_reasons && strcmp(prometheus->reason[i].text, fresh.text))
		i++;
	if (i == prometheus->nr_reasons &&
	    !ARRAY_PUSH(prometheus->reason, prometheus->nr_reasons, fresh))
		out_of_memory();
	if (space->sampled)
		prometheus->reason[i].sampled++;
	else
		prometheus->reason[i].ended++;
}

void prometheus_add(const struct result_space *space, void *arg)
{
	struct prometheus *prometheus = arg;
	struct group *group = NULL;

	prometheus->processes += space->sampled && space->live && space->active;
	if (space->refused)
		add_refusal(prometheus, space);
	for (size_t i = 0; i < prometheus->nr_sites; i++) {
		if (!space->calls[i])
			continue;
		if (!group)
			group = group_get(prometheus, space->comm);
		add_site(prometheus, group, space, i);
	}
}

/* ---- printing ---------------------------------------------------------------- */

/* One line, or some, of a series. */
typedef void (*print_series)(const char *labels, const struct series *series,
			     uint32_t tsc_khz, FILE *out);

static void print_head(const char *name, const char *type, const char *help, FILE *out)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_number(const char *name, const char *labels, uint64_t value, FILE *out)
{
	fprintf(out, "%s%s %" PRIu64 "\n", name, labels, value);
}

static void print_all(const struct prometheus *prometheus, print_series print, FILE *out)
{
	for (size_t i = 0; i < prometheus->nr_names; i++)
		for (size_t j = 0; j < prometheus->nr_groups; j++) {
			const struct group *group = &prometheus->group[j];
			char *labels;

			if (!group->series[i])
				continue;
			if (asprintf(&labels, "%s,comm=\"%s\"", prometheus->name[i],
				     group->comm) < 0)
				out_of_memory();
			print(labels, group->series[i], prometheus->tsc_khz, out);
			free(labels);
		}
}

static void print_calls(const char *labels, const struct series *series, uint32_t tsc_khz,
			FILE *out)
{
	(void)tsc_khz;
	fprintf(out, "instr_calls_total{%s} %" PRIu64 "\n", labels, series->shown.calls);
}

static void print_exits(const char *labels, const struct series *series, uint32_t tsc_khz,
			FILE *out)
{
	(void)tsc_khz;
	for (unsigned int i = 0; i < INSTR_EXIT_INSIDE; i++)
		if (series->shown.exits[i] || i == INSTR_EXIT_RETURN)
			fprintf(out, "instr_exits_total{%s,reason=\"%s\"} %" PRIu64 "\n", labels,
				instr_exit_name(i), series->shown.exits[i]);
}

static void print_inside(const char *labels, const struct series *series, uint32_t tsc_khz,
			 FILE *out)
{
	(void)tsc_khz;
	fprintf(out, "instr_calls_inside{%s} %" PRIu64 "\n", labels, series->inside);
}

/* The process may have written anything there. */
static uint64_t add_clamped(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

static void print_histogram(const char *labels, const struct series *series, uint32_t tsc_khz,
			    FILE *out)
{
	static const char name[] = "instr_call_duration_seconds";
	uint64_t ns = duration_ns(series->shown.total, tsc_khz), count = 0;

	for (size_t i = 0; i < NR_BOUNDS; i++) {
		count = add_clamped(count, series->shown.bucket[i]);
		fprintf(out, "%s_bucket{%s,le=\"%g\"} %" PRIu64 "\n", name, labels,
			(double)bounds_ns[i] / 1e9, count);
	}
	count = add_clamped(count, series->shown.bucket[NR_BOUNDS]);
	fprintf(out, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, labels, count);
	fprintf(out, "%s_sum{%s} %" PRIu64 ".%09" PRIu64 "\n", name, labels, ns / 1000000000,
		ns % 1000000000);
	fprintf(out, "%s_count{%s} %" PRIu64 "\n", name, labels, count);
}

static void print_reasons(const struct prometheus *prometheus, FILE *out)
{
	for (size_t i = 0; i < prometheus->nr_reasons; i++) {
		const struct reason *reason = &prometheus->reason[i];

		fprintf(out, "instr_processes_refused{reason=\"%s\"} %" PRIu64 "\n", reason->text,
			reason->ended + reason->sampled);
	}
}

/* ---- all of it ---------------------------------------------------------------- */

static int compare_groups(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return strcmp(x->comm, y->comm);
}

static void sort_groups(struct prometheus *prometheus)
{
	if (prometheus->nr_groups)
		qsort(prometheus->group, prometheus->nr_groups, sizeof(*prometheus->group),
		      compare_groups);
}

static void raise_shown(struct series *series)
{
	const uint64_t *ended = (const uint64_t *)&series->ended;
	const uint64_t *sampled = (const uint64_t *)&series->sampled;
	uint64_t *shown = (uint64_t *)&series->shown;

	for (size_t i = 0; i < sizeof(struct numbers) / sizeof(uint64_t); i++)
		if (ended[i] + sampled[i] > shown[i])
			shown[i] = ended[i] + sampled[i];
}

static void raise_all(struct prometheus *prometheus)
{
	for (size_t i = 0; i < prometheus->nr_groups; i++)
		for (size_t j = 0; j < prometheus->nr_names; j++)
			if (prometheus->group[i].series[j])
				raise_shown(prometheus->group[i].series[j]);
}

static void print_times(const struct prometheus *prometheus, FILE *out)
{
	print_head("instr_exits_total", "counter", "How functions were left.", out);
	print_all(prometheus, print_exits, out);
	if (prometheus->measure != INSTR_TIMES)
		return;
	print_head("instr_calls_inside", "gauge", "Calls of functions that have not ended.", out);
	print_all(prometheus, print_inside, out);
	print_head("instr_call_duration_seconds", "histogram",
		   "How long calls took, from entry to exit.", out);
	print_all(prometheus, print_histogram, out);
}

void prometheus_print(struct prometheus *prometheus, unsigned int lost, FILE *out)
{
	raise_all(prometheus);
	sort_groups(prometheus);
	print_head("instr_calls_total", "counter", "Calls of functions.", out);
	print_all(prometheus, print_calls, out);
	if (prometheus->measure != INSTR_CALLS)
		print_times(prometheus, out);
	print_head("instr_processes", "gauge", "Processes that are being counted in.", out);
	print_number("instr_processes", "", prometheus->processes, out);
	print_head("instr_processes_refused", "gauge",
		   "Images of processes so far in which a mapping was left alone.", out);
	print_reasons(prometheus, out);
	print_head("instr_events_lost_total", "counter", "Events that the kernel dropped.", out);
	print_number("instr_events_lost_total", "", lost, out);
}
