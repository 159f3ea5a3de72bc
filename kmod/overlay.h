/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_OVERLAY_H
#define INSTR_OVERLAY_H

#include <linux/instr.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/rcupdate.h>

#include "lead.h"
#include "rewind.h"
#include "slab.h"

struct file;
struct inode;
struct instr_edition;
struct instr_pointer_set;
struct instr_session;

/**
 * struct instr_overlay - what one session changes in one file
 * @session: only compared and, through @inode_node, found under RCU by hooks
 * @file: holds the mount as well; @inode is the real one behind an overlayfs
 *
 * @changed_start, @changed_end: pages of the file between which all lie that it has ever
 *	changed
 * @unsettled: page tables may hold pages of an edition that is no longer shown
 *
 * @pointers: NULL, or set once, before any process sees the overlay
 *
 * @traps: where traps lead; @origins: what code of the slab stands for; @rewinds: how
 *	threads are taken out of it
 *
 * @edition, @traps, @origins and @rewinds are written under the session's lock. The latter
 * three are read under RCU. They and @code live as long as a view might trap.
 */
struct instr_overlay {
	u32 id;
	struct kref ref;
	struct instr_session *session;
	struct list_head node;			/* session->overlays */
	struct hlist_node inode_node;
	struct file *file;
	struct inode *inode;
	s64 slab_start, annex_start;
	u64 frames_len;
	pgoff_t changed_start, changed_end;
	bool unsettled;
	struct instr_code *code;
	struct instr_edition __rcu *edition;
	struct instr_leads __rcu *traps, *origins;
	struct instr_rewinds __rcu *rewinds;
	struct instr_pointer_set *pointers;
	struct rcu_head rcu;
};

struct instr_overlay *instr_overlay_create(struct instr_session *session,
					   struct file *file,
					   const struct instr_overlay_create *arg);
void instr_overlay_get(struct instr_overlay *overlay);
void instr_overlay_put(struct instr_overlay *overlay);

/*
 * Makes it findable by inode, or -EBUSY if another session's is. Withdrawn, no
 * new mapping finds it.
 */
int instr_overlay_announce(struct instr_overlay *overlay);
void instr_overlay_withdraw(struct instr_overlay *overlay);

/*
 * The session, with a reference, that has overlays of @inode; NULL: none. @pointers: only if
 * one of them has pointers. RCU.
 */
struct instr_session *instr_overlay_session(struct inode *inode, bool pointers);

/* What is shown of it. Under the session's lock. */
struct instr_edition *instr_overlay_edition(const struct instr_overlay *overlay);

/* What a request publishes: arrays of as many as @arg says. */
struct instr_changes {
	struct instr_publish *arg;
	const struct instr_site *sites;
	const struct instr_trap *traps;
	const struct instr_origin *origins;
	const struct instr_rewind *rewinds;
	const struct instr_shape *shapes;
};

/* It is about to show @edition. Under the session's lock. */
void instr_overlay_widen(struct instr_overlay *overlay, const struct instr_edition *edition);
/* May one of @nr pages of the file from @pgoff on be, or have been, a changed one? */
bool instr_overlay_has_changed(const struct instr_overlay *overlay, pgoff_t pgoff,
			       unsigned long nr);

/*
 * The overlay's tables with those of @changes. Under the session's lock; each is new, or
 * an ERR_PTR, and changes->arg->out_bad is the culprit.
 */
struct instr_leads *instr_overlay_merge_traps(struct instr_overlay *overlay,
					      const struct instr_changes *changes);
struct instr_leads *instr_overlay_merge_origins(struct instr_overlay *overlay,
						const struct instr_changes *changes);
struct instr_rewinds *instr_overlay_merge_rewinds(struct instr_overlay *overlay,
						  const struct instr_changes *changes);
/* instr_edition_zap() in the overlay's file. */
void instr_overlay_zap(struct instr_overlay *overlay, const struct instr_edition *a,
		       const struct instr_edition *b);

/* Where a trap at @offset leads, what code at @position was; or NULL. RCU. */
const struct instr_lead *instr_overlay_trap(struct instr_overlay *overlay, u64 offset);
const struct instr_lead *instr_overlay_origin(struct instr_overlay *overlay, s64 position);
/* instr_rewinds_find() in those of @overlay. RCU. */
const struct instr_rewind *instr_overlay_rewind(struct instr_overlay *overlay, s64 position,
						const struct instr_row **row);

#endif
