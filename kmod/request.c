// SPDX-License-Identifier: GPL-2.0
/*
 * Requests: what a session is asked for, and what it tells. All are called under its
 * lock; on an error nothing has changed.
 */

#include "request.h"

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "check.h"
#include "edition.h"
#include "frames.h"
#include "keep.h"
#include "overlay.h"
#include "pointer.h"
#include "session.h"
#include "space.h"

/* ---- overlays -------------------------------------------------------------------- */

static struct instr_overlay *session_find_overlay(struct instr_session *session, u32 id)
{
	struct instr_overlay *overlay;

	lockdep_assert_held(&session->lock);
	list_for_each_entry(overlay, &session->overlays, node)
		if (overlay->id == id)
			return overlay;
	return NULL;
}

static int file_check(struct file *file)
{
	struct inode *inode;

	if (!(file->f_mode & FMODE_READ) || (file->f_mode & FMODE_PATH))
		return -EBADF;
	inode = d_real_inode(file_dentry(file));
	if (!S_ISREG(inode->i_mode) || IS_DAX(inode) ||
	    inode->i_sb->s_magic == HUGETLBFS_MAGIC ||
	    inode->i_sb->s_magic == SECRETMEM_MAGIC)
		return -ENOEXEC;
	return 0;
}

/* Its spaces have one region of frames each, for all their slabs. */
static int session_check_frames(const struct instr_session *session, u64 frames_len)
{
	const struct instr_overlay *overlay;

	if (frames_len && !instr_frames_khz())
		return -EOPNOTSUPP;
	list_for_each_entry(overlay, &session->overlays, node)
		if (frames_len && overlay->frames_len && overlay->frames_len != frames_len)
			return -EINVAL;
	return 0;
}

int instr_request_overlay_create(struct instr_session *session,
				 struct instr_overlay_create *arg)
{
	struct instr_overlay *overlay;
	struct file *file;
	int err;

	lockdep_assert_held(&session->lock);
	err = instr_check_overlay(arg) ?: session_check_frames(session, arg->frames_len);
	if (err)
		return err;
	file = fget(arg->file_fd);
	if (!file)
		return -EBADF;
	err = file_check(file);
	if (err)
		goto out_put_file;
	overlay = instr_overlay_create(session, file, arg);
	err = PTR_ERR_OR_ZERO(overlay);
	if (err)
		goto out_put_file;
	err = instr_overlay_announce(overlay);
	if (err) {
		instr_overlay_put(overlay);
		goto out_put_file;
	}
	list_add_tail(&overlay->node, &session->overlays);
	arg->out_overlay_id = overlay->id;
out_put_file:
	fput(file);
	return err;
}

static bool session_uses(struct instr_session *session,
			 const struct instr_overlay *overlay)
{
	struct instr_space *space;
	struct instr_slab *slab;

	list_for_each_entry(space, &session->spaces, node)
		list_for_each_entry(slab, &space->slabs, node)
			if (slab->overlay == overlay)
				return true;
	return false;
}

int instr_request_pointers(struct instr_session *session, u32 overlay_id,
			   struct instr_pointer_set *set)
{
	struct instr_overlay *overlay = session_find_overlay(session, overlay_id);
	u32 i;

	if (!overlay)
		return -ENOENT;
	if (overlay->pointers || session_uses(session, overlay))
		return -EBUSY;
	for (i = 0; i < set->nr; i++)
		if (!instr_check_pointer(&set->pointer[i], overlay->slab_start,
					 overlay->code->code_len,
					 overlay->code->kept_len))
			return -ERANGE;
	overlay->pointers = set;
	return 0;
}

static struct instr_check_code overlay_code(const struct instr_overlay *overlay)
{
	return (struct instr_check_code){
		.start = overlay->slab_start,
		.len = overlay->code->code_len,
		.annex_start = overlay->annex_start,
		.annex_len = overlay->code->annex_len,
		.data_len = overlay->code->data_len,
		.kept_len = overlay->code->kept_len,
	};
}

int instr_request_slab_read(struct instr_session *session,
			    const struct instr_slab_io *arg)
{
	struct instr_overlay *overlay = session_find_overlay(session, arg->overlay_id);
	int err;

	if (!overlay)
		return -ENOENT;
	err = instr_check_slab_io(arg, instr_code_len(overlay->code));
	if (err)
		return err;
	return instr_code_read(overlay->code, arg->offset, u64_to_user_ptr(arg->ptr),
			       arg->len);
}

int instr_request_slab_write(struct instr_session *session,
			     const struct instr_slab_io *arg)
{
	struct instr_overlay *overlay = session_find_overlay(session, arg->overlay_id);
	u8 *bytes;
	int err;

	if (!overlay)
		return -ENOENT;
	err = instr_check_slab_io(arg, instr_code_len(overlay->code));
	if (err)
		return err;
	bytes = vmemdup_user(u64_to_user_ptr(arg->ptr), arg->len);
	if (IS_ERR(bytes))
		return PTR_ERR(bytes);
	err = instr_code_append(overlay->code, arg->offset, bytes, arg->len);
	kvfree(bytes);
	return err;
}

/* What becomes of an overlay: all are new. */
struct request_state {
	struct instr_leads *traps, *origins;
	struct instr_rewinds *rewinds;
	struct instr_edition *edition;
};

static void leads_replace(struct instr_session *session, struct instr_leads __rcu **leads,
			  struct instr_leads *new)
{
	struct instr_leads *old = rcu_replace_pointer(*leads, new,
						      lockdep_is_held(&session->lock));

	if (old)
		kvfree_rcu(old, rcu);
}

static void rewinds_replace(struct instr_session *session, struct instr_overlay *overlay,
			    struct instr_rewinds *new)
{
	struct instr_rewinds *old = rcu_replace_pointer(overlay->rewinds, new,
							lockdep_is_held(&session->lock));

	if (old)
		kvfree_rcu(old, rcu);
}

/* Its edition becomes what all views show. Nothing can fail any more. */
static void session_commit(struct instr_session *session, struct instr_overlay *overlay,
			   const struct request_state *state)
{
	struct instr_edition *old;
	struct instr_space *space;

	/* A page may only be served once its traps are found. */
	leads_replace(session, &overlay->traps, state->traps);
	leads_replace(session, &overlay->origins, state->origins);
	rewinds_replace(session, overlay, state->rewinds);
	old = rcu_replace_pointer(overlay->edition, state->edition,
				  lockdep_is_held(&session->lock));
	WRITE_ONCE(overlay->unsettled, true);
	instr_overlay_widen(overlay, state->edition);
	list_for_each_entry(space, &session->spaces, node)
		instr_space_show(space, overlay, state->edition);
	instr_overlay_zap(overlay, old, state->edition);
	WRITE_ONCE(overlay->unsettled, false);
	instr_edition_free(old);
}

static int changes_check(const struct instr_overlay *overlay,
			 const struct instr_changes *changes)
{
	struct instr_check_code code = overlay_code(overlay);
	struct instr_publish *arg = changes->arg;

	return instr_check_sites(changes->sites, arg->nr_sites, &arg->out_bad) ?:
	       instr_check_traps(changes->traps, arg->nr_traps, &code, &arg->out_bad) ?:
	       instr_check_fragile(changes->sites, arg->nr_sites, changes->traps,
				   arg->nr_traps, &arg->out_bad) ?:
	       instr_check_origins(changes->origins, arg->nr_origins, &code,
				   &arg->out_bad) ?:
	       instr_check_shapes(changes->shapes, arg->nr_shapes, &arg->out_bad) ?:
	       instr_check_rewinds(changes->rewinds, arg->nr_rewinds, arg->nr_shapes, &code,
				   &arg->out_bad);
}

int instr_request_publish(struct instr_session *session,
			  const struct instr_changes *changes)
{
	struct instr_overlay *overlay = session_find_overlay(session,
							     changes->arg->overlay_id);
	struct request_state state;
	int err;

	if (!overlay)
		return -ENOENT;
	err = changes_check(overlay, changes);
	if (err)
		return err;
	state.traps = instr_overlay_merge_traps(overlay, changes);
	if (IS_ERR(state.traps))
		return PTR_ERR(state.traps);
	state.origins = instr_overlay_merge_origins(overlay, changes);
	err = PTR_ERR_OR_ZERO(state.origins);
	if (err)
		goto err_free_traps;
	state.rewinds = instr_overlay_merge_rewinds(overlay, changes);
	err = PTR_ERR_OR_ZERO(state.rewinds);
	if (err)
		goto err_free_origins;
	state.edition = instr_edition_build(overlay, instr_overlay_edition(overlay),
					    changes->sites, changes->arg->nr_sites,
					    &changes->arg->out_bad);
	err = PTR_ERR_OR_ZERO(state.edition);
	if (err)
		goto err_free_rewinds;
	session_commit(session, overlay, &state);
	return 0;

err_free_rewinds:
	kvfree(state.rewinds);
err_free_origins:
	kvfree(state.origins);
err_free_traps:
	kvfree(state.traps);
	return err;
}

/* ---- spaces ---------------------------------------------------------------------- */

/* The last view goes with the mappings. */
static bool space_is_gone(struct instr_space *space)
{
	return !instr_space_lives(space) && !instr_space_count_views(space);
}

/* The hook comes a little later than the end of the address space. */
static bool space_has_execed(struct instr_space *space)
{
	struct task_struct *leader;
	struct mm_struct *mm;

	if (READ_ONCE(space->execed) || !space_is_gone(space))
		return READ_ONCE(space->execed);
	rcu_read_lock();
	leader = pid_task(space->tgid, PIDTYPE_TGID);
	mm = leader ? READ_ONCE(leader->mm) : NULL;
	rcu_read_unlock();
	return mm && mm != space->mm;
}

int instr_request_space_next(struct instr_session *session,
			     struct instr_space_next *arg)
{
	struct instr_space *space;

	if (arg->flags & ~INSTR_SPACE_GONE)
		return -EOPNOTSUPP;
	lockdep_assert_held(&session->lock);
	list_for_each_entry(space, &session->spaces, node) {
		if (space->id <= arg->space_id ||
		    ((arg->flags & INSTR_SPACE_GONE) && !space_is_gone(space)))
			continue;
		*arg = (struct instr_space_next){
			.size = arg->size,
			.flags = arg->flags,
			.space_id = space->id,
			.out_pid = pid_vnr(space->tgid),
			.out_live = instr_space_lives(space) && !space->detached,
			.out_refused = space->refused,
			.out_private = space->private,
			.out_slabs = instr_space_count_slabs(space),
			.out_unset = space->unset,
			.out_exec = space_has_execed(space),
			.out_gone = space_is_gone(space),
		};
		strscpy((char *)arg->out_comm, space->comm, sizeof(arg->out_comm));
		return 0;
	}
	return -ENOENT;
}

static struct instr_space *session_find_space(struct instr_session *session, u32 id)
{
	struct instr_space *space;

	lockdep_assert_held(&session->lock);
	list_for_each_entry(space, &session->spaces, node)
		if (space->id == id)
			return space;
	return NULL;
}

int instr_request_data_read(struct instr_session *session,
			    const struct instr_data_read *arg, u64 *sums)
{
	struct instr_overlay *overlay = session_find_overlay(session, arg->overlay_id);
	struct instr_space *space = session_find_space(session, arg->space_id);

	if (!overlay || !space)
		return -ENOENT;
	return instr_keep_add_counters(space, overlay, arg->offset, arg->nr, sums);
}

static int request_frames_read(struct instr_space *space, struct instr_times_read *arg)
{
	int err;

	if (!space->frames || arg->slab)
		return -ENXIO;
	err = instr_check_times_read(arg, space->frames_len);
	if (err)
		return err;
	arg->out_address = space->frames;
	return instr_keep_read_frames(space, arg->offset, arg->len,
				       u64_to_user_ptr(arg->ptr));
}

int instr_request_times_read(struct instr_session *session, struct instr_times_read *arg)
{
	struct instr_overlay *overlay = session_find_overlay(session, arg->overlay_id);
	struct instr_space *space = session_find_space(session, arg->space_id);
	struct instr_slab *slab;
	int err;

	err = instr_check_times_read(arg, INSTR_TIMES_MAX);
	if (err)
		return err;
	if (!space || (!overlay && arg->overlay_id))
		return -ENOENT;
	if (!overlay)
		return request_frames_read(space, arg);
	slab = instr_space_slab(space, overlay, arg->slab);
	if (!slab || !overlay->code->times_len)
		return -ENXIO;
	err = instr_check_times_read(arg, overlay->code->times_len);
	if (err)
		return err;
	arg->out_address = instr_slab_times(overlay->code, slab->base);
	return instr_keep_read_times(space, slab, arg->offset, arg->len,
				u64_to_user_ptr(arg->ptr));
}

int instr_request_threads_read(struct instr_session *session,
			       struct instr_threads_read *arg, u64 *fs_base)
{
	struct instr_space *space = session_find_space(session, arg->space_id);

	if (!space)
		return -ENOENT;
	arg->out_nr = instr_threads_read(space, fs_base, arg->nr);
	return 0;
}

int instr_request_space_forget(struct instr_session *session,
			       const struct instr_space_forget *arg)
{
	struct instr_space *space = session_find_space(session, arg->space_id);

	if (arg->flags)
		return -EOPNOTSUPP;
	if (arg->pad)
		return -EINVAL;
	if (!space)
		return -ENOENT;
	if (!space_is_gone(space))
		return -EBUSY;
	instr_session_drop_space(space);
	return 0;
}
