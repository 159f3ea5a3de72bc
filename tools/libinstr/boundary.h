/* SPDX-License-Identifier: GPL-2.0 */
/* Boundaries: where do instructions begin? */
#ifndef LIBINSTR_BOUNDARY_H
#define LIBINSTR_BOUNDARY_H

#include <stdint.h>

/* The boundaries nearest to a place; offsets from the function's entry. */
struct boundary {
	uint64_t before;	/* at the place, or before it */
	uint64_t after;		/* behind @before */
};

/*
 * Is @at, in a function of @size bytes at @code, where an instruction begins? 0: it
 * is, and @ret->before == @at. -EINVAL: it is within the instruction from
 * @ret->before to @ret->after. -EILSEQ: nothing is known there, as the bytes at
 * @ret->before are no instruction.
 */
int boundary_find(const uint8_t *code, uint64_t size, uint64_t at, struct boundary *ret);

#endif
