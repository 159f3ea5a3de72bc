// SPDX-License-Identifier: GPL-2.0
/*
 * Taking over: mappings of overlays' files in current->mm get their views.
 *
 * The order: the slab is mapped, the traps are found, the view is installed, and
 * only then is a patched page served.
 */

#include "takeover.h"

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "edition.h"
#include "event.h"
#include "frames.h"
#include "gate.h"
#include "overlay.h"
#include "page.h"
#include "pointer.h"
#include "session.h"
#include "space.h"
#include "translate.h"
#include "vfork.h"
#include "view.h"

static bool space_is_traced(struct task_struct *task)
{
	struct task_struct *thread;
	bool traced = false;

	rcu_read_lock();
	for_each_thread(task, thread)
		traced |= READ_ONCE(thread->ptrace) != 0;
	rcu_read_unlock();
	return traced;
}

/*
 * Who might run in current->mm beside one thread. A worker that borrows it has a reference;
 * who looks at it from outside (/proc) may have others, and makes us err to the safe side.
 */
static int space_count_others(void)
{
	return atomic_read(&current->mm->mm_users) - (current->flags & PF_KTHREAD ? 2 : 1);
}

/* Threads count, vfork children don't. */
static void space_find_others(struct instr_space *space, struct task_struct *task)
{
	int others = space_count_others();

	if (others > 0)
		others -= instr_vfork_find(space);
	if (get_nr_threads(task) > 1 || others > 0)
		instr_gate_set_many(space);
}

/* It stays as long as the session's lock is held. */
static struct instr_space *space_find_own(struct instr_session *session)
{
	struct instr_space *space;

	rcu_read_lock();
	space = instr_space_find_of(current->mm, session->id);
	rcu_read_unlock();
	return space;
}

/* The session's space of current->mm, or a new one. */
static struct instr_space *space_of(struct instr_session *session,
				    struct task_struct *task)
{
	struct instr_space *space = space_find_own(session);
	char comm[TASK_COMM_LEN];
	struct pid *tgid;

	if (space)
		return space;
	tgid = get_task_pid(task, PIDTYPE_TGID);
	if (!tgid)
		return NULL;
	get_task_comm(comm, task);
	space = instr_space_create(current->mm, tgid, comm, session->id, GFP_KERNEL);
	put_pid(tgid);
	if (!space)
		return NULL;
	/* Either we see the debugger, the new thread, or its hook (hook.c) the space. */
	smp_mb();
	space->traced = space_is_traced(task);
	space_find_others(space, task);
	list_add_tail(&space->node, &session->spaces);
	instr_event_space(INSTR_EVENT_ATTACH, space);
	return space;
}

static struct instr_slab *space_find_slab(struct instr_space *space,
					  struct instr_overlay *overlay,
					  unsigned long base)
{
	struct instr_slab *slab;

	list_for_each_entry(slab, &space->slabs, node)
		if (slab->overlay == overlay && slab->base == base)
			return slab;
	return NULL;
}

/* What its first slab with times takes. */
static int space_get_ready(struct instr_space *space, const struct instr_overlay *overlay)
{
	int err;

	if (!overlay->frames_len || space->frames)
		return 0;
	err = instr_frames_map(space, overlay->frames_len);
	if (!err)
		instr_gate_show_frames(space);
	return err;
}

static int space_map_slab(struct instr_space *space, struct instr_overlay *overlay,
			  unsigned long base)
{
	struct instr_slab *slab;
	int err;

	/* If the process has removed it, its place is not ours any more. */
	if (space_find_slab(space, overlay, base))
		return instr_slab_is_mapped(overlay->code, base) ? instr_gate_tell(space) :
								   -EEXIST;

	err = space_get_ready(space, overlay);
	if (err)
		return err;
	slab = kzalloc(sizeof(*slab), GFP_KERNEL);
	if (!slab)
		return -ENOMEM;
	xa_init(&slab->counters);
	xa_init(&slab->times);
	/* Left by an earlier session, or inherited from the parent. */
	if (instr_slab_is_mapped(overlay->code, base))
		err = instr_slab_adopt(overlay->code, base);
	else
		err = instr_slab_map(overlay->code, base);
	if (err) {
		kfree(slab);
		return err;
	}
	instr_overlay_get(overlay);
	slab->overlay = overlay;
	slab->base = base;
	spin_lock(&space->lock);
	list_add_tail_rcu(&slab->node, &space->slabs);
	spin_unlock(&space->lock);
	if (overlay->frames_len)
		instr_frames_tell_slabs(space);
	return instr_gate_tell(space);
}

/* Positive errnos, as events have them. 0: its mappings can be served. */
static int mm_check(struct mm_struct *mm)
{
	if (!instr_mm_is_64bit(mm))
		return ENOEXEC;
	return instr_mm_translates(mm) ? EOPNOTSUPP : 0;
}

/* A mapping that wants a view: what outlives the mmap lock. */
struct space_want {
	struct inode *inode;
	unsigned long base;
	const struct vm_operations_struct *ops;
};

static bool space_has_overlay(struct instr_session *session, struct inode *inode)
{
	struct instr_overlay *overlay;

	list_for_each_entry(overlay, &session->overlays, node)
		if (overlay->inode == inode)
			return true;
	return false;
}

/*
 * The next one at or behind *from in current->mm; moves *from behind it. *busy:
 * there is one that shows the traps of a session that is gone.
 */
static bool space_next_want(struct instr_session *session, unsigned long *from,
			    struct space_want *want, bool *busy)
{
	struct instr_view *view;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool found = false;
	VMA_ITERATOR(vmi, mm, *from);

	mmap_read_lock(mm);
	for_each_vma(vmi, vma) {
		if (!(vma->vm_flags & VM_EXEC) || !vma->vm_file ||
		    !space_has_overlay(session, file_inode(vma->vm_file)))
			continue;
		view = instr_vma_view(vma);
		*busy |= view && view->space->session_id != session->id;
		if (view || !instr_vma_is_plain(vma))
			continue;
		want->inode = file_inode(vma->vm_file);
		want->base = instr_vma_base(vma);
		want->ops = vma->vm_ops;
		*from = vma->vm_end;
		found = true;
		break;
	}
	mmap_read_unlock(mm);
	return found;
}

static bool vma_is_wanted(struct vm_area_struct *vma, const struct space_want *want)
{
	return instr_vma_is_plain(vma) && !instr_vma_view(vma) &&
	       file_inode(vma->vm_file) == want->inode &&
	       instr_vma_base(vma) == want->base && vma->vm_ops == want->ops;
}

/* Patched pages for which the process has a private copy: they stay hidden. */
static u32 vma_count_private(struct vm_area_struct *vma,
			     const struct instr_edition *edition)
{
	u32 i, nr = 0;

	if (!vma->anon_vma || !edition || !(vma->vm_flags & VM_EXEC))
		return 0;
	for (i = instr_edition_lower(edition, vma->vm_pgoff);
	     i < edition->nr && edition->patch[i].pgoff < vma->vm_pgoff +
	     vma_pages(vma); i++) {
		unsigned long vaddr = vma->vm_start +
			((edition->patch[i].pgoff - vma->vm_pgoff) << PAGE_SHIFT);
		struct page *page;

		if (get_user_pages_remote(vma->vm_mm, vaddr, 1,
					  FOLL_FORCE | FOLL_NOFAULT, &page, NULL) != 1)
			continue;
		nr += PageAnon(page);
		put_page(page);
	}
	return nr;
}

/* Is a page there that would have to go? In a new mapping there is none. */
static bool vma_shows_any(struct vm_area_struct *vma, const struct instr_edition *edition)
{
	u32 i;

	if (!edition || !(vma->vm_flags & VM_EXEC))
		return false;
	for (i = instr_edition_lower(edition, vma->vm_pgoff);
	     i < edition->nr && edition->patch[i].pgoff < vma->vm_pgoff + vma_pages(vma); i++)
		if (instr_page_is_there(vma->vm_mm, vma->vm_start +
			((edition->patch[i].pgoff - vma->vm_pgoff) << PAGE_SHIFT)))
			return true;
	return false;
}

/* Returns whether there was a mapping left that wanted it. */
static bool space_install(struct instr_space *space, struct instr_overlay *overlay,
			  const struct space_want *want)
{
	struct mm_struct *mm = space->mm;
	struct instr_edition *edition = instr_overlay_edition(overlay);
	struct vm_area_struct *vma;
	struct instr_view *view;
	bool installed = false, shows = false;
	VMA_ITERATOR(vmi, mm, 0);

	view = instr_space_find_view(space, overlay, want->ops, want->base) ?:
	       instr_view_create(space, overlay, want->ops, want->base);
	mmap_write_lock(mm);
	for_each_vma(vmi, vma) {
		if (!vma_is_wanted(vma, want))
			continue;
		space->private += vma_count_private(vma, edition);
		vma_start_write(vma);
		instr_view_install(view, vma);
		view->edition = space->hidden ? NULL : edition;
		shows |= vma_shows_any(vma, edition);
		installed = true;
	}
	mmap_write_unlock(mm);
	instr_view_drop(view);
	if (shows)
		instr_overlay_zap(overlay, edition, NULL);
	return installed;
}

/* The first overlay whose slab fits. */
static bool space_take(struct instr_session *session, struct instr_space *space,
		       const struct space_want *want)
{
	struct instr_overlay *overlay;
	u32 refused = 0;
	int err = 0;

	list_for_each_entry(overlay, &session->overlays, node) {
		if (overlay->inode != want->inode)
			continue;
		err = space_map_slab(space, overlay, want->base);
		if (!err)
			return space_install(space, overlay, want);
		refused = overlay->id;
	}
	/* It is about to be killed. */
	if (err == -EINTR)
		return false;
	space->refused = -err;
	instr_event_refused(space, refused, -err);
	return false;
}

/* Views that a detach had to leave are shown again. */
static void space_revive(struct instr_session *session, struct instr_space *space)
{
	space->detached = false;
	if (space->frames)
		instr_gate_show_frames(space);
	instr_space_show_all(space, &session->overlays);
}

/* Who has mappings that could be served, but for @err. */
static void takeover_refuse(struct instr_session *session, struct task_struct *task, int err)
{
	struct instr_space *space = space_of(session, task);

	if (!space)
		return;
	space->refused = err;
	instr_event_refused(space, 0, err);
}

int instr_takeover(struct instr_session *session, struct task_struct *task)
{
	struct instr_space *space = space_find_own(session);
	unsigned long from = 0;
	struct space_want want;
	bool busy = false;
	int nr = 0, err;

	lockdep_assert_held(&session->lock);
	err = space && !list_empty(&space->slabs) ? 0 : mm_check(current->mm);
	if (err) {
		if (space_next_want(session, &from, &want, &busy))
			takeover_refuse(session, task, err);
		return 0;
	}
	if (space && space->detached)
		space_revive(session, space);
	while (space_next_want(session, &from, &want, &busy)) {
		space = space_of(session, task);
		if (!space)
			return nr;
		nr += space_take(session, space, &want);
	}
	if (busy)
		takeover_refuse(session, task, EBUSY);
	space = space_find_own(session);
	if (!space)
		return nr;
	space->exact = instr_scope_flags(&session->scope, space->tgid) & INSTR_ATTACH_EXACT;
	if (!space->hidden)
		space->unset = instr_pointers_set(space);
	return nr;
}
