/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where things lie, as positions: the text and, in reach of it, all that a
 * sequence may touch. Between them nothing is mapped.
 *
 *	| text |   | stubs | exit |   | memory |   | stack |
 *
 * What is not the text may lie away from there: out of reach of the slab.
 */
#ifndef FUZZ_SPACE_H
#define FUZZ_SPACE_H

#include <stdint.h>

#define SPACE_TEXT	0x1000
#define SPACE_TEXT_MAX	0x600000
#define SPACE_STUBS	(space_away + 0x800000)
#define SPACE_EXIT	(space_away + 0x801000)
#define SPACE_MEMORY	(space_away + 0xa00000)
#define SPACE_STACK	(space_away + 0xc00000)

extern int64_t space_away;
#define SPACE_AWAY	0x7f000000

/* Of the memory, and of the stack. */
#define ARENA_LEN	4096

/* Position 0 of a library, and of a program that is loaded at its own address. */
#define BASE_ANYWHERE	0x100000000000ULL
#define BASE_FIXED	0x400000ULL

/* Stubs that end a sequence say which of them did; those that are called return. */
#define NR_EXITS	8
#define NR_CALLEES	4
#define NR_STUBS	(NR_EXITS + NR_CALLEES)
#define STUB_LEN	32

static inline int64_t stub_position(unsigned int stub)
{
	return SPACE_STUBS + (int64_t)stub * STUB_LEN;
}

/* The first words of the memory hold addresses of stubs. */
#define NR_POINTERS	NR_STUBS

#endif
