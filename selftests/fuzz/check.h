/* SPDX-License-Identifier: GPL-2.0 */
/* One sequence: run as it is, run patched, from the same states. */
#ifndef FUZZ_CHECK_H
#define FUZZ_CHECK_H

#include "state.h"
#include "tally.h"
#include "view.h"

/* What two versions made of one state. */
struct difference {
	const char *what;	/* NULL: there is none */
	size_t sequence;
	uint64_t at;		/* where it was entered, from the function's entry */
	struct state state;
	struct arenas arenas;
	struct outcome before, after;
};

/* False: there is a difference. @patched says which version runs now. */
bool check_sequence(struct view *view, size_t sequence, struct tally *tally,
		    struct difference *difference, volatile bool *patched);

#endif
