/* SPDX-License-Identifier: GPL-2.0 */
/* The functions of a file, for the library's own files. */
#ifndef LIBINSTR_FUNC_H
#define LIBINSTR_FUNC_H

#include "libinstr.h"

struct func_table {
	size_t nr;
	struct instr_func *func;	/* ordered as instr_file_funcs() says */
	/* A hash of names, by chains; numbers are indices + 1. */
	uint32_t bucket_mask;
	uint32_t *bucket, *next;
};

/* Finds them, if nobody has yet; they belong to the file. */
int func_table_get(struct instr_file *file, const struct func_table **ret,
		   struct instr_err *err);
void func_table_destroy(struct func_table *table);

/* The vaddr at which the next function behind @func begins; UINT64_MAX: none. */
uint64_t func_next_vaddr(const struct func_table *table, size_t func);

/*
 * The first function behind *@func that is called @name, ascending: false where
 * there is none. *@func is FUNC_NONE in the beginning.
 */
#define FUNC_NONE SIZE_MAX
bool func_find_name(const struct func_table *table, const char *name, size_t *func);

/* Where a place is; a pointer's is said by itself. */
static inline uint64_t func_place_vaddr(const struct func_table *table,
					struct instr_place place)
{
	return place.func == INSTR_POINTER ? place.at :
					     table->func[place.func].vaddr + place.at;
}

/* The first of the names at @func's address. */
static inline size_t func_first(const struct func_table *table, size_t func)
{
	while (func && table->func[func].is_alias)
		func--;
	return func;
}

/* The function that has @vaddr, the first of its aliases. */
bool func_find(const struct func_table *table, uint64_t vaddr, size_t *ret);

#endif
