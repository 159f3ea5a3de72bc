/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Runtimes: who looks at the return addresses of all that a file has, and can't be told of
 * slots.
 *
 * The collectors and exceptions of some languages find out what a frame is by the return
 * address that leads into it, and find it with no unwinder: they read it from the stack and
 * look it up in tables of their own. And an unwinder that is linked into a program can be
 * made to ask us only if its functions are found.
 */
#ifndef LIBINSTR_RUNTIME_H
#define LIBINSTR_RUNTIME_H

#include "func.h"
#include "pointer.h"

/* INSTR_REASON_NONE: nobody. @import: what @file imports. */
enum instr_reason runtime_reason(struct instr_file *file, const struct func_table *funcs,
				 const struct import *import, size_t nr);

#endif
