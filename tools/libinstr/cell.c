// SPDX-License-Identifier: GPL-2.0
#include "cell.h"

#include <errno.h>
#include <stdlib.h>

#include "array.h"
#include "clean.h"
#include "err.h"
#include "file.h"
#include "slab.h"

static bool site_wants_cell(const struct instr_plan *plan, const struct instr_plan_site *site)
{
	if (plan->measure != INSTR_CALLS)
		return site->how != INSTR_HOW_REFUSED;
	return site->how == INSTR_HOW_POINTER || site->reason == INSTR_REASON_INSIDE ||
	       (site->reason == INSTR_REASON_PROBE && !site->annex);
}

/* A cell and whose it is; sorted by that. */
struct cell_owner {
	uint64_t owner;
	uint32_t cell;
};

static int compare_owners(const void *a, const void *b)
{
	const struct cell_owner *x = a, *y = b;

	return (x->owner > y->owner) - (x->owner < y->owner);
}

/* Those cells that are somebody's. */
static int find_owners(const struct instr_plan *plan, const struct instr_cell *cells,
		       struct cell_owner **ret, size_t *nr, struct instr_err *err)
{
	struct cell_owner *owner = NULL;

	*nr = 0;
	for (uint32_t i = 0; i < plan->nr_cells && cells; i++) {
		struct cell_owner new = { cells[i].site, i + 1 };

		if (new.owner && !ARRAY_PUSH(owner, *nr, new)) {
			free(owner);
			return err_memory(err);
		}
	}
	if (*nr)
		qsort(owner, *nr, sizeof(*owner), compare_owners);
	*ret = owner;
	return 0;
}

/* The cell that is @site's already, or the first free one from *next on; 0: none. */
static uint32_t find_cell(const struct instr_plan *plan, const struct instr_plan_site *site,
			  const struct instr_cell *cells, const struct cell_owner *owner,
			  size_t nr_owners, uint32_t *next)
{
	uint64_t wanted = slab_cell_owner(site);
	size_t i = ARRAY_LOWER(owner, nr_owners, .owner, wanted);

	if (i < nr_owners && owner[i].owner == wanted)
		return owner[i].cell;
	while (*next < plan->nr_cells && cells && cells[*next].site)
		++*next;
	return *next < plan->nr_cells ? ++*next : 0;
}

int cells_take(struct instr_plan *plan, const struct instr_cell *cells, struct instr_err *err)
{
	CLEAN(free) struct cell_owner *owner = NULL;
	size_t nr_owners;
	uint32_t next = 0;
	int code = find_owners(plan, cells, &owner, &nr_owners, err);

	if (code)
		return code;
	for (size_t i = 0; i < plan->nr; i++) {
		struct instr_plan_site *site = &plan->site[i];

		if (!site_wants_cell(plan, site))
			continue;

		uint32_t cell = find_cell(plan, site, cells, owner, nr_owners, &next);

		if (!cell)
			return instr_fail(err, -ENOSPC,
					  "%s: its slab is full of probes of other sessions",
					  plan->file->path);
		slab_take_cell(plan, site, cell);
	}
	return 0;
}
