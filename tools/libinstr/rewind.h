/* SPDX-License-Identifier: GPL-2.0 */
/* Rewinds: what the module has to know to take threads out of code that counts. */
#ifndef LIBINSTR_REWIND_H
#define LIBINSTR_REWIND_H

#include "libinstr.h"

/*
 * Sets @plan->rewinds and @plan->shapes, by ascending code, of what slab_fill() has
 * written.
 */
int rewinds_find(struct instr_plan *plan, struct instr_err *err);

#endif
