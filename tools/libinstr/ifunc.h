/* SPDX-License-Identifier: GPL-2.0 */
/* Indirect functions: what does a resolver choose among? */
#ifndef LIBINSTR_IFUNC_H
#define LIBINSTR_IFUNC_H

#include "func.h"

/*
 * Appends the functions that resolver number @func may return to @choice, which
 * has *@nr. False: out of memory.
 */
bool ifunc_choices(const struct instr_file *file, const struct func_table *table,
		   size_t func, size_t **choice, size_t *nr);

#endif
