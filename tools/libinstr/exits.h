/* SPDX-License-Identifier: GPL-2.0 */
/* Exits: all instructions by which a function goes back to its caller. */
#ifndef LIBINSTR_EXITS_H
#define LIBINSTR_EXITS_H

#include "cfi.h"
#include "func.h"
#include "libinstr.h"

enum exit_kind {
	EXIT_RETURN,	/* ret, ret imm16 */
	EXIT_JUMP,	/* tail calls: jmp, */
	EXIT_INDIRECT,	/* ... to where a register or memory says, */
	EXIT_BRANCH,	/* ... or not */
	EXIT_KINDS,
};

struct exit {
	uint64_t vaddr;
	uint8_t len;
	uint8_t kind;		/* enum exit_kind */
	uint8_t part;		/* index: which part of the function it is in */
};

/* What is known of a byte. */
enum exits_mark {
	EXITS_BOUNDARY = 1 << 0,	/* an instruction begins there */
	EXITS_WITHIN = 1 << 1,		/* ... or goes on */
	EXITS_TARGET = 1 << 2,		/* if one begins there, a branch leads to it */
};

/* The function itself comes first, then what the compiler put elsewhere (cold code). */
struct exits_part {
	size_t func;		/* index in the table */
	uint64_t start, size;	/* vaddr */
	const uint8_t *code;
	uint8_t *mark;		/* of each byte; 0: nothing leads there, or padding */
};

struct exits {
	size_t nr;
	struct exit *exit;	/* by ascending vaddr */
	size_t nr_parts;
	struct exits_part *part;
};

/* Why not all exits are known. */
enum exits_reason {
	EXITS_PROVEN,
	EXITS_MEMORY,		/* out of memory */
	EXITS_SEGMENT,
	EXITS_SIGNAL_FRAME,
	EXITS_NOT_CALLED,	/* it is a part of another function */
	EXITS_UNDECODABLE,
	EXITS_OVERLAP,
	EXITS_FALLS,
	EXITS_STACK,
	EXITS_CALL,
	EXITS_FAR,
	EXITS_MIDDLE,
	EXITS_NOWHERE,
	EXITS_INDIRECT,
	EXITS_LANDING,
	EXITS_PARTS,
	EXITS_REASONS,
};

/* What functions are searched in. */
struct exits_text {
	const struct instr_file *file;
	const struct func_table *funcs;
	struct cfi cfi;
	const uint8_t *bytes;	/* of the text; NULL: there are none */
	uint64_t vaddr, len;
};

int exits_text_init(struct exits_text *text, struct instr_file *file, struct instr_err *err);
void exits_text_exit(struct exits_text *text);

/*
 * Finds the exits of @func. EXITS_PROVEN: those are all, and it may have none. Else
 * @ret is empty. In any case: exits_exit() it.
 *
 * A function is also left by exceptions and longjmp(), by system calls that don't come
 * back, and by what it calls. Exits that lead to the function's own entry are tail calls
 * too: each time that the entry is passed there is an exit.
 */
enum exits_reason exits_find(struct exits_text *text, size_t func, struct exits *ret);
void exits_exit(struct exits *exits);

/* A short phrase: "it jumps into the middle of another function"; "" if proven. */
const char *exits_reason_text(enum exits_reason reason);

static inline bool exits_is_boundary(const struct exits_part *part, uint64_t vaddr)
{
	return vaddr - part->start < part->size &&
	       part->mark[vaddr - part->start] & EXITS_BOUNDARY;
}

/* Does the function branch there? Not all targets of computed jumps are known. */
static inline bool exits_is_target(const struct exits_part *part, uint64_t vaddr)
{
	return exits_is_boundary(part, vaddr) &&
	       part->mark[vaddr - part->start] & EXITS_TARGET;
}

#endif
