/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unwinding out of slabs: what says how, in DWARF's words, and what finds it.
 *
 * A slab's unwind part lies between its slots and its cells. It has struct unwind_head,
 * the descriptions of all that is in the slab but for the cells, and the routine that
 * _Unwind_Find_FDE of each copy of libgcc is made to ask (lookup.S). A cell has its own
 * behind its block.
 *
 * LLVM's unwinder asks the dynamic loader, and gets pseudo-modules (iterate.S): program
 * headers in the unwind part, and an index of all descriptions (.eh_frame_hdr) behind it.
 */
#ifndef LIBINSTR_UNWIND_H
#define LIBINSTR_UNWIND_H

/* Bytes of it, if all fits; it is a multiple of a page. */
#define UNWIND_LEN	4096

/* In struct unwind_head, struct instr_descriptor and struct instr_cell, for lookup.S. */
#define UNWIND_CELLS		0
#define UNWIND_CELLS_LEN	8
#define UNWIND_ASKED		16
#define UNWIND_COMMON		24
#define UNWIND_SLOTS		28
#define UNWIND_OWN		32
#define UNWIND_RETURNS		36
#define UNWIND_SLOTS_AT		40
#define UNWIND_TABLE		44
#define UNWIND_HEADERS		48
#define UNWIND_HEADERS_NR	2
#define UNWIND_OF_SLAB		56
#define UNWIND_OF_CELL		12
#define UNWIND_RECORD		252
#define UNWIND_CELL_BITS	8

#ifndef __ASSEMBLER__

#include "emit.h"
#include "libinstr.h"

struct unwind_head {
	uint64_t cells;		/* offset of the first in the slab's code ... */
	uint64_t cells_len;	/* ... and bytes of all */
	uint64_t asked;		/* offset in the slab: bit n: that function was asked for */
	/* Descriptions, FDEs; offsets from here: */
	uint32_t common;	/* of the first page */
	uint32_t slots;
	uint32_t own;		/* of the routine */
	uint32_t returns;	/* of return slots */
	/* Offsets in the slab: */
	uint32_t slots_at;	/* of the byte before the first return slot; 0: there are none */
	uint32_t table;		/* of their table */
	uint32_t headers;	/* offset from here of program headers; 0: there is no index */
	uint32_t pad[3];
};

/* The routine, and where in it displacements to control.frames are. */
extern const uint8_t unwind_find[], unwind_find_end[];
extern const uint16_t unwind_holes[], unwind_holes_end[];

/* Where in the unwind part the routine is. */
#define UNWIND_FIND_AT	64

/* The other one, and where displacements to control.frames are in it. */
extern const uint8_t unwind_iterate[], unwind_iterate_end[];
extern const uint16_t iterate_holes[], iterate_holes_end[];

/* Where in the unwind part that is, behind the first. */
uint32_t unwind_iterate_at(void);

/* Bytes of the index, which is as long as all cells need. */
uint64_t unwind_index_len(const struct instr_plan *plan);

/*
 * Writes it, as far as there is something to find. @part: the unwind part, which is filled,
 * as cells are.
 */
void unwind_fill_index(const struct instr_plan *plan, const uint8_t *part, uint8_t *bytes);

/*
 * How many bytes the cell of @site needs for its block and the description of that; it
 * does not depend on where they are. The block is measured.
 */
size_t unwind_cell_len(const struct instr_plan_site *site);

/*
 * Writes what @cell, struct instr_cell of @site that has its block, needs beside that. If
 * there is no room for the description there is none.
 */
void unwind_fill_cell(const struct instr_plan *plan, const struct instr_plan_site *site,
		      uint8_t *cell);

/* Writes the unwind part. @page: the first page of the slab. */
int unwind_fill(const struct instr_plan *plan, const uint8_t *page, uint8_t *bytes,
		struct instr_err *err);

/*
 * For unwinders that can't be asked to ask: what __register_frame_info() takes, of all that
 * is in the slab. It is to lie at @position. *ret: free() it.
 */
int unwind_image(const struct instr_plan *plan, int64_t position, uint8_t **ret, size_t *len,
		 struct instr_err *err);

/* Bytes behind the times of records, for who was asked for. */
uint64_t unwind_asked_len(const struct instr_plan *plan);

#endif
#endif
