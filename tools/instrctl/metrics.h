/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Metrics: a file for Prometheus that is written anew while a count goes on.
 */
#ifndef INSTRCTL_METRICS_H
#define INSTRCTL_METRICS_H

#include "prometheus.h"

struct metrics {
	const char *path;
	double interval;	/* seconds */
	struct prometheus *prometheus;
	bool failed;		/* it was not written last time */
};

/* @path may be NULL: there is no file, and nothing of this does anything. */
void metrics_begin(struct metrics *metrics, const char *path, double interval,
		   const struct targets *targets, struct result *result);
/* What was read since metrics_anew() is all that there is. Says if it can't be written. */
void metrics_anew(struct metrics *metrics);
void metrics_write(struct metrics *metrics, const struct count *count);
/* EXIT_NO: it was not written last. */
int metrics_end(struct metrics *metrics);

#endif
