/* SPDX-License-Identifier: GPL-2.0 */
/* The stubs that calls of imports go through. */
#ifndef LIBINSTR_PLT_H
#define LIBINSTR_PLT_H

#include "symbol.h"

/* Appends a symbol "NAME@plt" for each stub of an import. It needs section headers. */
int plt_read(struct instr_file *file, struct symbol **symbol, size_t *nr,
	     struct instr_err *err);

#endif
