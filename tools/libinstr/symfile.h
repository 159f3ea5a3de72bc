/* SPDX-License-Identifier: GPL-2.0 */
/* Files of symbols: what gdb's add-symbol-file takes, and maps for perf. */
#ifndef LIBINSTR_SYMFILE_H
#define LIBINSTR_SYMFILE_H

#include "symbols.h"

#define SYMFILE_SLABS_MAX 1024

/*
 * An ELF file of addresses as they are in the process: a .text section without bytes for
 * each slab, .symtab, and .eh_frame. *@ret: free() it. -E2BIG: there are too many slabs.
 */
int symfile_elf(const struct instr_symbols *symbols, uint8_t **ret, size_t *len,
		struct instr_err *err);

/* Lines of "START LENGTH NAME", both in hex, as perf reads them from /tmp/perf-PID.map. */
int symfile_perf_map(const struct instr_symbols *symbols, uint8_t **ret, size_t *len,
		     struct instr_err *err);

/* The file begins as one of these does: we may write another one in its place. */
bool symfile_is_ours(int fd);

#endif
