/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The report of a count: a table, or one line of JSON.
 */
#ifndef INSTRCTL_REPORT_H
#define INSTRCTL_REPORT_H

#include "result.h"

#include <stdio.h>

struct report {
	const struct targets *targets;
	const struct result *result;
	struct instr_watch *watch;
	double seconds;
	bool zeros;		/* rows of functions that were not called, too */
};

void report_text(const struct report *report, FILE *out);
void report_json(const struct report *report, FILE *out);

#endif
