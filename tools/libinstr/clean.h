/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Scope guards: what a variable owns is given back when it goes out of scope,
 * unless TAKE() handed it on.
 *
 *	CLEAN(free) char *text = strdup(from);
 *	...
 *	*ret = TAKE(text);
 *	return 0;
 */
#ifndef LIBINSTR_CLEAN_H
#define LIBINSTR_CLEAN_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libinstr.h"

#define CLEAN(what) __attribute__((cleanup(clean_##what)))

/* The pointer's value; the variable no longer owns it. */
#define TAKE(var) ({ __typeof__(var) __taken = (var); (var) = NULL; __taken; })

/* @var: the address of a pointer of any type, so it is copied, not cast. */
static inline void clean_free(void *var)
{
	void *memory;

	memcpy(&memory, var, sizeof(memory));
	free(memory);
}

static inline void clean_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void clean_file(struct instr_file **file)
{
	instr_file_close(*file);
}

static inline void clean_plan(struct instr_plan **plan)
{
	instr_plan_destroy(*plan);
}

#endif
