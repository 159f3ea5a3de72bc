/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The cache of layouts: where in a file's slab the blocks of all its functions
 * lie, so that whoever asks for a few need not plan the others.
 *
 * One file for each build ID, distance and number of cells, in $INSTR_CACHE, or
 * else $XDG_CACHE_HOME/instr, ~/.cache/instr or /var/cache/instr. It can be removed at any
 * time; $INSTR_CACHE set to nothing turns it off. What can't be read or written
 * is done without.
 */
#ifndef LIBINSTR_CACHE_H
#define LIBINSTR_CACHE_H

#include "func.h"
#include "libinstr.h"

struct cache;

/*
 * The layout of @plan, whose file, distance and number of cells are set: sets its
 * lengths, and returns the places. NULL: it is not there.
 */
struct cache *cache_load(struct instr_plan *plan, const struct func_table *funcs);
void cache_free(struct cache *cache);

/* The targets of the site at @offset, as site_plan() wants them. */
const uint8_t *cache_targets(const struct cache *cache, uint64_t offset);

/*
 * Gives @site, which is an entry and is planned, its place. False: the cache knows
 * another site there, and is of no use.
 */
bool cache_place(const struct cache *cache, struct instr_plan_site *site);

/* Keeps the layout of @plan, which has the sites of all entries. */
void cache_store(const struct instr_plan *plan, const struct func_table *funcs);

#endif
