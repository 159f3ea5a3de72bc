/* SPDX-License-Identifier: GPL-2.0 */
/* Landing pads: where a function goes on when an exception passes through it. */
#ifndef LIBINSTR_LANDING_H
#define LIBINSTR_LANDING_H

#include "libinstr.h"

/*
 * A list of landing pads (LSDA), as all of GCC's and LLVM's languages use it. It names
 * one again and again.
 */
struct landing {
	const uint8_t *at, *end;
	uint64_t base;		/* vaddr that landing pads count from */
	uint8_t encoding;	/* of numbers */
	bool is_broken;
};

/* The list at @vaddr, of the frame that begins at @start. False: it is another kind. */
bool landing_init(struct landing *landing, const struct instr_file *file, uint64_t vaddr,
		  uint64_t start);

/* The vaddr of the next one; false: there are no more, or it @is_broken. */
bool landing_next(struct landing *landing, uint64_t *ret);

#endif
