/* SPDX-License-Identifier: GPL-2.0 */
/* Indirect jumps: what is it that they jump to? */
#ifndef LIBINSTR_JUMP_H
#define LIBINSTR_JUMP_H

#include "exits.h"

enum jump_source {
	JUMP_ANYTHING,	/* a pointer, or what is computed in another way */
	JUMP_POINTERS,	/* an element of an array of pointers */
	JUMP_OFFSETS,	/* a base, and an element of an array of 32-bit offsets from it */
};

struct jump {
	enum jump_source source;
	bool is_known;		/* where the array, and the base, are */
	uint64_t array, base;	/* vaddr */
};

/*
 * Of the jump @at bytes behind the start of @part, which has been followed as far as
 * the jump.
 */
void jump_resolve(const struct exits_part *part, uint64_t at, struct jump *ret);

/*
 * Is the last thing that is known to have happened to RSP before the jump that it was
 * lowered? Where that is not known it is not.
 */
bool jump_has_frame(const struct exits_part *part, uint64_t at);

/* The vaddr that element @i leads to; false: the file doesn't have it. */
bool jump_element(const struct instr_file *file, const struct jump *jump, uint64_t i,
		  uint64_t *ret);

#endif
