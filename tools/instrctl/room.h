/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Room for slabs, in a process that runs.
 */
#ifndef INSTRCTL_ROOM_H
#define INSTRCTL_ROOM_H

#include "libinstr/libinstr.h"
#include "libinstr/proc.h"

/*
 * How often the file is mapped; *free tells whether each has room for its slab,
 * *sure whether that is certain.
 */
size_t room_find(const struct instr_maps *maps, const struct instr_plan *plan, bool *free,
		 bool *sure);

/* The slabs of other files must not be put there as well. */
int room_take(struct instr_maps *maps, const struct instr_plan *plan, struct instr_err *err);

#endif
