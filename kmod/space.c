// SPDX-License-Identifier: GPL-2.0
/*
 * Spaces: instrumented address spaces.
 *
 * A space begins when the first mapping in it gets a view, and lasts until its
 * session ends, or forgets it, longer than the process: its counters are kept and can
 * be read afterwards. What acts in it, the views, ends with the mappings.
 *
 * How a mapping is taken over says takeover.c. The order in which it is left: the
 * pages go, then, behind a grace period that waits for each trap that is under way,
 * the traps. The slab never goes.
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

#include "edition.h"
#include "event.h"
#include "gate.h"
#include "live.h"
#include "overlay.h"
#include "pointer.h"
#include "session.h"
#include "slot.h"
#include "view.h"

static DEFINE_HASHTABLE(space_by_mm, 8);
static DEFINE_SPINLOCK(space_hash_lock);

static atomic_t space_last_id;

/* ---- life ------------------------------------------------------------------ */

struct instr_space *instr_space_create(struct mm_struct *mm, struct pid *tgid,
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
	instr_keep_begin(space);
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
	instr_overlay_put(slab->overlay);
	kfree(slab);
}

static void space_free(struct work_struct *work)
{
	struct instr_space *space = container_of(to_rcu_work(work), struct instr_space,
						 free);
	struct instr_slab *slab, *next;

	instr_threads_clear(space);
	instr_keep_free(space);
	instr_gate_leave(space);
	list_for_each_entry_safe(slab, next, &space->slabs, node)
		slab_destroy(slab);
	mmdrop(space->mm);
	put_pid(space->tgid);
	kfree(space);
	atomic_dec(&instr_live.spaces);
}

static void space_release(struct kref *ref)
{
	struct instr_space *space = container_of(ref, struct instr_space, ref);

	spin_lock(&space_hash_lock);
	hash_del_rcu(&space->hash);
	spin_unlock(&space_hash_lock);
	/* A hook or a trap may be looking at it, and at its slabs. */
	INIT_RCU_WORK(&space->free, space_free);
	queue_rcu_work(instr_view_wq, &space->free);
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

struct instr_space *instr_space_find_of(struct mm_struct *mm, u32 session_id)
{
	struct instr_space *space;

	hash_for_each_possible_rcu(space_by_mm, space, hash, (unsigned long)mm)
		if (space->mm == mm && space->session_id == session_id)
			return space;
	return NULL;
}

static bool view_trap(struct instr_view *view, unsigned long vaddr, void *target)
{
	const struct instr_lead *trap;

	/* The base may lie below 0: the difference counts, modulo 2^64. */
	trap = instr_overlay_trap(view->overlay, vaddr - view->base);
	if (!trap || (trap->traced_only && !READ_ONCE(view->space->traced)))
		return false;
	*(unsigned long *)target = view->base + trap->to;
	return true;
}

static bool view_origin(struct instr_view *view, unsigned long vaddr, void *ret)
{
	struct instr_text_place *origin = ret;
	const struct instr_lead *lead;

	lead = instr_overlay_origin(view->overlay, vaddr - view->base);
	if (lead)
		*origin = (struct instr_text_place){ view->base + lead->to, lead->any };
	return lead;
}

static bool view_interrupted(struct instr_view *view, unsigned long vaddr, void *ret)
{
	struct instr_interrupted *at = ret;

	at->view = view;
	at->rewind = instr_overlay_rewind(view->overlay, vaddr - view->base, &at->row);
	return at->rewind;
}

static bool view_shows(struct instr_view *view, unsigned long vaddr, void *unused)
{
	return READ_ONCE(view->overlay->unsettled) ||
	       instr_edition_find(READ_ONCE(view->edition),
				  (vaddr - view->base) >> PAGE_SHIFT);
}

/* Is @fn true for any view of @mm? */
static bool any_view(struct mm_struct *mm, unsigned long vaddr, void *ret,
		     bool (*fn)(struct instr_view *view, unsigned long vaddr, void *ret))
{
	struct instr_space *space;
	struct instr_view *view;

	hash_for_each_possible_rcu(space_by_mm, space, hash, (unsigned long)mm) {
		if (space->mm != mm)
			continue;
		list_for_each_entry_rcu(view, &space->views, node)
			if (fn(view, vaddr, ret))
				return true;
	}
	return false;
}

bool instr_space_trap(struct mm_struct *mm, unsigned long vaddr, unsigned long *target)
{
	return any_view(mm, vaddr, target, view_trap);
}

bool instr_space_origin(struct mm_struct *mm, unsigned long vaddr,
			struct instr_text_place *origin)
{
	return any_view(mm, vaddr, origin, view_origin);
}

bool instr_space_interrupted(struct mm_struct *mm, unsigned long vaddr,
			     struct instr_interrupted *ret)
{
	return any_view(mm, vaddr, ret, view_interrupted);
}

bool instr_space_shows(struct mm_struct *mm, unsigned long vaddr)
{
	return any_view(mm, vaddr, NULL, view_shows);
}

unsigned long instr_space_kept(const struct instr_view *view, u64 offset)
{
	const struct instr_overlay *overlay = view->overlay;

	return view->base + overlay->slab_start + overlay->code->code_len +
	       overlay->code->data_len + offset;
}

/*
 * Where several threads count they leave this counter alone, or use LOCK; where there is one
 * it is here.
 */
unsigned long instr_space_counter(const struct instr_view *view, u32 counter,
				  unsigned long fs_base)
{
	const struct instr_overlay *overlay = view->overlay;

	/* A fork child that only answers traps counts for nobody. */
	if (!view->space->session_id || !instr_gate_counts(view->space, fs_base))
		return 0;
	return instr_slab_data(overlay->code, view->base) + counter;
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
	if (last)
		instr_keep_missed(space);
	if (last && space->session_id)
		instr_event_space(INSTR_EVENT_GONE, space);
}

struct instr_space *instr_space_any(struct mm_struct *mm,
				    bool (*is)(struct instr_space *space,
					       const struct mm_struct *mm))
{
	struct instr_space *space;

	hash_for_each_possible_rcu(space_by_mm, space, hash, (unsigned long)mm)
		if (is(space, mm))
			return space;
	return NULL;
}

void instr_space_for_each(struct mm_struct *mm,
			  void (*fn)(struct instr_space *space, void *data), void *data)
{
	struct instr_space *space;

	hash_for_each_possible_rcu(space_by_mm, space, hash, (unsigned long)mm)
		if (space->mm == mm && space->session_id)
			fn(space, data);
}

static bool space_has_trap(struct instr_space *space, unsigned long vaddr)
{
	struct instr_slab *slab;
	bool has = false;

	spin_lock(&space->lock);
	list_for_each_entry(slab, &space->slabs, node)
		has |= slab->overlay->frames_len &&
		       slab->base + slab->overlay->slab_start + INSTR_THREAD_TRAP == vaddr;
	spin_unlock(&space->lock);
	return has;
}

struct instr_space *instr_space_find_slab_trap(struct mm_struct *mm, unsigned long vaddr)
{
	struct instr_space *space, *found = NULL;

	hash_for_each_possible_rcu(space_by_mm, space, hash, (unsigned long)mm) {
		if (space->mm != mm || !space->session_id || !space_has_trap(space, vaddr))
			continue;
		/* Not one of an earlier session, which a private copy keeps. */
		if (READ_ONCE(space->control.frames))
			return space;
		found = space;
	}
	return found;
}

void instr_space_on_exec(struct task_struct *task)
{
	struct instr_space *space;
	int i;

	rcu_read_lock();
	hash_for_each_rcu(space_by_mm, i, space, hash)
		if (space->tgid == task_tgid(task) && space->mm != task->mm)
			WRITE_ONCE(space->execed, true);
	rcu_read_unlock();
}

/* ---- fork ------------------------------------------------------------------ */

struct instr_view *instr_space_find_view(struct instr_space *space,
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
		space = instr_space_create(mm, parent->space->tgid, parent->space->comm, 0,
				     GFP_KERNEL | __GFP_NOFAIL);
	/* The copies may be of what a debugger was shown. */
	space->traced |= parent->space->traced;
	view = instr_space_find_view(space, parent->overlay, parent->orig, parent->base);
	if (!view)
		view = instr_view_create(space, parent->overlay, parent->orig,
					 parent->base);
	instr_space_put(space);
	return view;
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

	if (!space->detached && !space->hidden)
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

/* The only other thread sleeps, or is the caller: pages may go one by one. */
void instr_space_hide(struct instr_space *space)
{
	struct instr_slab *slab;

	if (space->hidden++ || space->detached)
		return;
	instr_pointers_restore(space);
	list_for_each_entry(slab, &space->slabs, node)
		WRITE_ONCE(slab->overlay->unsettled, true);
	space_for_each_vma(space, vma_withdraw, NULL);
	list_for_each_entry(slab, &space->slabs, node) {
		instr_overlay_zap(slab->overlay, instr_overlay_edition(slab->overlay), NULL);
		WRITE_ONCE(slab->overlay->unsettled, false);
	}
}

void instr_space_show_all(struct instr_space *space, struct list_head *overlays)
{
	struct instr_overlay *overlay;

	list_for_each_entry(overlay, overlays, node) {
		struct instr_edition *edition = instr_overlay_edition(overlay);

		instr_space_show(space, overlay, edition);
		instr_overlay_zap(overlay, edition, NULL);
	}
}

void instr_space_reveal(struct instr_space *space, struct list_head *overlays)
{
	if (--space->hidden || space->detached)
		return;
	instr_space_show_all(space, overlays);
	space->unset = instr_pointers_set(space);
}

void instr_space_withdraw(struct instr_space *space)
{
	if (space->detached)
		return;
	space->detached = true;
	instr_gate_hide_frames(space);
	/* As long as the text tells unwinders of them. */
	instr_slots_restore_own(space);
	instr_pointers_restore(space);
	space_hold_views(space);
	if (space_for_each_vma(space, vma_withdraw, NULL))
		instr_event_space(INSTR_EVENT_DETACH, space);
}

/* A private copy may hold patched bytes: such mappings keep their view. */
static void vma_release(struct instr_view *view, struct vm_area_struct *vma, void *data)
{
	if (!instr_view_may_copy(view, vma))
		instr_view_uninstall(view, vma);
}

void instr_space_release(struct instr_space *space)
{
	struct instr_view *view, *next;

	if (list_empty(&space->held))
		return;
	/* Those of threads that were about to take one. */
	instr_slots_restore_own(space);
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

struct instr_slab *instr_space_slab(struct instr_space *space,
				    const struct instr_overlay *overlay, u32 nr)
{
	struct instr_slab *slab;

	list_for_each_entry(slab, &space->slabs, node)
		if (slab->overlay == overlay && !nr--)
			return slab;
	return NULL;
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
