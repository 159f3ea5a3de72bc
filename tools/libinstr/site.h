/* SPDX-License-Identifier: GPL-2.0 */
/* Sites: may an instruction be probed, and how? */
#ifndef LIBINSTR_SITE_H
#define LIBINSTR_SITE_H

#include "func.h"
#include "libinstr.h"
#include "rseq.h"
#include "selfread.h"

/* What sites are planned in. */
struct site_text {
	const struct func_table *funcs;
	const uint8_t *bytes;
	uint64_t len;
	uint64_t vaddr;			/* of the first of them */
	struct instr_distance distance;
	int64_t lowest, highest;	/* positions that a block may have */
	struct rseq_range *rseq;
	size_t nr_rseq;
	struct selfread selfread;
	enum instr_measure measure;	/* where exits count calls are not patched as calls */
	bool go;			/* go.h */
};

/* The displacement that is the same for all sites: 0xTTCCCCCC. */
static inline int32_t top_rel32(uint8_t top)
{
	return (int32_t)((uint32_t)top << 24 | 0xcccccc);
}

static inline int32_t distance_rel32(struct instr_distance distance)
{
	return top_rel32(distance.top);
}

/* Code of C has frame descriptions, which Go has none of, and calls what it imports. */
bool site_is_go(const struct site_text *text, size_t func);

/*
 * Plans the site at the entry of @func, of Go behind its look: all of @site but where it is in
 * the slab. It can't fail: what can't be probed is refused.
 */
void site_plan(const struct site_text *text, size_t func, struct instr_plan_site *site);

/*
 * The same at another instruction of a function, known to be one. @targets: where it may branch to, bits
 * for offsets from @place. @reach: as many bytes at least are displaced, though the patch
 * may be shorter: nobody comes to the rest but from @place.
 */
#define SITE_REACH_MAX 16
void site_plan_inside(const struct site_text *text, struct instr_place place,
		      uint8_t targets, unsigned int reach, struct instr_plan_site *site);

/*
 * Plans an int3 at @place, for @reason. @place may be an entry, of which only the
 * first instruction is to be displaced.
 */
void site_plan_trap(const struct site_text *text, struct instr_place place,
		    enum instr_reason reason, struct instr_plan_site *site);

/* Nothing of @site but where it is stays. */
void site_refuse(struct instr_plan_site *site, enum instr_reason reason);

/* Makes an int3 of a jump into the annex, which leads to the same block. */
void site_trap_annex(struct instr_plan_site *site, enum instr_reason reason);

/* Plans a pointer at @place, @offset bytes behind where the file begins. */
void site_plan_pointer(struct instr_place place, uint64_t offset,
		       struct instr_plan_site *site);

#endif
