/* SPDX-License-Identifier: GPL-2.0 */
/* Leads: which place leads to which; a trap into the slab, code of a slab to its origin. */
#ifndef INSTR_LEAD_H
#define INSTR_LEAD_H

#include <linux/instr.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

/**
 * struct instr_lead - an entry; both places are positions
 * @traced_only: of the start of a fragile site: the byte is ours only while a debugger is
 *	about, otherwise somebody else's (a uprobe's)
 * @any: of an origin: for all signals, not only for faults
 */
struct instr_lead {
	s64 from : 62;
	u64 traced_only : 1;
	u64 any : 1;
	s64 to;
};

/* All that ever were published, ascending; it grows, and nothing else. */
struct instr_leads {
	struct rcu_head rcu;
	u32 nr;
	struct instr_lead entry[] __counted_by(nr);
};

/*
 * Entry @i of a request, which is ascending, too. @old: the one from the same place that
 * is there already, or NULL.
 */
typedef struct instr_lead (*instr_lead_fn)(const void *request, u32 i,
					   const struct instr_lead *old);

/*
 * A new table of those in @old, which may be NULL, and @nr others. Or an ERR_PTR: -EEXIST:
 * *bad leads elsewhere already.
 */
struct instr_leads *instr_leads_merge(const struct instr_leads *old, instr_lead_fn fn,
				      const void *request, u32 nr, u32 *bad);

/* The entry from that place, or NULL. @leads may be NULL. */
const struct instr_lead *instr_leads_find(const struct instr_leads *leads, s64 from);

#endif
