/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rows of a report, most calls first, or most time.
 *
 * There is one row a place. If the program was counted in several of its images
 * each has rows of its own, with its name in them.
 */
#ifndef INSTRCTL_ROWS_H
#define INSTRCTL_ROWS_H

#include "result.h"

struct row {
	uint64_t calls;
	const struct result_times *times;	/* NULL: there are none */
	const struct target *target;
	struct instr_place_info place;
	const struct result_space *space;	/* NULL: of all of them */
};

struct rows {
	size_t nr;
	struct row *row;
	size_t uncalled;	/* functions, whatever the spaces */
};

/* Does each space have rows of its own? */
bool rows_by_space(const struct result *result);

void rows_create(const struct targets *targets, const struct result *result,
		 struct rows *ret);
void rows_destroy(struct rows *rows);

#endif
