// SPDX-License-Identifier: GPL-2.0
#include "relative.h"

#include <stdalign.h>

#include "file.h"

void relative_apply(const struct instr_file *file, uint64_t *words, size_t nr, uint64_t vaddr)
{
	uint64_t table, len;

	if (!file_dynamic(file, DT_RELA, &table) || !file_dynamic(file, DT_RELASZ, &len))
		return;

	const Elf64_Rela *rela = file_table_at(file, table, len, alignof(Elf64_Rela));

	for (uint64_t i = 0; rela && i < len / sizeof(*rela); i++) {
		uint64_t at = rela[i].r_offset - vaddr;

		if (ELF64_R_TYPE(rela[i].r_info) == R_X86_64_RELATIVE &&
		    at / sizeof(*words) < nr && !(at % sizeof(*words)))
			words[at / sizeof(*words)] = (uint64_t)rela[i].r_addend;
	}
}
