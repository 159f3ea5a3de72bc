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
	bool live;		/* it is there, or was when it was read */
	bool sampled;		/* it was read while it is counted, and will be again */
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

	/* Spaces that were sampled are the last of them. */
	size_t nr_sampled;
	struct result_times **sampled;	/* @together: with theirs; NULL: they have none */

	/*
	 * Is told of each space, if it is not NULL, when that was read, and has @calls and
	 * @times.
	 */
	void (*on_space)(const struct result_space *space, void *arg);
	void *arg;
};

void result_begin(struct result *result, const struct count *count,
		  const struct targets *targets);
/* Of however few processes, as if they were many. */
void result_begin_together(struct result *result, const struct count *count,
			   const struct targets *targets);
/*
 * Reads spaces that have ended, which the module then forgets; not very many at once. 1:
 * there may be more.
 */
int result_collect(struct result *result, struct count *count, const struct targets *targets,
		   struct instr_err *err);
/*
 * Reads all that there is while counting goes on: spaces that have ended as
 * result_collect(), and the others, which the next call of any of these reads anew.
 * Functions that are being executed have a call, with INSTR_EXIT_INSIDE.
 */
int result_sample(struct result *result, struct count *count, const struct targets *targets,
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
