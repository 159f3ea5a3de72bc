/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Symbols of slabs: what debuggers and profilers are told of the code that a process has
 * there: the names of its parts, and how to unwind out of them.
 *
 * It is read out of the process, which may have written anything, and may still: each page
 * is read once, all is bounded, and what makes no sense is left out.
 */
#ifndef LIBINSTR_SYMBOLS_H
#define LIBINSTR_SYMBOLS_H

#include "libinstr.h"

/*
 * What all names end in. Not "@instr", nor ".instr": gdb would take such a function for a
 * version, or a clone, of one that is asked for by its name, and set breakpoints there.
 */
#define SYMBOLS_SUFFIX	"[instr]"

/* A slab's code, or an annex, in a process. */
struct symbols_slab {
	uint64_t start, len;		/* vaddr; whole pages */
	struct instr_file *file;	/* whose text it serves; NULL: it isn't known */
	/* Reads @len bytes at @vaddr; false: they can't be read. */
	bool (*read)(void *arg, uint64_t vaddr, void *to, size_t len);
	void *arg;
};

struct symbols_range {
	uint64_t start, len;
};

struct symbols_name {
	struct symbols_range range;
	size_t slab;		/* index */
	uint32_t name;		/* in @text */
};

/* How to unwind: what FDEs have in common. */
struct symbols_cie {
	uint8_t data_align;	/* LEB128 */
	size_t rules, rules_len;	/* in @rules */
};

struct symbols_fde {
	struct symbols_range range;
	uint32_t cie;		/* index */
	size_t rules, rules_len;
};

/* What was found in slabs. Begins as zeros. */
struct instr_symbols {
	size_t nr_slabs, nr_names, nr_cies, nr_fdes, text_len, rules_len;
	struct symbols_range *slab;
	struct symbols_name *name;
	struct symbols_cie *cie;
	struct symbols_fde *fde;
	char *text;		/* names, each with its NUL; the first is empty */
	uint8_t *rules;
	size_t nr_bare;		/* names of code that nothing says how to unwind */
	size_t nr_broken;	/* descriptions that make no sense */
};

/* Where offset 0 of the text lies that the slab serves. -EINVAL: it is no slab. */
int symbols_base(const struct symbols_slab *slab, uint64_t *ret, struct instr_err *err);

/* -EINVAL: it is no slab, and nothing was added. -E2BIG: there is too much. */
int symbols_add(struct instr_symbols *symbols, const struct symbols_slab *slab,
		struct instr_err *err);
void symbols_exit(struct instr_symbols *symbols);

#endif
