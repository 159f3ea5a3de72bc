// SPDX-License-Identifier: GPL-2.0
/*
 * Room for slabs.
 */

#include "room.h"

/* Where in the process the position lies, if the file is mapped there by @map. */
static uint64_t position_vaddr(const struct instr_map *map, int64_t position)
{
	return map->start - map->offset + (uint64_t)position;
}

/*
 * A slab that an earlier session, or the process's parent, left at that place: the
 * module decides whether it will do.
 */
static bool has_old_slab(const struct instr_maps *maps, uint64_t start)
{
	for (size_t i = 0; i < maps->nr; i++)
		if (maps->map[i].start == start && maps->map[i].offset == 0 &&
		    instr_map_is_slab(&maps->map[i]))
			return true;
	return false;
}

static bool has_room(const struct instr_maps *maps, const struct instr_plan *plan,
		     const struct instr_map *map)
{
	return instr_maps_is_free(maps, position_vaddr(map, plan->slab_start),
				  instr_plan_len(plan)) &&
	       (!plan->annex_len ||
		instr_maps_is_free(maps, position_vaddr(map, plan->annex_start),
				   plan->annex_len));
}

size_t room_find(const struct instr_maps *maps, const struct instr_plan *plan, bool *free,
		 bool *sure)
{
	int fd = instr_file_fd(plan->file);
	size_t nr = 0;

	*free = *sure = true;
	for (size_t i = 0; i < maps->nr; i++) {
		bool old;

		if (!instr_map_is(maps, &maps->map[i], fd))
			continue;
		nr++;
		old = has_old_slab(maps, position_vaddr(&maps->map[i], plan->slab_start));
		*sure &= !old;
		*free &= old || has_room(maps, plan, &maps->map[i]);
	}
	return nr;
}

int room_take(struct instr_maps *maps, const struct instr_plan *plan, struct instr_err *err)
{
	int fd = instr_file_fd(plan->file);
	int code = 0;

	for (size_t i = 0, nr = maps->nr; i < nr && !code; i++) {
		const struct instr_map map = maps->map[i];

		if (!instr_map_is(maps, &map, fd))
			continue;
		code = instr_maps_take(maps, position_vaddr(&map, plan->slab_start),
				       instr_plan_len(plan), err);
		if (!code && plan->annex_len)
			code = instr_maps_take(maps, position_vaddr(&map, plan->annex_start),
					       plan->annex_len, err);
	}
	return code;
}
