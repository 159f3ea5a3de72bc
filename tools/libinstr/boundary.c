// SPDX-License-Identifier: GPL-2.0
/*
 * Boundaries: an entry is one, and behind an instruction there is the next. This
 * holds as long as there is no data between them, which compilers put elsewhere;
 * where what is found is no instruction, nothing behind it is believed.
 */

#include "boundary.h"

#include <errno.h>

#include "insn.h"

int boundary_find(const uint8_t *code, uint64_t size, uint64_t at, struct boundary *ret)
{
	struct insn insn;
	bool is_branch;

	ret->before = ret->after = 0;
	while (ret->after <= at) {
		ret->before = ret->after;
		if (ret->before >= size ||
		    !insn_decode_branch(code + ret->before, size - ret->before, &insn,
					&is_branch))
			return -EILSEQ;
		ret->after += insn.len;
	}
	return ret->before == at ? 0 : -EINVAL;
}
