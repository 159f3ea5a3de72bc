/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The functions of a program of Go that was stripped: its runtime needs their names itself, and
 * has them in a table of its own (debug/gosym, cmd/link/internal/ld/pcln.go).
 */
#ifndef LIBINSTR_PCLNTAB_H
#define LIBINSTR_PCLNTAB_H

#include "symbol.h"

/*
 * Appends a symbol for each. Formats of Go 1.2, 1.16, 1.18 and 1.20; of any other there are
 * none. It needs section headers.
 */
int pclntab_read(struct instr_file *file, struct symbol **symbol, size_t *nr,
		 struct instr_err *err);

#endif
