// SPDX-License-Identifier: GPL-2.0
/*
 * Slots: return addresses of ours on the stacks of a process.
 *
 * A thread that returns through a slot is always right: slabs stay. But who unwinds its
 * stack finds an address that nothing is known of when the text is pristine, and an
 * exception ends the program. So they are put back when a process leaves the scope, and
 * in a fork child before it runs.
 *
 * Where to look says a table in the process's frames, and what to put there another one in
 * what the slab keeps. Both are the process's own memory and may say anything: it is the
 * process's stacks that become wrong then, and nobody else's. Nothing here waits for user
 * space: only anonymous memory is changed, with no fault that userfaultfd could answer,
 * and no page is made where there was none. One that was swapped out does come back.
 *
 * Threads run meanwhile. A word is exchanged if it still is what we read: who returned, or
 * caught an exception, may have put something else there. No slot is taken any more
 * (instr_gate_hide_frames()) but by threads that looked before; so the walk is done again
 * behind a grace period. What remains is a thread that was interrupted, or faulted, at that
 * place and goes on only after that: it returns right, and can't be unwound.
 */

#include "slot.h"

#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

#include "frames.h"
#include "overlay.h"
#include "page.h"
#include "slab.h"
#include "space.h"

#define WORDS		((int)(PAGE_SIZE / sizeof(u64)))	/* of a page */
#define DEPTH		8	/* of slots that return to slots */
#define TABLE_LEN	(INSTR_STACK_PAGES * sizeof(struct instr_stack_page))

/*
 * @low, @len: all slots of the space lie in there
 * @returns: a page of a table of returns, at address @returns_at; while a stack's page is
 *	looked through
 */
struct slot_walk {
	struct instr_space *space;
	struct mm_struct *mm;
	u64 low, len;
	struct page *returns;
	unsigned long returns_at;
};

/* ---- where slots are ------------------------------------------------------------- */

static u64 slab_slots(const struct instr_slab *slab)
{
	return slab->base + slab->overlay->code->key.slots_start;
}

static u64 slab_slots_len(const struct instr_slab *slab)
{
	return slab->overlay->code->key.nr_slots * INSTR_SLOT_LEN;
}

/* Slabs are added at any time, and none is removed while there is a reference. */
#define for_each_slab(slab, space) \
	list_for_each_entry_rcu(slab, &(space)->slabs, node, true)

bool instr_slots_are_there(const struct instr_space *space)
{
	struct instr_slab *slab;

	if (!READ_ONCE(space->frames))
		return false;
	for_each_slab(slab, space)
		if (slab_slots_len(slab))
			return true;
	return false;
}

static struct slot_walk walk_begin(struct instr_space *space, struct mm_struct *mm)
{
	struct slot_walk walk = { .space = space, .mm = mm };
	u64 low = U64_MAX, high = 0;
	struct instr_slab *slab;

	for_each_slab(slab, space) {
		if (!slab_slots_len(slab))
			continue;
		low = min(low, slab_slots(slab));
		high = max(high, slab_slots(slab) + slab_slots_len(slab));
	}
	if (high) {
		walk.low = low;
		walk.len = high - low;
	}
	return walk;
}

/* ---- pages; mmap_lock is held ---------------------------------------------------- */

/* With a reference, or NULL. With no mmap_lock to drop a fault waits for no user space. */
static struct page *page_get(struct mm_struct *mm, unsigned long vaddr, unsigned int flags)
{
	struct page *page;

	return get_user_pages_remote(mm, vaddr, 1, flags, &page, NULL) == 1 ? page : NULL;
}

static struct vm_area_struct *vma_at(struct mm_struct *mm, unsigned long vaddr)
{
	struct vm_area_struct *vma = find_vma(mm, vaddr);

	return vma && vma->vm_start <= vaddr ? vma : NULL;
}

static bool vma_is_stack(const struct vm_area_struct *vma)
{
	return vma_is_anonymous((struct vm_area_struct *)vma) && vma->vm_flags & VM_WRITE;
}

static void returns_put(struct slot_walk *walk)
{
	if (walk->returns)
		put_page(walk->returns);
	walk->returns = NULL;
}

/* Deep recursion has the same slot again and again. */
static struct page *returns_get(struct slot_walk *walk, const struct instr_slab *slab,
				unsigned long vaddr)
{
	struct vm_area_struct *vma;

	if (walk->returns && walk->returns_at == vaddr)
		return walk->returns;
	returns_put(walk);
	vma = vma_at(walk->mm, vaddr);
	if (vma && vma->vm_file == slab->overlay->code->ro)
		walk->returns = page_get(walk->mm, vaddr, 0);
	walk->returns_at = vaddr;
	return walk->returns;
}

/* ---- words ----------------------------------------------------------------------- */

static u64 entry_read(struct slot_walk *walk, const struct instr_slab *slab, u64 nr)
{
	const struct instr_code *code = slab->overlay->code;
	unsigned long vaddr = slab->base + code->key.slab_start + code->code_len +
			      code->data_len + nr * sizeof(struct instr_return);
	struct page *page = returns_get(walk, slab, vaddr & PAGE_MASK);
	const struct instr_return *entry;

	if (!page)
		return 0;
	entry = page_address(page) + offset_in_page(vaddr);
	return READ_ONCE(entry->to);
}

/* Where the slot that @word is a return address in returns to, or 0. */
static u64 slot_returns_to(struct slot_walk *walk, u64 word)
{
	const struct instr_slab *slab;

	if (word - walk->low >= walk->len)
		return 0;
	for_each_slab(slab, walk->space) {
		u64 offset = word - slab_slots(slab);

		if (offset >= slab_slots_len(slab))
			continue;
		if (offset % INSTR_SLOT_LEN != INSTR_SLOT_RETURN)
			return 0;
		return entry_read(walk, slab, offset / INSTR_SLOT_LEN);
	}
	return 0;
}

/*
 * What @word stands for; 0: it is no slot's. A slot may return to another: of a function
 * that was entered twice, or by another's last jump.
 */
static u64 word_stands_for(struct slot_walk *walk, u64 word)
{
	u64 to = slot_returns_to(walk, word), next;
	int depth;

	for (depth = 1; depth < DEPTH; depth++) {
		next = slot_returns_to(walk, to);
		if (!next)
			break;
		to = next;
	}
	return to;
}

/* The first word from @i on that may lead to a slot, as few do; WORDS: there is none. */
static int words_next(const struct slot_walk *walk, const u64 *words, int i)
{
	const u64 low = walk->low, len = walk->len;

	while (i < WORDS && READ_ONCE(words[i]) - low >= len)
		i++;
	return i;
}

/* A page that is shared since a fork becomes the process's own only where it must. */
static void page_restore(struct slot_walk *walk, unsigned long vaddr)
{
	struct page *page = page_get(walk->mm, vaddr, FOLL_DUMP);
	u64 *words = page ? page_address(page) : NULL;
	int i = page ? words_next(walk, words, 0) : WORDS;
	bool own = false;

	for (; i < WORDS; i = words_next(walk, words, i + 1)) {
		u64 was = READ_ONCE(words[i]), to = word_stands_for(walk, was);

		if (!to)
			continue;
		if (!own) {
			put_page(page);
			page = page_get(walk->mm, vaddr, FOLL_WRITE);
			if (!page)
				return;
			words = page_address(page);
			own = true;
		}
		cmpxchg(&words[i], was, to);
	}
	if (own)
		set_page_dirty_lock(page);
	if (page)
		put_page(page);
}

static void stack_page_restore(struct slot_walk *walk, unsigned long vaddr)
{
	struct vm_area_struct *vma;

	mmap_read_lock(walk->mm);
	vma = vma_at(walk->mm, vaddr);
	if (vma && vma_is_stack(vma))
		page_restore(walk, vaddr);
	returns_put(walk);
	mmap_read_unlock(walk->mm);
	cond_resched();
}

/* ---- the table of stacks' pages -------------------------------------------------- */

static void table_page_restore(struct slot_walk *walk, struct page *page)
{
	const struct instr_stack_page *entry = page_address(page);
	int i;

	for (i = 0; i < PAGE_SIZE / sizeof(*entry); i++) {
		unsigned long stack = READ_ONCE(entry[i].page);

		if (stack && !offset_in_page(stack))
			stack_page_restore(walk, stack);
	}
}

void instr_slots_restore(struct instr_space *space, unsigned long frames,
			 struct mm_struct *mm)
{
	struct slot_walk walk = walk_begin(space, mm);
	unsigned long table = frames + INSTR_STACK_PAGES_AT, vaddr, next;

	for (vaddr = table; vaddr < table + TABLE_LEN; vaddr = next) {
		struct page *page;

		mmap_read_lock(space->mm);
		page = instr_page_get(space->mm, instr_frames_file(), vaddr, &next);
		mmap_read_unlock(space->mm);
		if (!page)
			continue;
		table_page_restore(&walk, page);
		put_page(page);
	}
}

/* ---- in the space itself --------------------------------------------------------- */

struct slot_work {
	struct work_struct work;
	struct instr_space *space;
};

static void slot_work_fn(struct work_struct *work)
{
	struct instr_space *space = container_of(work, struct slot_work, work)->space;

	if (!mmget_not_zero(space->mm))
		return;
	instr_slots_restore(space, space->frames, space->mm);
	/* exit_mmap() must not run while somebody waits for this under a session's lock. */
	mmput_async(space->mm);
}

/* By a worker: a tool that is killed gets no page of others. */
void instr_slots_restore_own(struct instr_space *space)
{
	struct slot_work arg = { .space = space };

	if (!instr_slots_are_there(space))
		return;
	INIT_WORK_ONSTACK(&arg.work, slot_work_fn);
	queue_work(system_unbound_wq, &arg.work);
	flush_work(&arg.work);
	destroy_work_on_stack(&arg.work);
}
