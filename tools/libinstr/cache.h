/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The cache of plans: the sites of all entries of a file, planned and laid out.
 *
 * One file for each build ID, distance and number of cells, in $INSTR_CACHE, or
 * else $XDG_CACHE_HOME/instr, ~/.cache/instr or /var/cache/instr. It can be removed at any
 * time, but not cut short: it is mapped. $INSTR_CACHE set to nothing turns it off. What
 * can't be read or written is done without.
 */
#ifndef LIBINSTR_CACHE_H
#define LIBINSTR_CACHE_H

#include "libinstr.h"
#include "site.h"

/* A file of the cache in memory, for a plan to change as it likes; NULL: none. */
struct cache {
	void *map;
	size_t len;
};

/*
 * Gives @plan, whose file, distance and number of cells are set, the sites of all
 * entries, which are in @cache, and its lengths. False: they are not there.
 */
bool cache_load(struct cache *cache, struct instr_plan *plan, const struct site_text *text);
void cache_unload(struct cache *cache);

/* Keeps what @plan, which has the sites of all entries, has come to. */
void cache_store(const struct instr_plan *plan, const struct site_text *text);

#endif
