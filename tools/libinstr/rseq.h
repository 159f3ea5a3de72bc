/* SPDX-License-Identifier: GPL-2.0 */
/* Restartable sequences: code that the kernel aborts by its address. */
#ifndef LIBINSTR_RSEQ_H
#define LIBINSTR_RSEQ_H

#include "libinstr.h"

struct rseq_range {
	uint64_t start, end;	/* vaddr */
};

/*
 * The sequences that section __rseq_cs lists, and the signatures before their
 * abort handlers. *ret: free() it.
 */
int rseq_read(const struct instr_file *file, struct rseq_range **ret, size_t *nr,
	      struct instr_err *err);

#endif
