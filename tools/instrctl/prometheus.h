/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Prometheus: counts as text in its exposition format, which node_exporter's textfile
 * collector reads.
 *
 * There is a series for each function and each name of processes, however many processes
 * have that name: a pid in it would make new series for ever. Nor do names of processes,
 * which these choose: what exceeds PROMETHEUS_COMMS of them is one name together. Functions
 * of one name in one file share a series, as two of the same labels make the text invalid.
 * Counters never get less, whatever a process writes to its counts.
 */
#ifndef INSTRCTL_PROMETHEUS_H
#define INSTRCTL_PROMETHEUS_H

#include <stdio.h>

#include "result.h"

#define PROMETHEUS_COMMS	256
#define PROMETHEUS_OTHERS	"(others)"

/* Any bytes. */
struct prometheus_site {
	const char *file, *function;
};

struct prometheus;

/* @site: by number, as those of a result; it is copied. */
struct prometheus *prometheus_create(const struct prometheus_site *site, size_t nr,
				     enum instr_measure measure, uint32_t tsc_khz);
void prometheus_destroy(struct prometheus *prometheus);

/* From now on spaces that were sampled are added anew. */
void prometheus_begin(struct prometheus *prometheus);
/* Adds a space: on_space of a result. */
void prometheus_add(const struct result_space *space, void *prometheus);

/* @lost: events. */
void prometheus_print(struct prometheus *prometheus, unsigned int lost, FILE *out);

#endif
