/* SPDX-License-Identifier: GPL-2.0 */
/* Classes: kinds of instructions, as templates, and what they must have come to. */
#ifndef FUZZ_CLASS_H
#define FUZZ_CLASS_H

#include "sequence.h"

/*
 * A template is hex bytes and these, all separated by blanks:
 *
 *	x	a REX prefix, or none		R E M	ModRM: a register, either, memory
 *	XX+r	XX plus a register		Z	... the red zone
 *	XX+c	XX plus a condition		P	... relative to RIP
 *	b w d q	an immediate of 8 to 64 bits	Q	... relative to RIP: a stub's address
 *	i	16 bits: a small multiple of 8	A	... an absolute address
 *	T	64 bits: the memory's address	B J C	a branch of 8, 32 bits; a call
 *
 * A digit behind R, E, M, Z, P, Q or A is the register field.
 */
struct class {
	const char *name;
	const char *const *templates;
	unsigned int nr;
	bool faults;		/* it can't do anything else */
	bool loops;
	bool avx512;		/* is needed, or it faults */
	bool far;		/* most of it refers to what may be far */
};

enum {
	CLASS_REAL_ENTRY,	/* cut from files */
	CLASS_REAL_INSIDE,
	CLASS_RANDOM,		/* the first of those that are made of templates */
};

extern const struct class classes[];
extern const unsigned int nr_classes;

/* A sequence around one instruction of class @class. */
void class_generate(struct sequence *sequence, unsigned int class, struct random *random,
		    uint64_t base);

#endif
