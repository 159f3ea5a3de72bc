/* SPDX-License-Identifier: GPL-2.0 */
/* Pointers to functions, in a file's data: calls through them can be counted. */
#ifndef LIBINSTR_POINTER_H
#define LIBINSTR_POINTER_H

#include "libinstr.h"

struct pointer {
	const char *name;	/* as it was asked for; belongs to the file */
	uint64_t vaddr;
	/* The file's own value, if that is where a lazily bound import leads first. */
	bool is_lazy;
	uint64_t lazy;		/* vaddr */
};

/*
 * Finds what "NAME@got" (the slot of an import) or "NAME@ptr", "NAME+OFFSET@ptr",
 * "0xADDR@ptr" (a variable) stand for, and notes it in @file. 1: it is another kind
 * of pattern. -ENOENT: there is none. -EINVAL: it can't be one; the sentence says why.
 */
int pointer_match(struct instr_file *file, const char *pattern, struct instr_place *ret,
		  struct instr_err *err);

/* That was noted at @vaddr, or NULL. */
const struct pointer *pointer_find(const struct instr_file *file, uint64_t vaddr);

/* The slot of an import, and its number in the dynamic symbol table. */
struct import {
	uint64_t vaddr;
	uint64_t symbol;
};

/* All slots, by ascending vaddr. *ret: free() it. */
int imports_read(const struct instr_file *file, struct import **ret, size_t *nr,
		 struct instr_err *err);
/* The name of dynamic symbol @symbol, or NULL. */
const char *import_name(const struct instr_file *file, uint64_t symbol);

/*
 * The vaddr of a page that is read-only once the loader has relocated all pointers;
 * 0: there is nothing to be relocated. False: nothing tells.
 */
bool pointers_ready(const struct instr_file *file, uint64_t *vaddr);

#endif
