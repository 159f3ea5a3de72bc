/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A result: what was counted, by function and by space.
 */
#ifndef INSTRCTL_RESULT_H
#define INSTRCTL_RESULT_H

#include "count.h"

struct result_times {
	struct instr_times times;	/* ticks; all calls have an exit of some kind */
	uint64_t finished;	/* calls that have a part in the times */
};

/* The program in one of its images; a new one begins with each exec. */
struct result_space {
	uint32_t id;
	pid_t pid;
	char comm[16];
	uint32_t refused;	/* errno of the last mapping that was, or 0 */
	uint32_t private_pages;
	unsigned int unset;		/* pointers that lead where they did */
	bool active;		/* something of it was, or could be, counted */
	uint64_t *calls;	/* by the number of the site among all targets' */

	/* Where functions are timed: */
	struct result_times **times;	/* the same; NULL: not called */
	uint64_t missed;	/* calls that could not be timed, if that is known */
	bool missed_known;
	struct instr_unwinds unwinds;
};

struct result {
	size_t nr;
	struct result_space *space;
	size_t nr_numbers;	/* of sites */
	size_t nr_active;
	uint32_t tsc_khz;	/* ticks of a millisecond */
};

/* Only once, when counting has ended. */
int result_read(struct count *count, const struct targets *targets, struct result *ret,
		struct instr_err *err);
void result_free(struct result *result);

#endif
