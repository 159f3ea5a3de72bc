/* SPDX-License-Identifier: GPL-2.0 */
/* Addresses of the file itself, as the loader writes them (R_X86_64_RELATIVE). */
#ifndef LIBINSTR_RELATIVE_H
#define LIBINSTR_RELATIVE_H

#include <stddef.h>
#include <stdint.h>

struct instr_file;

/* Into @words, a copy of what is at @vaddr, as if the file were loaded at 0. */
void relative_apply(const struct instr_file *file, uint64_t *words, size_t nr, uint64_t vaddr);

#endif
