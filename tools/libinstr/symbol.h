/* SPDX-License-Identifier: GPL-2.0 */
/* Function symbols of a file. */
#ifndef LIBINSTR_SYMBOL_H
#define LIBINSTR_SYMBOL_H

#include "libinstr.h"

struct symbol {
	const char *name;	/* without a version; belongs to the file */
	uint64_t vaddr;
	uint64_t size;		/* as the symbol says: may be 0, or absurd */
	enum instr_func_source source;
	bool is_global;
	bool is_ifunc;
	bool is_stub;		/* plt.h */
};

/*
 * Those of .symtab, else of the separate debug file's, or else of Go's own table, and of the
 * dynamic table, in no order. Only those that lie in an executable segment. *ret: free() it.
 */
int symbols_read(struct instr_file *file, struct symbol **ret, size_t *nr,
		 struct instr_err *err);

/* The first variable of that name. */
bool symbol_find_object(struct instr_file *file, const char *name, uint64_t *vaddr);
/* The first symbol of that name, whatever it is. */
bool symbol_find_value(struct instr_file *file, const char *name, uint64_t *vaddr);
/* Is there one whose name @pattern matches, of the file's own or imported? */
bool symbol_matches(struct instr_file *file, const char *pattern);

#endif
