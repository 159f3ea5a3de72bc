/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A board: what top shows, functions or processes in an order.
 *
 * A process has a row for each of its images, with its name. What has ended stays: it has no
 * rate any more.
 */
#ifndef INSTRCTL_BOARD_H
#define INSTRCTL_BOARD_H

#include "result.h"

enum board_key {
	BOARD_CALLS,
	BOARD_RATE,		/* calls a second, between the last two updates */
	BOARD_TOTAL,
	BOARD_SELF,
	BOARD_P99,
	BOARD_PID,
	BOARD_NAME,
	BOARD_KEY_MAX,
};

const char *board_key_name(enum board_key key);
enum board_key board_key_find(const char *name);	/* BOARD_KEY_MAX: there is none */

struct board_row {
	uint64_t calls;
	double rate;
	uint64_t total, self, p99;	/* ticks */
	bool finished;		/* it has p99 */
	pid_t pid;
	const char *name;
};

/* Calls at the last update of one that a row is for. */
struct board_before {
	uint32_t id;
	uint64_t calls;
};

struct board {
	const struct targets *targets;
	char **name;		/* by number of a site */

	/* How to look at it. */
	bool by_process;
	enum board_key key;
	bool reversed;

	/* What there was at the last update. */
	size_t processes;	/* that are counted in */
	size_t refused;		/* images of processes, in which a mapping was */
	double rate;
	uint32_t tsc_khz;
	size_t nr;
	struct board_row *row;	/* in order */

	size_t nr_functions, nr_spaces;
	struct board_row *function, *space;
	uint64_t *calls_before;	/* by number of a site */
	size_t nr_before;
	struct board_before *space_before;	/* by ascending id */
};

/* Is it shown? Times of processes are those that add up. */
bool board_has(const struct board *board, enum board_key key);

/* Functions, by rate. */
void board_init(struct board *board, const struct targets *targets);
void board_exit(struct board *board);

/* Names of processes are those in @result. @seconds: since the last update. */
void board_update(struct board *board, const struct result *result, double seconds);
/* Again, as it is to be looked at in another way. */
void board_sort(struct board *board);
/* Moves on to the next column, or back to the one before. */
void board_next_key(struct board *board, int by);
void board_toggle_processes(struct board *board);

/* What stands in that column; a number if it is not the name. */
const char *board_cell(const struct board *board, const struct board_row *row,
		       enum board_key key, char text[NAME_LEN]);
/* "calls", "function", ... */
const char *board_head(const struct board *board, enum board_key key);

#endif
