/* SPDX-License-Identifier: GPL-2.0 */
/* Files that hold functions, and what a plan needs of a file, but nothing else. */
#ifndef FUZZ_ELF_H
#define FUZZ_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_function {
	uint64_t position;
	uint64_t size;
};

/*
 * A file in memory, whose text lies at position SPACE_TEXT; -1 if there is no
 * memory. @fixed: it is loaded at BASE_FIXED.
 */
int elf_create(const uint8_t *text, size_t text_len, const struct elf_function *function,
	       size_t nr, bool fixed);

#endif
