/* SPDX-License-Identifier: GPL-2.0 */
/* Sequences that are cut out of real programs. */
#ifndef FUZZ_CUT_H
#define FUZZ_CUT_H

#include "libinstr.h"
#include "sequence.h"

struct source {
	struct instr_file *file;
	const struct instr_func *func;
	size_t nr_funcs;
	const uint8_t *bytes;		/* of the whole file */
	size_t len;
};

int source_open(struct source *source, const char *path, struct instr_err *err);

/* False: there is nothing to be cut at the place that was chosen. */
bool cut_generate(struct sequence *sequence, const struct source *source,
		  struct random *random);

#endif
