/* SPDX-License-Identifier: GPL-2.0 */
/* Text that its own program reads, and would find changed. */
#ifndef LIBINSTR_SELFREAD_H
#define LIBINSTR_SELFREAD_H

#include "func.h"
#include "libinstr.h"

/* An instruction that may read text; offsets in the text. */
struct selfread_load {
	uint64_t at;		/* of the displacement */
	uint64_t target;	/* if no immediate follows that */
	bool is_known;		/* it has been looked at, and the next two are set */
	bool is_load;
	uint8_t tail;		/* of the immediate, in bytes */
};

/* Text that is summed up and compared. */
struct selfread_sum {
	uint64_t start, end;	/* vaddr */
};

struct selfread {
	const struct func_table *funcs;
	const uint8_t *code;
	uint64_t len, vaddr;
	struct selfread_load *load;	/* by ascending place */
	size_t nr_loads;
	struct selfread_load **by_target;
	struct selfread_sum sum[2];
	size_t nr_sums;
};

/*
 * In the text of @file: sums only, which is all that a cached plan is compared by.
 * @selfread: selfread_exit() it.
 */
void selfread_init(struct selfread *selfread, struct instr_file *file,
		   const struct func_table *funcs);
/* Looks for loads, too. */
int selfread_find_loads(struct selfread *selfread, struct instr_err *err);
void selfread_exit(struct selfread *selfread);

/* INSTR_REASON_NONE, or how any of @len bytes at @vaddr is read. */
enum instr_reason selfread_reason(const struct selfread *selfread, uint64_t vaddr, uint64_t len);

#endif
