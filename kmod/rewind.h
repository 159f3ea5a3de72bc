/* SPDX-License-Identifier: GPL-2.0 */
/* Rewinds: how threads are taken out of code that counts. */
#ifndef INSTR_REWIND_H
#define INSTR_REWIND_H

#include <linux/instr.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

/**
 * struct instr_rewinds - all that ever were published, ascending; it grows, and nothing else
 * @shape: behind the entries, which refer to it by index
 */
struct instr_rewinds {
	struct rcu_head rcu;
	u32 nr, nr_shapes;
	struct instr_shape *shape;
	struct instr_rewind entry[] __counted_by(nr);
};

/* What is to be added: ascending, with shapes of its own. */
struct instr_rewind_request {
	const struct instr_rewind *entry;
	u32 nr;
	const struct instr_shape *shape;
	u32 nr_shapes;
};

/*
 * A new table of those in @old, which may be NULL, and those of @request. Or an ERR_PTR:
 * -EEXIST: there is another one at the code of *bad.
 */
struct instr_rewinds *instr_rewinds_merge(const struct instr_rewinds *old,
					  const struct instr_rewind_request *request,
					  u32 *bad);

/*
 * What to do in front of the instruction at @position; NULL: nothing. *row says what has
 * been done. @rewinds may be NULL.
 */
const struct instr_rewind *instr_rewinds_find(const struct instr_rewinds *rewinds,
					      s64 position, const struct instr_row **row);

#endif
