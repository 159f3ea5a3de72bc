/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names of programs and libraries to files.
 */
#ifndef LIBINSTR_PROGRAM_H
#define LIBINSTR_PROGRAM_H

#include "libinstr.h"

/*
 * The file that execvp(3) would run for @name. -ENOENT: there is none, -EACCES:
 * there is, but it can't be run. *ret is freed by the caller.
 */
int instr_program_find(const char *name, char **ret, struct instr_err *err);

/*
 * The image that the kernel loads for the file @path: the file, or, of a
 * script, its interpreter. *ret is freed by the caller.
 */
int instr_program_image(const char *path, char **ret, struct instr_err *err);

/*
 * The library called @name (a file name without folders, or a soname) where the
 * loader would find it for any program: in its cache, or in a default folder.
 */
int instr_library_find(const char *name, char **ret, struct instr_err *err);

#endif
