/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shapes: functions that begin as compilers let them begin. Each is there in
 * several copies, equal but for "lock", on pages of their own, so that all ways to
 * count are there at once, and can take turns.
 */
#ifndef SHAPE_H
#define SHAPE_H

#include <stddef.h>

enum shape_copy {
	SHAPE_PLAIN,	/* nobody counts */
	SHAPE_LOCK,	/* begins with "lock incq" of shape_locked */
	SHAPE_OURS,	/* "ours_NAME": for sites of ours */
	SHAPE_TRAP,	/* "trap_NAME": for int3 sites of ours */
	SHAPE_EXITS,	/* "exits_NAME": for calls and returns, counted by us */
	SHAPE_TIMED,	/* "timed_NAME": for timing by us */
	SHAPE_EXITS_SLOT,	/* "slotexits_NAME": the same, by return slots */
	SHAPE_TIMED_SLOT,	/* "slottimed_NAME" */
	SHAPE_UPROBE,	/* for uprobes */
	SHAPE_URETPROBE,	/* for uprobes at both ends */
	NR_SHAPE_COPIES,
};

struct shape {
	const char *name;
	/* Returns its argument and 1; "fib" the number of that index. */
	long (*copy[NR_SHAPE_COPIES])(long);
};

extern const struct shape shapes[];
extern const size_t nr_shapes;
extern long shape_locked;

const struct shape *shape_find(const char *name);

#endif
