/* SPDX-License-Identifier: GPL-2.0 */
/* The functions of the file that was opened last, for tests that look at such a list. */
#ifndef UNIT_FUNCTIONS_H
#define UNIT_FUNCTIONS_H

#include <stdio.h>
#include <string.h>

#include "libinstr.h"

static const struct instr_func *func;
static size_t nr;

/* NULL: it says why. */
static inline struct instr_file *functions_open(const char *path)
{
	struct instr_file *file = NULL;
	struct instr_err err = { 0 };

	if (instr_file_open(path, &file, &err) ||
	    instr_file_funcs(file, &func, &nr, &err)) {
		printf("# %s\n", err.text);
		instr_file_close(file);
		return NULL;
	}
	return file;
}

static inline const struct instr_func *find(const char *name)
{
	for (size_t i = 0; i < nr; i++) {
		if (!strcmp(func[i].name, name))
			return &func[i];
	}
	return NULL;
}

#endif
