/* SPDX-License-Identifier: GPL-2.0 */
/* The slab of a plan: where each block is, and its bytes. */
#ifndef LIBINSTR_SLAB_H
#define LIBINSTR_SLAB_H

#include "libinstr.h"

/*
 * The slab begins a page or more below the slot of a site at @offset, so that
 * its descriptor overlaps none. What follows is how far it can reach.
 */
int64_t slab_start(struct instr_distance distance, uint64_t offset);

/*
 * Gives each site of @plan its place, and the slab its lengths and chunks, which
 * have no bytes yet. @total: the bytes that the chunks need.
 */
int slab_lay_out(struct instr_plan *plan, uint64_t *total, struct instr_err *err);

/* Writes the chunks, one behind the other, to @bytes, which are zero. */
void slab_fill(struct instr_plan *plan, uint8_t *bytes);

#endif
