// SPDX-License-Identifier: GPL-2.0
/*
 * Spaces: instrumented address spaces.
 *
 * A space begins when the first mapping in it gets a view, and lasts until its
 * session ends, longer than the process: its counters are pinned and can be read
 * afterwards. What acts in it, the views, ends with the mappings.
 *
 * The order in which a mapping is taken over: the slab is mapped, the traps are
 * found, the view is installed, and only then is a patched page served. The order
 * in which it is left: the pages go, then, behind a grace period that waits for
 * each trap that is under way, the traps. The slab never goes.
 */

#include "space.h"

#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/rculist.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>

#include "edition.h"
#include "event.h"
#include "live.h"
#include "overlay.h"
#include "pointer.h"
#include "session.h"
#include "view.h"

static DEFINE_HASHTABLE(space_by_mm, 8);
static DEFINE_SPINLOCK(space_hash_lock);

static atomic_t space_last_id;

/* ---- life ------------------------------------------------------------------ */

static struct instr_space *space_create(struct mm_struct *mm, struct pid *tgid,
					const char *comm, u32 session_id, gfp_t gfp)
{
	struct instr_space *space = kzalloc(sizeof(*space), gfp);

	if (!space)
		return NULL;
	space->id = atomic_inc_return(&space_last_id);
	space->session_id = session_id;
	kref_init(&space->ref);
	mmgrab(mm);
	space->mm = mm;
	space->tgid = get_pid(tgid);
	strscpy(space->comm, comm, sizeof(space->comm));
	spin_lock_init(&space->lock);
	INIT_LIST_HEAD(&space->node);
	INIT_LIST_HEAD(&space->views);
	INIT_LIST_HEAD(&space->slabs);
	INIT_LIST_HEAD(&space->held);
	atomic_inc(&instr_live.spaces);

	spin_lock(&space_hash_lock);
	hash_add_rcu(space_by_mm, &space->hash, (unsigned long)mm);
	spin_unlock(&space_hash_lock);
	return space;
}

void instr_space_get(struct instr_space *space)
{
	kref_get(&space->ref);
}

bool instr_space_tryget(struct instr_space *space)
{
	return kref_get_unless_zero(&space->ref);
}

static void slab_destroy(struct instr_slab *slab)
{
	instr_data_unpin(&slab->data);
	instr_overlay_put(slab->overlay);
	kfree(slab);
}

static void space_free(struct work_struct *work)
{
	struct instr_space *space = container_of(work, struct instr_space, free);
	struct instr_slab *slab, *next;

	spin_lock(&space_hash_lock);
	hash_del_rcu(&space->hash);
	spin_unlock(&space_hash_lock);
	list_for_each_entry_safe(slab, next, &space->slabs, node)
		slab_destroy(slab);
	mmdrop(space->mm);
	put_pid(space->tgid);
	kfree_rcu(space, rcu);
	atomic_dec(&instr_live.spaces);
}

static void space_release(struct kref *ref)
{
	struct instr_space *space = container_of(ref, struct instr_space, ref);

	INIT_WORK(&space->free, space_free);
	queue_work(instr_view_wq, &space->free);
}

void instr_space_put(struct instr_space *space)
{
	kref_put(&space->ref, space_release);
}

bool instr_space_lives(const struct instr_space *space)
{
	return atomic_read(&space->mm->mm_users) > 0;
}

/* ---- what hooks and traps look up ------------------------------------------ */

struct instr_space *instr_space_find(struct mm_struct *mm)
{
	struct instr_space *space;

	hash_for_each_possible_rcu(space_by_mm, space, hash, (unsigned long)mm)
		if (space->mm == mm)
			return space;
	return NULL;
}

static bool view_trap(struct instr_view *view, unsigned long vaddr,
		      unsigned long *target)
{
	const struct instr_trap_entry *entry;

	/* The base may lie below 0: the difference counts, modulo 2^64. */
	entry = instr_overlay_trap(view->overlay, vaddr - view->base);
	if (!entry || (entry->traced_only && !READ_ONCE(view->space->traced)))
		return false;
	*target = view->base + entry->target;
	return true;
}

static bool view_shows(struct instr_view *view, unsigned long vaddr,
		       unsigned long *unused)
{
	return READ_ONCE(view->overlay->unsettled) ||
	       instr_edition_find(READ_ONCE(view->edition),
				  (vaddr - view->base) >> PAGE_SHIFT);
}

/* Is @fn true for any view of @mm? */
static bool any_view(struct mm_struct *mm, unsigned long vaddr, unsigned long *target,
		     bool (*fn)(struct instr_view *view, unsigned long vaddr,
				unsigned long *target))
{
	struct instr_space *space;
	struct instr_view *view;

	hash_for_each_possible_rcu(space_by_mm, space, hash, (unsigned long)mm) {
		if (space->mm != mm)
			continue;
		list_for_each_entry_rcu(view, &space->views, node)
			if (fn(view, vaddr, target))
				return true;
	}
	return false;
}

bool instr_space_trap(struct mm_struct *mm, unsigned long vaddr, unsigned long *target)
{
	return any_view(mm, vaddr, target, view_trap);
}

bool instr_space_shows(struct mm_struct *mm, unsigned long vaddr)
{
	return any_view(mm, vaddr, NULL, view_shows);
}

void instr_space_add(struct instr_space *space, struct instr_view *view)
{
	spin_lock(&space->lock);
	list_add_rcu(&view->node, &space->views);
	spin_unlock(&space->lock);
}

void instr_space_del(struct instr_space *space, struct instr_view *view)
{
	bool last;

	spin_lock(&space->lock);
	list_del_rcu(&view->node);
	last = list_empty(&space->views) && !instr_space_lives(space) && !space->gone;
	space->gone |= last;
	spin_unlock(&space->lock);
	if (last && space->session_id)
		instr_event_space(INSTR_EVENT_GONE, space);
}

void instr_space_for_each(struct mm_struct *mm,
			  void (*fn)(struct instr_space *space, void *data), void *data)
{
	struct instr_space *space;

	hash_for_each_possible_rcu(space_by_mm, space, hash, (unsigned long)mm)
		if (space->mm == mm && space->session_id)
			fn(space, data);
}

/* ---- the gate: who counts, and how -------------------------------------------- */

#define VFORK_NONE	1	/* an FS base that no thread has */

static void space_set_gate(struct instr_space *space)
{
	struct instr_slab *slab;

	lockdep_assert_held(&space->lock);
	if (!space->vforks) {
		memset(&space->control, 0, sizeof(space->control));
		space->control.gate = space->many ? INSTR_GATE_MANY : INSTR_GATE_SOLO;
	} else if (space->vforks > INSTR_VFORKS_MAX ||
		   !boot_cpu_has(X86_FEATURE_FSGSBASE)) {
		space->control.gate = INSTR_GATE_SHUT;
	} else if (space->control.gate != INSTR_GATE_SHUT) {
		space->control.gate = INSTR_GATE_VFORK;
	}
	list_for_each_entry(slab, &space->slabs, node)
		instr_data_control(&slab->data, &space->control);
}

void instr_space_set_many(struct instr_space *space)
{
	spin_lock(&space->lock);
	if (!space->many) {
		space->many = true;
		space_set_gate(space);
	}
	spin_unlock(&space->lock);
}

/* An entry is taken once for each child: a vfork child may have one of its own. */
static u64 *vfork_entry(struct instr_space *space, u64 value)
{
	int i;

	for (i = 0; i < INSTR_VFORKS_MAX; i++)
		if (space->control.vfork[i] == value)
			return &space->control.vfork[i];
	return NULL;
}

void instr_space_vfork_begin(struct instr_space *space, unsigned long fs_base)
{
	u64 *entry;

	spin_lock(&space->lock);
	space->vforks++;
	entry = vfork_entry(space, VFORK_NONE) ?: vfork_entry(space, 0);
	if (entry)
		*entry = fs_base;
	/* A thread with no FS base can't be told from others. */
	if (!entry || !fs_base)
		space->control.gate = INSTR_GATE_SHUT;
	space_set_gate(space);
	spin_unlock(&space->lock);
}

void instr_space_vfork_end(struct instr_space *space, unsigned long fs_base)
{
	u64 *entry;

	spin_lock(&space->lock);
	space->vforks--;
	entry = vfork_entry(space, fs_base);
	if (entry && fs_base)
		*entry = VFORK_NONE;
	space_set_gate(space);
	spin_unlock(&space->lock);
}

/* ---- fork ------------------------------------------------------------------ */

static struct instr_view *space_find_view(struct instr_space *space,
					  struct instr_overlay *overlay,
					  const struct vm_operations_struct *orig,
					  unsigned long base)
{
	struct instr_view *view, *found = NULL;

	spin_lock(&space->lock);
	list_for_each_entry(view, &space->views, node)
		if (view->overlay == overlay && view->base == base &&
		    view->orig == orig && refcount_inc_not_zero(&view->vmas)) {
			found = view;
			break;
		}
	spin_unlock(&space->lock);
	return found;
}

/*
 * In dup_mmap(): nobody else knows @mm yet, so that the space found, if there is
 * one, is that of a view which was forked just before, and is still there.
 */
struct instr_view *instr_space_fork(struct instr_view *parent, struct mm_struct *mm)
{
	struct instr_space *space;
	struct instr_view *view;

	rcu_read_lock();
	space = instr_space_find(mm);
	if (space)
		instr_space_get(space);
	rcu_read_unlock();
	if (!space)
		space = space_create(mm, parent->space->tgid, parent->space->comm, 0,
				     GFP_KERNEL | __GFP_NOFAIL);
	/* The copies may be of what a debugger was shown. */
	space->traced |= parent->space->traced;
	view = space_find_view(space, parent->overlay, parent->orig, parent->base);
	if (!view)
		view = instr_view_create(space, parent->overlay, parent->orig,
					 parent->base);
	instr_space_put(space);
	return view;
}

/* ---- taking over ------------------------------------------------------------ */

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
 * Might a second thread run in current->mm? A worker that borrows it has a
 * reference; who looks at it from outside (/proc) may have others, and makes us
 * err to the safe side.
 */
static bool space_has_many(struct task_struct *task)
{
	int ours = current->flags & PF_KTHREAD ? 1 : 0;

	return get_nr_threads(task) > 1 ||
	       atomic_read(&current->mm->mm_users) > 1 + ours;
}

static struct instr_space *space_find_own(struct instr_session *session)
{
	struct instr_space *space;

	list_for_each_entry(space, &session->spaces, node)
		if (space->mm == current->mm)
			return space;
	return NULL;
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
	space = space_create(current->mm, tgid, comm, session->id, GFP_KERNEL);
	put_pid(tgid);
	if (!space)
		return NULL;
	/* Either we see the debugger, the new thread, or its hook (hook.c) the space. */
	smp_mb();
	space->traced = space_is_traced(task);
	if (space_has_many(task))
		instr_space_set_many(space);
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

static int space_map_slab(struct instr_space *space, struct instr_overlay *overlay,
			  unsigned long base)
{
	struct instr_slab *slab;
	int err;

	/* If the process has removed it, its place is not ours any more. */
	if (space_find_slab(space, overlay, base))
		return instr_slab_is_mapped(overlay->code, base) ? 0 : -EEXIST;

	slab = kzalloc(sizeof(*slab), GFP_KERNEL);
	if (!slab)
		return -ENOMEM;
	/* Left by an earlier session, or inherited from the parent. */
	if (instr_slab_is_mapped(overlay->code, base))
		err = instr_slab_adopt(overlay->code, base, &slab->data);
	else
		err = instr_slab_map(overlay->code, base, &slab->data);
	if (err) {
		kfree(slab);
		return err;
	}
	instr_overlay_get(overlay);
	slab->overlay = overlay;
	slab->base = base;
	spin_lock(&space->lock);
	instr_data_control(&slab->data, &space->control);
	list_add_tail(&slab->node, &space->slabs);
	spin_unlock(&space->lock);
	return 0;
}

static bool mm_is_64bit(const struct mm_struct *mm)
{
	return mm->task_size > 1UL << 32;
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

/* Returns whether there was a mapping left that wanted it. */
static bool space_install(struct instr_space *space, struct instr_overlay *overlay,
			  const struct space_want *want)
{
	struct mm_struct *mm = space->mm;
	struct instr_edition *edition = rcu_dereference_protected(overlay->edition,
								  true);
	struct vm_area_struct *vma;
	struct instr_view *view;
	bool installed = false;
	VMA_ITERATOR(vmi, mm, 0);

	view = space_find_view(space, overlay, want->ops, want->base) ?:
	       instr_view_create(space, overlay, want->ops, want->base);
	mmap_write_lock(mm);
	for_each_vma(vmi, vma) {
		if (!vma_is_wanted(vma, want))
			continue;
		space->private += vma_count_private(vma, edition);
		vma_start_write(vma);
		instr_view_install(view, vma);
		view->edition = edition;
		installed = true;
	}
	mmap_write_unlock(mm);
	instr_view_drop(view);
	if (installed)
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
	space->refused = -err;
	instr_event_refused(space, refused, -err);
	return false;
}

/* Views that a detach had to leave are shown again. */
static void space_revive(struct instr_session *session, struct instr_space *space)
{
	struct instr_overlay *overlay;

	space->detached = false;
	list_for_each_entry(overlay, &session->overlays, node) {
		struct instr_edition *edition =
			rcu_dereference_protected(overlay->edition, true);

		instr_space_show(space, overlay, edition);
		instr_overlay_zap(overlay, edition, NULL);
	}
}

static void space_set_pointers(struct instr_space *space)
{
	struct instr_slab *slab;

	space->unset = 0;
	list_for_each_entry(slab, &space->slabs, node)
		space->unset += instr_pointers_set(space, slab);
}

static void space_restore_pointers(struct instr_space *space)
{
	struct instr_slab *slab;

	list_for_each_entry(slab, &space->slabs, node)
		instr_pointers_restore(space, slab);
}

int instr_space_sync(struct instr_session *session, struct task_struct *task)
{
	struct instr_space *space = space_find_own(session);
	unsigned long from = 0;
	struct space_want want;
	bool busy = false;
	int nr = 0;

	lockdep_assert_held(&session->lock);
	if (!mm_is_64bit(current->mm))
		return 0;
	if (space && space->detached)
		space_revive(session, space);
	while (space_next_want(session, &from, &want, &busy)) {
		space = space_of(session, task);
		if (!space)
			return nr;
		nr += space_take(session, space, &want);
	}
	if (busy && (space = space_of(session, task))) {
		space->refused = EBUSY;
		instr_event_refused(space, 0, EBUSY);
	}
	if (space)
		space_set_pointers(space);
	return nr;
}

/* ---- changing and leaving ---------------------------------------------------- */

/*
 * Calls @fn for each mapping with a view, while no fault is under way in it. False:
 * the address space is on its way out, and with it the views.
 */
static bool space_for_each_vma(struct instr_space *space,
			       void (*fn)(struct instr_view *view,
					  struct vm_area_struct *vma, void *data),
			       void *data)
{
	struct mm_struct *mm = space->mm;
	struct vm_area_struct *vma;
	struct instr_view *view;
	VMA_ITERATOR(vmi, mm, 0);

	if (!mmget_not_zero(mm))
		return false;
	mmap_write_lock(mm);
	for_each_vma(vmi, vma) {
		view = instr_vma_view(vma);
		if (!view || view->space != space)
			continue;
		vma_start_write(vma);
		fn(view, vma, data);
	}
	mmap_write_unlock(mm);
	/* exit_mmap() must not run under a session's lock. */
	mmput_async(mm);
	return true;
}

struct space_show {
	struct instr_overlay *overlay;
	struct instr_edition *edition;
};

static void vma_show(struct instr_view *view, struct vm_area_struct *vma, void *data)
{
	struct space_show *show = data;

	if (view->overlay == show->overlay)
		WRITE_ONCE(view->edition, show->edition);
}

void instr_space_show(struct instr_space *space, struct instr_overlay *overlay,
		      struct instr_edition *edition)
{
	struct space_show show = { .overlay = overlay, .edition = edition };

	if (!space->detached)
		space_for_each_vma(space, vma_show, &show);
}

static void space_hold_views(struct instr_space *space)
{
	struct instr_view *view;

	spin_lock(&space->lock);
	list_for_each_entry(view, &space->views, node)
		if (refcount_inc_not_zero(&view->vmas))
			list_add(&view->held, &space->held);
	spin_unlock(&space->lock);
}

static void vma_withdraw(struct instr_view *view, struct vm_area_struct *vma, void *data)
{
	WRITE_ONCE(view->edition, NULL);
}

void instr_space_withdraw(struct instr_space *space)
{
	if (space->detached)
		return;
	space->detached = true;
	space_restore_pointers(space);
	space_hold_views(space);
	if (space_for_each_vma(space, vma_withdraw, NULL))
		instr_event_space(INSTR_EVENT_DETACH, space);
}

/* A private copy may hold patched bytes: such mappings keep their view. */
static void vma_release(struct instr_view *view, struct vm_area_struct *vma, void *data)
{
	if (!vma->anon_vma)
		instr_view_uninstall(view, vma);
}

void instr_space_release(struct instr_space *space)
{
	struct instr_view *view, *next;

	if (list_empty(&space->held))
		return;
	space_for_each_vma(space, vma_release, NULL);
	list_for_each_entry_safe(view, next, &space->held, held) {
		list_del(&view->held);
		instr_view_drop(view);
	}
}

static void vma_wait(struct instr_view *view, struct vm_area_struct *vma, void *data)
{
}

/* A fault that saw the old value has ended when its mapping was locked. */
void instr_space_set_traced(struct instr_space *space)
{
	WRITE_ONCE(space->traced, true);
	space_for_each_vma(space, vma_wait, NULL);
}

/* ---- reading ----------------------------------------------------------------- */

void instr_space_read(struct instr_space *space, struct instr_overlay *overlay,
		      u64 offset, u64 nr, u64 *sums)
{
	struct instr_slab *slab;

	list_for_each_entry(slab, &space->slabs, node)
		if (slab->overlay == overlay)
			instr_data_add(&slab->data, offset, nr, sums);
}

u32 instr_space_count_slabs(const struct instr_space *space)
{
	struct instr_slab *slab;
	u32 nr = 0;

	list_for_each_entry(slab, &space->slabs, node)
		nr++;
	return nr;
}

u32 instr_space_count_views(struct instr_space *space)
{
	struct instr_view *view;
	u32 nr = 0;

	spin_lock(&space->lock);
	list_for_each_entry(view, &space->views, node)
		nr++;
	spin_unlock(&space->lock);
	return nr;
}
