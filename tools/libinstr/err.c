// SPDX-License-Identifier: GPL-2.0
/*
 * Errors: a code for the caller, a sentence for the person, and perhaps what
 * that person can do. Nobody needs to ask for the sentence: err may be NULL.
 */

#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int instr_fail(struct instr_err *err, int code, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return code;
	err->code = code;
	err->hint[0] = '\0';
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return code;
}

int instr_hint(struct instr_err *err, int code, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return code;
	va_start(args, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, args);
	va_end(args);
	return code;
}

int err_memory(struct instr_err *err)
{
	return instr_fail(err, -ENOMEM, "out of memory");
}

int err_errno(struct instr_err *err, int code, const char *path)
{
	return instr_fail(err, code, "%s: %s", path, strerror(-code));
}
