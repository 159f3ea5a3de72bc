/* SPDX-License-Identifier: GPL-2.0 */
/* Differences that are the sequence's own: it would differ without a probe, too. */
#ifndef FUZZ_EXCUSE_H
#define FUZZ_EXCUSE_H

#include "state.h"
#include "view.h"

struct start {
	struct state state;
	uint64_t at;		/* from the site on */
	struct outcome before;
};

#define LONG_PATIENCE 100

/* Runs one version with all the time in the world. */
void run_version(struct view *view, size_t sequence, bool patched, const struct state *state,
		 struct outcome *ret);

/* What was patched came to @after, which is not what it did before. */
bool excuse(struct view *view, size_t sequence, const struct start *start,
	    const struct outcome *after);

#endif
