// SPDX-License-Identifier: GPL-2.0
/*
 * Metrics.
 */

#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replace.h"
#include "say.h"

static void add_sites(const struct target *target, struct prometheus_site *site)
{
	char name[NAME_LEN];

	for (size_t i = 0; i < target->nr; i++) {
		struct instr_place_info place = target_place(target, i);

		site[target->first + i] = (struct prometheus_site) {
			.file = target->name,
			.function = strdup(instr_place_name(&place, name, sizeof(name))),
		};
	}
}

static struct prometheus *create(const struct targets *targets, uint32_t tsc_khz)
{
	struct prometheus_site *site = calloc(targets->nr_sites + 1, sizeof(*site));
	struct prometheus *prometheus;

	if (!site)
		out_of_memory();
	for (size_t i = 0; i < targets->nr; i++)
		add_sites(&targets->target[i], site);
	prometheus = prometheus_create(site, targets->nr_sites, targets->goal.measure, tsc_khz);
	for (size_t i = 0; i < targets->nr_sites; i++)
		free((char *)site[i].function);
	free(site);
	return prometheus;
}

void metrics_begin(struct metrics *metrics, const char *path, double interval,
		   const struct targets *targets, struct result *result)
{
	*metrics = (struct metrics) { .path = path, .interval = interval };
	if (!path)
		return;
	metrics->prometheus = create(targets, result->tsc_khz);
	result->on_space = prometheus_add;
	result->arg = metrics->prometheus;
}

void metrics_anew(struct metrics *metrics)
{
	if (metrics->path)
		prometheus_begin(metrics->prometheus);
}

/* The same complaint, every few seconds, would help nobody. */
static void complain(struct metrics *metrics, const struct instr_err *err)
{
	if (!metrics->failed)
		say_error(err, EXIT_NO);
	metrics->failed = true;
}

void metrics_write(struct metrics *metrics, const struct count *count)
{
	struct instr_err err = { 0 };
	char *text = NULL;
	size_t len;
	FILE *out;

	if (!metrics->path)
		return;
	out = open_memstream(&text, &len);
	if (!out)
		out_of_memory();
	prometheus_print(metrics->prometheus, instr_watch_lost(count->watch), out);
	if (fclose(out))
		out_of_memory();
	if (replace_output(metrics->path, text, len, &err))
		complain(metrics, &err);
	else
		metrics->failed = false;
	free(text);
}

int metrics_end(struct metrics *metrics)
{
	prometheus_destroy(metrics->prometheus);
	return metrics->failed ? EXIT_NO : EXIT_DONE;
}
