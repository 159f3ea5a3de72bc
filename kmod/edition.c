// SPDX-License-Identifier: GPL-2.0
/*
 * Editions: pages of text as they are to be seen.
 *
 * A published state never changes: whoever executes in one of its pages goes on
 * doing so until the page is taken out of his page table. So no byte is ever
 * written that someone may be executing.
 */

#include "edition.h"

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "live.h"
#include "overlay.h"
#include "view.h"

u32 instr_edition_lower(const struct instr_edition *edition, pgoff_t pgoff)
{
	u32 low = 0, high = edition->nr;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (edition->patch[mid].pgoff < pgoff)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct instr_patch *instr_edition_find(const struct instr_edition *edition,
					     pgoff_t pgoff)
{
	u32 i;

	if (!edition)
		return NULL;
	i = instr_edition_lower(edition, pgoff);
	if (i == edition->nr || edition->patch[i].pgoff != pgoff)
		return NULL;
	return &edition->patch[i];
}

static void patch_put_pages(struct instr_patch *patch)
{
	if (patch->traced && patch->traced != patch->page) {
		put_page(patch->traced);
		atomic64_dec(&instr_live.pages);
	}
	if (patch->page) {
		put_page(patch->page);
		atomic64_dec(&instr_live.pages);
	}
}

static void edition_free(struct instr_edition *edition)
{
	u32 i;

	for (i = 0; i < edition->nr; i++) {
		patch_put_pages(&edition->patch[i]);
		if (edition->patch[i].origin)
			put_page(edition->patch[i].origin);
	}
	kvfree(edition);
}

static void edition_free_work(struct work_struct *work)
{
	edition_free(container_of(to_rcu_work(work), struct instr_edition, free));
}

void instr_edition_free(struct instr_edition *edition)
{
	if (!edition)
		return;
	INIT_RCU_WORK(&edition->free, edition_free_work);
	queue_rcu_work(instr_view_wq, &edition->free);
}

/* A page of our own, off the LRU: never reclaimed, never moved. */
static struct page *patch_alloc(pgoff_t pgoff)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);

	if (page) {
		page->index = pgoff;
		atomic64_inc(&instr_live.pages);
	}
	return page;
}

/*
 * The file's page as the page cache has it. The reading and the reference are
 * two steps, between which the page may be reclaimed: then we read it again.
 * Where there is no page cache at all, there are no huge pages to guard against.
 */
static int patch_read(struct instr_overlay *overlay, struct instr_patch *patch)
{
	int tries;

	for (tries = 0; tries < 8 && !patch->origin; tries++) {
		loff_t pos = (loff_t)patch->pgoff << PAGE_SHIFT;
		ssize_t got = kernel_read(overlay->file, page_address(patch->page),
					  PAGE_SIZE, &pos);

		if (got < 0)
			return got;
		patch->origin = find_get_page(overlay->inode->i_mapping,
					      patch->pgoff);
	}
	return 0;
}

static void site_apply(u8 *at, const struct instr_site *site, bool traced)
{
	if (traced && (site->flags & INSTR_SITE_FRAGILE))
		at[0] = 0xCC;
	else
		memcpy(at, site->new, site->len);
}

/* Fills in one page from its sites; those of @nr that lie in it are used up. */
static int patch_build(struct instr_overlay *overlay, struct instr_patch *patch,
		       const struct instr_site *sites, u32 nr, u32 *used)
{
	bool fragile = false;
	u8 *bytes;
	u32 i;
	int err;

	patch->pgoff = sites[0].offset >> PAGE_SHIFT;
	patch->page = patch_alloc(patch->pgoff);
	if (!patch->page)
		return -ENOMEM;
	err = patch_read(overlay, patch);
	if (err)
		return err;
	bytes = page_address(patch->page);
	for (i = 0; i < nr && sites[i].offset >> PAGE_SHIFT == patch->pgoff; i++) {
		if (memcmp(bytes + offset_in_page(sites[i].offset), sites[i].old,
			   sites[i].len)) {
			*used += i;
			return -ESTALE;
		}
		fragile |= sites[i].flags & INSTR_SITE_FRAGILE;
	}
	*used += i;
	nr = i;

	patch->traced = patch->page;
	if (fragile) {
		patch->traced = patch_alloc(patch->pgoff);
		if (!patch->traced)
			return -ENOMEM;
		memcpy(page_address(patch->traced), bytes, PAGE_SIZE);
	}
	for (i = 0; i < nr; i++) {
		u32 at = offset_in_page(sites[i].offset);

		site_apply(bytes + at, &sites[i], false);
		if (fragile)
			site_apply((u8 *)page_address(patch->traced) + at,
				   &sites[i], true);
	}
	return 0;
}

static u32 sites_count_pages(const struct instr_site *sites, u32 nr)
{
	u32 i, pages = 0;

	for (i = 0; i < nr; i++)
		if (!i || sites[i].offset >> PAGE_SHIFT !=
			  sites[i - 1].offset >> PAGE_SHIFT)
			pages++;
	return pages;
}

static bool pages_equal(struct page *a, struct page *b)
{
	return a == b || !memcmp(page_address(a), page_address(b), PAGE_SIZE);
}

/* A page that did not change need not leave the page tables: share it. */
static void patch_share(struct instr_patch *patch, const struct instr_patch *old)
{
	if (!old || !pages_equal(patch->page, old->page) ||
	    !pages_equal(patch->traced, old->traced) ||
	    (patch->page == patch->traced) != (old->page == old->traced))
		return;
	patch_put_pages(patch);
	patch->page = old->page;
	patch->traced = old->traced;
	get_page(patch->page);
	atomic64_inc(&instr_live.pages);
	if (patch->traced != patch->page) {
		get_page(patch->traced);
		atomic64_inc(&instr_live.pages);
	}
}

struct instr_edition *instr_edition_build(struct instr_overlay *overlay,
					  const struct instr_edition *old,
					  const struct instr_site *sites, u32 nr,
					  u32 *bad)
{
	u32 pages = sites_count_pages(sites, nr);
	struct instr_edition *edition;
	u32 i, used = 0;
	int err;

	edition = kvzalloc(struct_size(edition, patch, pages), GFP_KERNEL);
	if (!edition)
		return ERR_PTR(-ENOMEM);
	edition->nr = pages;
	edition->nr_sites = nr;
	for (i = 0; i < pages; i++) {
		err = patch_build(overlay, &edition->patch[i], sites + used,
				  nr - used, &used);
		if (err) {
			*bad = used;
			edition_free(edition);
			return ERR_PTR(err);
		}
		patch_share(&edition->patch[i],
			    instr_edition_find(old, edition->patch[i].pgoff));
	}
	return edition;
}

/* Collects neighbouring pages into one call: each visits all mappers. */
struct zap_run {
	struct address_space *mapping;
	pgoff_t pgoff;
	pgoff_t nr;
};

static void zap_flush(struct zap_run *run)
{
	/* Private copies are the process's own: they are left alone. */
	if (run->nr)
		unmap_mapping_pages(run->mapping, run->pgoff, run->nr, false);
	run->nr = 0;
}

static void zap_add(struct zap_run *run, pgoff_t pgoff)
{
	if (run->nr && pgoff == run->pgoff + run->nr) {
		run->nr++;
		return;
	}
	zap_flush(run);
	run->pgoff = pgoff;
	run->nr = 1;
}

static pgoff_t edition_pgoff(const struct instr_edition *edition, u32 i)
{
	return edition && i < edition->nr ? edition->patch[i].pgoff : ULONG_MAX;
}

void instr_edition_zap(struct address_space *mapping, const struct instr_edition *a,
		       const struct instr_edition *b)
{
	struct zap_run run = { .mapping = mapping };
	u32 i = 0, j = 0;

	for (;;) {
		pgoff_t in_a = edition_pgoff(a, i), in_b = edition_pgoff(b, j);

		if (in_a == ULONG_MAX && in_b == ULONG_MAX)
			break;
		if (in_a != in_b || a->patch[i].page != b->patch[j].page ||
		    a->patch[i].traced != b->patch[j].traced)
			zap_add(&run, min(in_a, in_b));
		i += in_a <= in_b;
		j += in_b <= in_a;
		cond_resched();
	}
	zap_flush(&run);
}
