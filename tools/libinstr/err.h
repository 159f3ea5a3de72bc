/* SPDX-License-Identifier: GPL-2.0 */
/* Errors that every file may make. */
#ifndef LIBINSTR_ERR_H
#define LIBINSTR_ERR_H

#include "libinstr.h"

/* -ENOMEM. */
int err_memory(struct instr_err *err);

/* "PATH: what errno says"; @code is a negative errno. */
int err_errno(struct instr_err *err, int code, const char *path);

#endif
