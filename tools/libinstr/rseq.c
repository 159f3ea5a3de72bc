// SPDX-License-Identifier: GPL-2.0
/*
 * Restartable sequences: the kernel compares the instruction pointer with their
 * bounds, so nothing of them may be executed elsewhere. In a position-independent
 * file the addresses in __rseq_cs are written by relocations.
 */

#include "rseq.h"

#include <linux/rseq.h>
#include <stdalign.h>

#include "array.h"
#include "clean.h"
#include "err.h"
#include "file.h"

/* The kernel reads a signature of four bytes there. */
#define RSEQ_SIGNATURE_LEN 4

/* Addresses that the loader writes into @words, a copy of what is at @vaddr. */
static void apply_relocations(const struct instr_file *file, uint64_t *words, size_t nr,
			      uint64_t vaddr)
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

static bool push_range(struct rseq_range **range, size_t *nr, uint64_t start, uint64_t len)
{
	struct rseq_range new = { .start = start, .end = start + len };

	return new.end < start || ARRAY_PUSH(*range, *nr, new);
}

static int ranges_create(const uint64_t *words, size_t nr_words, struct rseq_range **ret,
			 size_t *nr, struct instr_err *err)
{
	const size_t step = sizeof(struct rseq_cs) / sizeof(*words);
	CLEAN(free) struct rseq_range *range = NULL;
	struct rseq_cs entry;

	for (; nr_words >= step; words += step, nr_words -= step) {
		memcpy(&entry, words, sizeof(entry));
		if (!push_range(&range, nr, entry.start_ip, entry.post_commit_offset) ||
		    !push_range(&range, nr, entry.abort_ip - RSEQ_SIGNATURE_LEN,
				RSEQ_SIGNATURE_LEN))
			return err_memory(err);
	}
	*ret = TAKE(range);
	return 0;
}

int rseq_read(const struct instr_file *file, struct rseq_range **ret, size_t *nr,
	      struct instr_err *err)
{
	Elf64_Shdr header;
	const void *bytes;

	*ret = NULL;
	*nr = 0;
	if (!file_section_header(file, "__rseq_cs", &header))
		return 0;
	bytes = file_bytes(file, header.sh_offset, header.sh_size);
	if (!bytes)
		return 0;

	CLEAN(free) uint64_t *words = malloc(header.sh_size);

	if (!words)
		return err_memory(err);
	memcpy(words, bytes, header.sh_size);

	size_t nr_words = header.sh_size / sizeof(*words);

	apply_relocations(file, words, nr_words, header.sh_addr);
	return ranges_create(words, nr_words, ret, nr, err);
}
