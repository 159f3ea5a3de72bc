/* SPDX-License-Identifier: GPL-2.0 */
/* Live objects, counted: what a leak would show in. */
#ifndef INSTR_LIVE_H
#define INSTR_LIVE_H

#include <linux/atomic.h>

struct instr_live {
	atomic_t sessions;
	atomic_t overlays;
	atomic_t spaces;
	atomic_t views;
	atomic64_t pages;	/* patched pages held by editions */
	atomic64_t pinned;	/* data pages */
};

extern struct instr_live instr_live;

/* Warns of each kind of object that is left; for module exit. */
void instr_live_check(void);

#endif
