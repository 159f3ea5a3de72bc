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

/* Calls of one site in one space; there are some. */
struct result_count {
	size_t number;		/* of the site among all targets' */
	uint64_t calls;
	uint64_t total, self;	/* ticks */
	struct result_times *times;	/* NULL: nothing is timed, or only together */
};

/* A process in one of its images; a new one begins with each exec. */
struct result_space {
	uint32_t id;
	pid_t pid;
	char comm[16];
	uint32_t refused;	/* errno of the last mapping that was, or 0 */
	uint32_t private_pages;
	unsigned int unset;		/* pointers that lead where they did */
	bool active;		/* something of it was, or could be, counted */
	size_t nr;
	struct result_count *count;	/* by ascending number */

	/* Where functions are timed: */
	uint64_t missed;	/* calls that could not be timed, if that is known */
	bool missed_known;
	struct instr_unwinds unwinds;

	/* While it is read, by number: */
	uint64_t *calls;
	struct result_times **times;	/* NULL: not called */
};

/*
 * @together: of many processes, which come and go; times of theirs are added up, as each
 * one's take too much memory.
 */
struct result {
	bool together;
	size_t nr;
	struct result_space *space;	/* by ascending id */
	size_t nr_numbers;	/* of sites */
	size_t nr_active;
	struct result_times **times;	/* @together: by number; NULL: none */
	uint32_t tsc_khz;	/* ticks of a millisecond */
};

void result_begin(struct result *result, const struct count *count,
		  const struct targets *targets);
/*
 * Reads spaces that have ended, which the module then forgets; not very many at once. 1:
 * there may be more.
 */
int result_collect(struct result *result, struct count *count, const struct targets *targets,
		   struct instr_err *err);
/* Reads what is left, once counting has ended. */
int result_finish(struct result *result, struct count *count, const struct targets *targets,
		  struct instr_err *err);
void result_free(struct result *result);

/* What @space has of the site with that number; NULL: it was not called. */
const struct result_count *result_count(const struct result_space *space, size_t number);
/* In all spaces, of which not more than one has some of its own; NULL: there are none. */
const struct result_times *result_times(const struct result *result, size_t number);
/* In all spaces: how often it was left by @exit. */
uint64_t result_exits(const struct result *result, size_t number, enum instr_exit exit);

#endif
