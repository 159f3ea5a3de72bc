/* SPDX-License-Identifier: GPL-2.0 */
/* The machine that plans are made for: the one that we run on. */
#ifndef LIBINSTR_MACHINE_H
#define LIBINSTR_MACHINE_H

#include <stdbool.h>

/*
 * Where several threads count, each processor does so in a shard of its own. More
 * would be a large part of memory, and a collision costs time, not counts.
 */
#define MACHINE_SHARDS_MAX 64

struct machine {
	unsigned int shards;	/* a power of two, one per processor if possible */
	bool has_rdpid;		/* the instruction that tells which processor it is */
};

const struct machine *machine_here(void);

#endif
