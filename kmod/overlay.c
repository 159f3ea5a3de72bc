// SPDX-License-Identifier: GPL-2.0
/*
 * Overlays: the changed text of one file.
 *
 * The pages of the file itself, in the page cache, are never written. An overlay
 * keeps changed copies of some of them beside it, and a view (view.c) maps a
 * copy where the process would have mapped the original. Whoever has no view
 * runs the file as it is, and so does everybody once the last view is gone.
 */

#include "overlay.h"

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/slab.h>

#include "edition.h"
#include "live.h"
#include "session.h"

/* All announced overlays by inode; readers under RCU. */
static DEFINE_HASHTABLE(overlay_by_inode, 8);
static DEFINE_SPINLOCK(overlay_hash_lock);

static atomic_t overlay_last_id;

struct instr_overlay *instr_overlay_create(struct instr_session *session,
					   struct file *file,
					   const struct instr_overlay_create *arg)
{
	struct inode *inode = d_real_inode(file_dentry(file));
	struct instr_code_key key = {
		.dev = inode->i_sb->s_dev,
		.ino = inode->i_ino,
		.generation = inode->i_generation,
		.slab_start = arg->slab_start,
		.code_len = arg->code_len,
		.data_len = arg->data_len,
		.kept_len = arg->kept_len,
		.layout = arg->layout,
		.annex_start = arg->annex_start,
		.annex_len = arg->annex_len,
		.times_len = arg->times_len,
		.slots_start = arg->slots_start,
		.nr_slots = arg->nr_slots,
	};
	struct instr_overlay *overlay;
	struct instr_code *code;

	overlay = kzalloc(sizeof(*overlay), GFP_KERNEL);
	if (!overlay)
		return ERR_PTR(-ENOMEM);
	code = instr_code_get(&key);
	if (IS_ERR(code)) {
		kfree(overlay);
		return ERR_CAST(code);
	}
	overlay->code = code;
	overlay->id = atomic_inc_return(&overlay_last_id);
	kref_init(&overlay->ref);
	overlay->session = session;
	INIT_LIST_HEAD(&overlay->node);
	overlay->file = get_file(file);
	overlay->inode = inode;
	overlay->slab_start = arg->slab_start;
	overlay->annex_start = arg->annex_start;
	overlay->frames_len = arg->frames_len;
	atomic_inc(&instr_live.overlays);
	return overlay;
}

void instr_overlay_get(struct instr_overlay *overlay)
{
	kref_get(&overlay->ref);
}

/*
 * The session gives its reference up behind a grace period that no hook or trap
 * sees the end of, and a view gives its up behind one of its own.
 */
static void overlay_release(struct kref *ref)
{
	struct instr_overlay *overlay = container_of(ref, struct instr_overlay, ref);

	instr_edition_free(rcu_dereference_protected(overlay->edition, true));
	kvfree(rcu_dereference_protected(overlay->traps, true));
	kvfree(rcu_dereference_protected(overlay->origins, true));
	kvfree(rcu_dereference_protected(overlay->rewinds, true));
	kvfree(overlay->pointers);
	instr_code_put(overlay->code);
	fput(overlay->file);
	kfree_rcu(overlay, rcu);
	atomic_dec(&instr_live.overlays);
}

void instr_overlay_put(struct instr_overlay *overlay)
{
	kref_put(&overlay->ref, overlay_release);
}

int instr_overlay_announce(struct instr_overlay *overlay)
{
	struct instr_overlay *other;
	int err = 0;

	spin_lock(&overlay_hash_lock);
	hash_for_each_possible(overlay_by_inode, other, inode_node,
			       (unsigned long)overlay->inode)
		if (other->inode == overlay->inode &&
		    other->session != overlay->session)
			err = -EBUSY;
	if (!err)
		hash_add_rcu(overlay_by_inode, &overlay->inode_node,
			     (unsigned long)overlay->inode);
	spin_unlock(&overlay_hash_lock);
	return err;
}

void instr_overlay_withdraw(struct instr_overlay *overlay)
{
	spin_lock(&overlay_hash_lock);
	hash_del_rcu(&overlay->inode_node);
	spin_unlock(&overlay_hash_lock);
}

struct instr_session *instr_overlay_session(struct inode *inode, bool pointers)
{
	struct instr_overlay *overlay;

	hash_for_each_possible_rcu(overlay_by_inode, overlay, inode_node,
				   (unsigned long)inode)
		if (overlay->inode == inode && (READ_ONCE(overlay->pointers) || !pointers) &&
		    instr_session_tryget(overlay->session))
			return overlay->session;
	return NULL;
}

struct instr_edition *instr_overlay_edition(const struct instr_overlay *overlay)
{
	return rcu_dereference_protected(overlay->edition,
					 lockdep_is_held(&overlay->session->lock));
}

/* Views are moved to the edition behind this, under the lock that readers have. */
void instr_overlay_widen(struct instr_overlay *overlay, const struct instr_edition *edition)
{
	pgoff_t start, end;

	lockdep_assert_held(&overlay->session->lock);
	if (!edition->nr)
		return;
	start = edition->patch[0].pgoff;
	end = edition->patch[edition->nr - 1].pgoff + 1;
	if (overlay->changed_end) {
		start = min(start, overlay->changed_start);
		end = max(end, overlay->changed_end);
	}
	WRITE_ONCE(overlay->changed_start, start);
	WRITE_ONCE(overlay->changed_end, end);
}

bool instr_overlay_has_changed(const struct instr_overlay *overlay, pgoff_t pgoff,
			       unsigned long nr)
{
	return pgoff < READ_ONCE(overlay->changed_end) &&
	       READ_ONCE(overlay->changed_start) < pgoff + nr;
}

void instr_overlay_zap(struct instr_overlay *overlay, const struct instr_edition *a,
		       const struct instr_edition *b)
{
	instr_edition_zap(overlay->inode->i_mapping, a, b);
}

/* ---- traps, origins and rewinds --------------------------------------------- */

static const struct instr_site *site_find(const struct instr_publish *arg,
					  const struct instr_site *sites, u64 offset)
{
	u32 low = 0, high = arg->nr_sites;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (sites[mid].offset == offset)
			return &sites[mid];
		if (sites[mid].offset < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static struct instr_lead trap_lead(const void *request, u32 i, const struct instr_lead *old)
{
	const struct instr_changes *changes = request;
	const struct instr_trap *trap = &changes->traps[i];
	const struct instr_site *site = site_find(changes->arg, changes->sites, trap->offset);
	bool fragile = site && (site->flags & INSTR_SITE_FRAGILE);

	return (struct instr_lead){
		.from = (s64)trap->offset,
		.to = (s64)trap->target,
		/* Once it was ours without a debugger, it stays ours. */
		.traced_only = old ? old->traced_only && (!site || fragile) : fragile,
	};
}

static struct instr_lead origin_lead(const void *request, u32 i,
				     const struct instr_lead *old)
{
	const struct instr_changes *changes = request;

	return (struct instr_lead){
		.from = (s64)changes->origins[i].code,
		.to = (s64)(changes->origins[i].offset & ~INSTR_ORIGIN_ANY),
		.any = !!(changes->origins[i].offset & INSTR_ORIGIN_ANY),
	};
}

struct instr_leads *instr_overlay_merge_traps(struct instr_overlay *overlay,
					      const struct instr_changes *changes)
{
	return instr_leads_merge(rcu_dereference_protected(overlay->traps,
					lockdep_is_held(&overlay->session->lock)),
				 trap_lead, changes, changes->arg->nr_traps,
				 &changes->arg->out_bad);
}

struct instr_leads *instr_overlay_merge_origins(struct instr_overlay *overlay,
						const struct instr_changes *changes)
{
	return instr_leads_merge(rcu_dereference_protected(overlay->origins,
					lockdep_is_held(&overlay->session->lock)),
				 origin_lead, changes, changes->arg->nr_origins,
				 &changes->arg->out_bad);
}

struct instr_rewinds *instr_overlay_merge_rewinds(struct instr_overlay *overlay,
						  const struct instr_changes *changes)
{
	const struct instr_rewind_request request = {
		.entry = changes->rewinds,
		.nr = changes->arg->nr_rewinds,
		.shape = changes->shapes,
		.nr_shapes = changes->arg->nr_shapes,
	};

	return instr_rewinds_merge(rcu_dereference_protected(overlay->rewinds,
					lockdep_is_held(&overlay->session->lock)),
				   &request, &changes->arg->out_bad);
}

const struct instr_lead *instr_overlay_trap(struct instr_overlay *overlay, u64 offset)
{
	return instr_leads_find(rcu_dereference(overlay->traps), offset);
}

const struct instr_lead *instr_overlay_origin(struct instr_overlay *overlay, s64 position)
{
	return instr_leads_find(rcu_dereference(overlay->origins), position);
}

const struct instr_rewind *instr_overlay_rewind(struct instr_overlay *overlay, s64 position,
						const struct instr_row **row)
{
	return instr_rewinds_find(rcu_dereference(overlay->rewinds), position, row);
}
