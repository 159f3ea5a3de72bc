/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_SPACE_H
#define INSTR_SPACE_H

#include <linux/instr.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "slab.h"
#include "thread.h"
#include "keep.h"

struct instr_edition;
struct instr_overlay;
struct instr_rewind;
struct instr_row;
struct instr_session;
struct instr_view;
struct pid;

/**
 * struct instr_slab - a slab as it is mapped in one space
 *
 * @control: the page of its control block, or NULL: nothing else than zeros was needed there
 *	yet; under the space's lock; gate.c
 * @counters: pages of counters that were there when the address space ended, by number
 * @times: the same of times
 *
 * It stays when its view ends, for a view of the same file at the same base that
 * may come (dlclose() and dlopen()).
 */
struct instr_slab {
	struct list_head node;
	struct instr_overlay *overlay;
	unsigned long base;
	struct page *control;
	struct xarray counters, times;
};

/**
 * struct instr_space - one address space, as one session sees it
 * @session: only for events; 0 in @session_id: of a fork child that only answers
 *	traps
 * @mm: held by mmgrab(): the address is not used again while we compare it
 * @traced: a debugger is about
 * @exact: it is left alone while a vfork child runs in it (exact.c)
 * @hidden: how many do; under the session's lock
 * @lock: of @views, whose readers use RCU, of additions to @slabs, of @control. Slabs stay
 *	as long as the space, and are added so that they can be read with no lock
 * @control: what the control block of each slab holds, or will before it is looked at
 * @vforks: entries of @control.vfork that are in use
 * @many: more than one thread runs in it, or has
 * @slabs: and all below under the session's lock
 * @held: views on their way out
 * @refused: errno of the last mapping that was left alone
 * @private: patched pages that are not shown
 * @unset: pointers that could not be set when it was tried last
 * @frames: where they are, or 0; frames.c
 * @frames_shown: what its slabs are told of that, or 0; under @lock; gate.c
 * @execed: its process runs another program
 * @threads: has a lock of its own; thread.c
 */
struct instr_space {
	u32 id, session_id;
	struct kref ref;
	struct hlist_node hash;
	struct list_head node;			/* session->spaces */
	struct mm_struct *mm;
	struct pid *tgid;
	char comm[TASK_COMM_LEN];
	bool traced;
	bool exact;
	bool gone;
	spinlock_t lock;
	struct instr_control control;
	u32 vforks;
	bool many;
	struct list_head views;
	struct list_head slabs;
	struct list_head held;
	bool detached;
	u32 hidden;
	int refused;
	u32 private;
	u32 unset;
	unsigned long frames;
	u64 frames_shown;
	u64 frames_len;
	bool execed;
	struct instr_threads threads;
	struct instr_keep keep;
	struct rcu_work free;
};

/* Others are left alone. */
static inline bool instr_mm_is_64bit(const struct mm_struct *mm)
{
	return mm->task_size > 1UL << 32;
}

/*
 * Of @mm, which is the process @tgid's. @session_id 0: it only answers traps. With one
 * reference; NULL: out of memory, if @gfp can fail.
 */
struct instr_space *instr_space_create(struct mm_struct *mm, struct pid *tgid,
				       const char *comm, u32 session_id, gfp_t gfp);
void instr_space_get(struct instr_space *space);
bool __must_check instr_space_tryget(struct instr_space *space);
/* In any context: what is left to do is done by a worker. */
void instr_space_put(struct instr_space *space);

/* Does the address space still exist? */
bool instr_space_lives(const struct instr_space *space);

/* Moves all views of @overlay in @space to @edition. The caller zaps. */
void instr_space_show(struct instr_space *space, struct instr_overlay *overlay,
		      struct instr_edition *edition);

/* All views of @space show what there is of @overlays, at once. */
void instr_space_show_all(struct instr_space *space, struct list_head *overlays);

/* Views of @space show nothing for a while, pointers included; or again all that there is. */
void instr_space_hide(struct instr_space *space);
void instr_space_reveal(struct instr_space *space, struct list_head *overlays);

/*
 * Makes @space pristine, in steps, so that many can go through each together:
 * withdraw all, zap their overlays, synchronize_rcu(), then release. Only then the
 * mappings lose their views: a page that is copied before must find its traps.
 */
void instr_space_withdraw(struct instr_space *space);
void instr_space_release(struct instr_space *space);

/* A debugger came: show pages that it can't break. */
void instr_space_set_traced(struct instr_space *space);

/* The view of that kind, with a count for the caller, or NULL. */
struct instr_view *instr_space_find_view(struct instr_space *space,
					 struct instr_overlay *overlay,
					 const struct vm_operations_struct *orig,
					 unsigned long base);

/* For views. */
struct instr_view *instr_space_fork(struct instr_view *parent, struct mm_struct *mm);
void instr_space_add(struct instr_space *space, struct instr_view *view);
void instr_space_del(struct instr_space *space, struct instr_view *view);

/* One of which that is true, or NULL. Under RCU. */
struct instr_space *instr_space_any(struct mm_struct *mm,
				    bool (*is)(struct instr_space *space,
					       const struct mm_struct *mm));

/* Calls @fn for each space of @mm that counts. Under RCU. */
void instr_space_for_each(struct mm_struct *mm,
			  void (*fn)(struct instr_space *space, void *data), void *data);

/*
 * Is the page at @vaddr one of ours, or may it still be? Under RCU and mmap_lock:
 * it keeps editions.
 */
bool instr_space_shows(struct mm_struct *mm, unsigned long vaddr);

/* The one of @mm that has a slab whose trap (INSTR_THREAD_TRAP) is at @vaddr. Under RCU. */
struct instr_space *instr_space_find_slab_trap(struct mm_struct *mm, unsigned long vaddr);

/* The process of @task runs another program from now on. Atomic. */
void instr_space_on_exec(struct task_struct *task);

/* Under RCU. */
struct instr_space *instr_space_find(struct mm_struct *mm);
/* As that session sees it. */
struct instr_space *instr_space_find_of(struct mm_struct *mm, u32 session_id);
bool instr_space_trap(struct mm_struct *mm, unsigned long vaddr, unsigned long *target);

/* What code of a slab stands for: whatever signal comes, or only if it faults. */
struct instr_text_place {
	unsigned long vaddr;
	bool any;
};

bool instr_space_origin(struct mm_struct *mm, unsigned long vaddr,
			struct instr_text_place *origin);

/* In front of an instruction of code that counts. */
struct instr_interrupted {
	struct instr_view *view;
	const struct instr_rewind *rewind;
	const struct instr_row *row;
};

bool instr_space_interrupted(struct mm_struct *mm, unsigned long vaddr,
			     struct instr_interrupted *ret);
/* The address of byte @offset of what is kept. */
unsigned long instr_space_kept(const struct instr_view *view, u64 offset);
/*
 * The address of the counter at this offset of the data; 0: a thread with this FS base does
 * not count, as the gate lets it pass. Under RCU.
 */
unsigned long instr_space_counter(const struct instr_view *view, u32 counter,
				  unsigned long fs_base);

/* Number @nr of the slabs of @overlay, or NULL. */
struct instr_slab *instr_space_slab(struct instr_space *space,
				    const struct instr_overlay *overlay, u32 nr);
u32 instr_space_count_slabs(const struct instr_space *space);
u32 instr_space_count_views(struct instr_space *space);

#endif
