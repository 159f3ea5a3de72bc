/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The FILE of a FILE:GLOB.
 */
#ifndef INSTRCTL_RESOLVE_H
#define INSTRCTL_RESOLVE_H

#include "target.h"

/*
 * @name is a path if it has a '/', else the file name or soname of a library.
 * *ret opens the file, and is freed by the caller. -ENOENT: no such library.
 */
int resolve_file(const struct subject *subject, const char *name, char **ret,
		 struct instr_err *err);

/* Does the program have the library @name, or will it begin with it, as far as we can see? */
bool resolve_is_there(const struct subject *subject, const char *name);

#endif
