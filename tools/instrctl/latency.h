/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Latency: what a report says of times.
 */
#ifndef INSTRCTL_LATENCY_H
#define INSTRCTL_LATENCY_H

#include <stdio.h>

#include "json.h"
#include "libinstr/table.h"
#include "result.h"

/* The heads of the cells. */
#define LATENCY_HEADS ">total", ">self", ">min", ">p50", ">p90", ">p99", ">max"

/* @times may be NULL: it was not called. */
void latency_cells(struct instr_table *table, const struct result_times *times, uint32_t khz);
/* What stands below the table. */
void latency_notes(const struct targets *targets, const struct result *result, FILE *out);

void latency_json(struct json_object *row, const struct result_times *times, uint32_t khz);
void latency_json_process(struct json_object *row, const struct result_space *space);
void latency_json_top(struct json_object *top, const struct targets *targets,
		      const struct result *result);

#endif
