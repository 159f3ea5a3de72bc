// SPDX-License-Identifier: GPL-2.0
/*
 * Restartable sequences: the kernel compares the instruction pointer with their
 * bounds, so nothing of them may be executed elsewhere. In a position-independent
 * file the addresses in __rseq_cs are written by relocations.
 */

#include "rseq.h"

#include <linux/rseq.h>

#include "array.h"
#include "clean.h"
#include "err.h"
#include "file.h"
#include "relative.h"

/* The kernel reads a signature of four bytes there. */
#define RSEQ_SIGNATURE_LEN 4

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

	relative_apply(file, words, nr_words, header.sh_addr);
	return ranges_create(words, nr_words, ret, nr, err);
}
