/* SPDX-License-Identifier: GPL-2.0 */
/* Batches: many sequences as the functions of one file, and the plan of that. */
#ifndef FUZZ_BATCH_H
#define FUZZ_BATCH_H

#include "cut.h"
#include "elf.h"
#include "libinstr.h"
#include "space.h"

#define BATCH_MAX 4096

/* What sequences are made of. */
struct recipe {
	uint64_t seed;
	struct source *source;
	size_t nr_sources;
};

struct batch {
	uint64_t seed, first;		/* its sequences are numbered from there */
	size_t nr;
	bool fixed;
	uint64_t base;			/* address of position 0 */
	uint8_t *text;
	size_t text_len;
	struct elf_function function[BATCH_MAX];
	uint8_t class[BATCH_MAX];
	bool loops[BATCH_MAX];
	bool inside;			/* the sites are not the entries */
	uint8_t place[BATCH_MAX];	/* where in its function each is */
	int fd;
	struct instr_file *file;
	struct instr_plan *plan;
};

int batch_create(struct batch *batch, const struct recipe *recipe, uint64_t first, size_t nr,
		 struct instr_err *err);
/* Instead of a recipe: the functions are in @text, at position SPACE_TEXT. */
int batch_plan(struct batch *batch, struct instr_distance distance, struct instr_err *err);
void batch_destroy(struct batch *batch);

#endif
