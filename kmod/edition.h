/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_EDITION_H
#define INSTR_EDITION_H

#include <linux/instr.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct address_space;
struct instr_overlay;
struct page;

/**
 * struct instr_patch - one patched page
 * @pgoff: its place in the file
 * @page: what a process sees
 * @traced: what a process sees while a debugger is about: @page where that does
 *	not matter
 * @origin: the page-cache page behind it, or NULL. The reference keeps huge-page
 *	collapse away from page tables that hold @page.
 */
struct instr_patch {
	pgoff_t pgoff;
	struct page *page, *traced;
	struct page *origin;
};

/**
 * struct instr_edition - one published state of an overlay, immutable
 *
 * A fault uses it under the lock that instr_overlay_publish() takes for writing
 * before it moves a view on; uprobe registration looks at it under RCU.
 */
struct instr_edition {
	u32 nr_sites;
	u32 nr;
	struct rcu_work free;
	struct instr_patch patch[] __counted_by(nr);
};

/* NULL if @pgoff is not patched, or @edition is NULL. */
const struct instr_patch *instr_edition_find(const struct instr_edition *edition,
					     pgoff_t pgoff);
/* Index of the first patch at or behind @pgoff; edition->nr if there is none. */
u32 instr_edition_lower(const struct instr_edition *edition, pgoff_t pgoff);
void instr_edition_free(struct instr_edition *edition);

/*
 * Builds the edition that shows @sites, as instr_check_sites() wants them. Pages
 * that @old has too are shared with it. Or an ERR_PTR, and *bad is the culprit.
 */
struct instr_edition *instr_edition_build(struct instr_overlay *overlay,
					  const struct instr_edition *old,
					  const struct instr_site *sites, u32 nr,
					  u32 *bad);

/* Takes patched pages out of all page tables where @a and @b differ (or are NULL). */
void instr_edition_zap(struct address_space *mapping, const struct instr_edition *a,
		       const struct instr_edition *b);

#endif
