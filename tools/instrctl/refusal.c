// SPDX-License-Identifier: GPL-2.0
/*
 * Refusals.
 */

#include "refusal.h"

#include <errno.h>
#include <string.h>

const char *refusal_text(int error)
{
	switch (error) {
	case EEXIST:
	case ENOSPC:
		return "the place of its slab is taken";
	case ENOMEM:
		return "out of memory";
	case EPERM:
	case EACCES:
		return "it may not map the slab";
	case ENOEXEC:
		return "it is a 32-bit program";
	case EOPNOTSUPP:
		return "it translates its program (valgrind, QEMU)";
	case ERANGE:
		return "no room for its slab";
	default:
		return strerror(error);
	}
}
