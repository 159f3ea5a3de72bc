/* SPDX-License-Identifier: GPL-2.0 */
/* Cells: places in a slab for what has none that is known in advance. */
#ifndef LIBINSTR_CELL_H
#define LIBINSTR_CELL_H

#include "libinstr.h"

/*
 * Gives each site of @plan that needs one its cell; @cells: as they are, NULL: all free. A
 * place that has one keeps it. -ENOSPC: there are too few.
 */
int cells_take(struct instr_plan *plan, const struct instr_cell *cells, struct instr_err *err);

#endif
