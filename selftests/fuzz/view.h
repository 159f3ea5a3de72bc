/* SPDX-License-Identifier: GPL-2.0 */
/* A view: a batch in this address space, as it is and as it is patched. */
#ifndef FUZZ_VIEW_H
#define FUZZ_VIEW_H

#include "batch.h"
#include "state.h"

struct view {
	const struct batch *batch;
	uint8_t *text;			/* where it can be written */
	uint8_t *data;			/* of the slab */
	const struct instr_plan_site *patched;	/* or NULL */
};

/* Maps all; false if a place is taken. */
bool view_init(struct view *view, const struct batch *batch);
/* Shows the patch of site number @site, or the text as it is. */
void view_patch(struct view *view, size_t site, bool patched);

/* Puts an int3 at @position of the text, or takes it away. */
void view_break(struct view *view, uint64_t position, bool set);

/* The gates: what a thread may be, and what an entry adds to the counter. */
#define NR_GATES 5
unsigned int view_set_gate(struct view *view, unsigned int gate, uint64_t fs);
uint64_t view_count(const struct view *view, size_t site);

/* Where the trap at @address, of what is patched, leads; 0: nowhere. */
uint64_t view_lead(const struct view *view, uint64_t address);

#endif
