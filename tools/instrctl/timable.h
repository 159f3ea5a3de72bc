/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What can be timed at all: whole functions.
 */
#ifndef INSTRCTL_TIMABLE_H
#define INSTRCTL_TIMABLE_H

#include "cmd.h"
#include "libinstr/libinstr.h"

/*
 * Keeps of the places, which @patterns chose, those that can be timed: stubs of imports,
 * which only jump, are left out where nobody asked for them. -EINVAL: others were asked for.
 */
int timable_only(struct instr_file *file, const struct patterns *patterns,
		 struct instr_place *places, size_t *nr, struct instr_err *err);

#endif
