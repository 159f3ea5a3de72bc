/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Runtimes: what language a program's code may be of can matter to how it is timed. The
 * collectors and exceptions of some find out what a frame is by the return address that leads
 * into it, and find it with no unwinder: they read it from the stack and look it up in tables
 * of their own. A slot's address is in none of these.
 */
#ifndef LIBINSTR_RUNTIME_H
#define LIBINSTR_RUNTIME_H

#include <stdbool.h>

#include "libinstr.h"

/* May code of such a runtime call functions of @file? */
bool runtime_looks(struct instr_file *file);

#endif
