/* SPDX-License-Identifier: GPL-2.0 */
/* The slab of a plan: where each block is, and its bytes. */
#ifndef LIBINSTR_SLAB_H
#define LIBINSTR_SLAB_H

#include "libinstr.h"
#include "timing.h"

/*
 * A slab, or an annex, begins a page or more below the slot of a site at @offset, so
 * that its descriptor overlaps none. What follows is how far it can reach.
 */
int64_t slab_start(uint8_t top, uint64_t offset);

/* How many cells there should be for @inside places that are no entries. */
uint32_t slab_cells(size_t inside);
uint64_t slab_kept_len(uint32_t nr_cells);
/* What says whose a cell is: struct instr_cell, @site. */
uint64_t slab_cell_owner(const struct instr_plan_site *site);

/*
 * Gives each site of @plan, all entries of the file, its place, and the slab its
 * lengths. The number of cells is set.
 */
int slab_lay_out(struct instr_plan *plan, struct instr_err *err);

/* The same for plans that time: sites get a cell each. @nr_records: of functions. */
int slab_lay_out_timed(struct instr_plan *plan, size_t nr_records, struct instr_err *err);
uint64_t slab_layout_timed(const struct instr_plan *plan);

/* Bytes of all return slots. */
#define SLAB_SLOTS_LEN	((uint64_t)INSTR_SLOT_LEN << TIMING_SLOT_BITS)

/* Offset in the slab of the table of return slots. */
uint64_t slab_table(const struct instr_plan *plan);

/* Gives @site, which is none of these, its place in cell number @cell. */
void slab_take_cell(const struct instr_plan *plan, struct instr_plan_site *site,
		    uint32_t cell);

/*
 * Whoever changes what block.c, far.c, gate.c, iterate.S, lookup.S, reloc.c, returns.c, timing.S
 * or unwinding.c emit, or where, changes this.
 */
#define SLAB_LAYOUT_VERSION 26

/* In the slab's first page: the gate, behind the descriptor, and timing_code. */
#define SLAB_GATE_AT	64
#define SLAB_TIMING_AT	192	/* as timing.S has it */

/* Stands for what slab_fill() would write for all sites; after slab_lay_out(). */
uint64_t slab_layout(const struct instr_plan *plan);

/*
 * Makes the chunks for the sites that @plan has now; they have no bytes yet.
 * @total: how many they need.
 */
int slab_cover(struct instr_plan *plan, uint64_t *total, struct instr_err *err);

/* The code at @position, where the plan has some; behind slab_fill(). */
const uint8_t *slab_bytes(const struct instr_plan *plan, int64_t position);

/* Writes the chunks, one behind the other, to @bytes, which are zero. */
int slab_fill(struct instr_plan *plan, uint8_t *bytes, struct instr_err *err);

#endif
