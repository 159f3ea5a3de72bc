// SPDX-License-Identifier: GPL-2.0
#include "rewind.h"

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

/* ---- making one -------------------------------------------------------------- */

static struct instr_rewinds *rewinds_alloc(u32 nr, u32 nr_shapes)
{
	struct instr_rewinds *rewinds = NULL;
	size_t entries = struct_size(rewinds, entry, nr);

	rewinds = kvzalloc(size_add(entries, array_size(nr_shapes, sizeof(*rewinds->shape))),
			   GFP_KERNEL);
	if (!rewinds)
		return NULL;
	rewinds->nr = nr;
	rewinds->shape = (void *)rewinds + entries;
	return rewinds;
}

/* The index of @shape, which becomes the last if it is new. There is room for it. */
static u32 rewinds_shape(struct instr_rewinds *rewinds, const struct instr_shape *shape)
{
	u32 i;

	for (i = 0; i < rewinds->nr_shapes; i++)
		if (!memcmp(&rewinds->shape[i], shape, sizeof(*shape)))
			return i;
	rewinds->shape[rewinds->nr_shapes++] = *shape;
	return i;
}

/* The shapes of both; index[i] becomes what number i of @request is in the new table. */
static int rewinds_add_shapes(struct instr_rewinds *rewinds, const struct instr_rewinds *old,
			      const struct instr_rewind_request *request, u16 *index)
{
	u32 i;

	for (i = 0; old && i < old->nr_shapes; i++)
		rewinds->shape[rewinds->nr_shapes++] = old->shape[i];
	for (i = 0; i < request->nr_shapes; i++)
		index[i] = rewinds_shape(rewinds, &request->shape[i]);
	return rewinds->nr_shapes > INSTR_SHAPES_MAX ? -ENOSPC : 0;
}

static int rewinds_add_entries(struct instr_rewinds *rewinds, const struct instr_rewinds *old,
			       const struct instr_rewind_request *request, const u16 *index,
			       u32 *bad)
{
	u32 old_nr = old ? old->nr : 0, i = 0, j = 0, n = 0;

	while (i < old_nr || j < request->nr) {
		const struct instr_rewind *next = i < old_nr ? &old->entry[i] : NULL;
		struct instr_rewind new;

		if (j == request->nr ||
		    (next && (s64)next->code < (s64)request->entry[j].code)) {
			rewinds->entry[n++] = *next;
			i++;
			continue;
		}
		new = request->entry[j];
		new.shape = index[new.shape];
		if (next && next->code == new.code) {
			if (memcmp(next, &new, sizeof(new))) {
				*bad = j;
				return -EEXIST;
			}
			i++;
		}
		rewinds->entry[n++] = new;
		j++;
	}
	rewinds->nr = n;
	return 0;
}

struct instr_rewinds *instr_rewinds_merge(const struct instr_rewinds *old,
					  const struct instr_rewind_request *request,
					  u32 *bad)
{
	u32 old_nr = old ? old->nr : 0, old_shapes = old ? old->nr_shapes : 0;
	u16 index[INSTR_SHAPES_MAX];
	struct instr_rewinds *merged;
	int err;

	if (request->nr > INSTR_TRAPS_MAX - old_nr)
		return ERR_PTR(-EINVAL);
	merged = rewinds_alloc(old_nr + request->nr, old_shapes + request->nr_shapes);
	if (!merged)
		return ERR_PTR(-ENOMEM);
	err = rewinds_add_shapes(merged, old, request, index) ?:
	      rewinds_add_entries(merged, old, request, index, bad);
	if (!err)
		return merged;
	kvfree(merged);
	return ERR_PTR(err);
}

/* ---- finding -------------------------------------------------------------------- */

static const struct instr_row *shape_row(const struct instr_shape *shape, u64 at)
{
	int i;

	for (i = 0; i < shape->nr; i++)
		if (shape->row[i].at == at)
			return &shape->row[i];
	return NULL;
}

/* The last that does not begin behind @position, or NULL. */
static const struct instr_rewind *rewinds_below(const struct instr_rewinds *rewinds,
						s64 position)
{
	u32 low = 0, high = rewinds ? rewinds->nr : 0;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if ((s64)rewinds->entry[mid].code <= position)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &rewinds->entry[low - 1] : NULL;
}

const struct instr_rewind *instr_rewinds_find(const struct instr_rewinds *rewinds,
					      s64 position, const struct instr_row **row)
{
	const struct instr_rewind *found = rewinds_below(rewinds, position);

	*row = found ? shape_row(&rewinds->shape[found->shape], position - found->code) : NULL;
	return *row ? found : NULL;
}
