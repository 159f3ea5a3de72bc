// SPDX-License-Identifier: GPL-2.0
/*
 * Threads: who has an entry in a space's frames, and which lane.
 *
 * The table of entries is the process's own memory: it may hold anything. What is true
 * is in the records here; what the table says decides only what the process itself gets
 * to see. It is written where its pages are, and a page that is not there is an answer.
 *
 * A record lives longer than its thread. The thread's lane is free when the thread is
 * at its end, but its entry is found by its FS base until another thread begins that
 * has the same: then it is marked as left.
 */

#include "thread.h"

#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/fsgsbase.h>
#include <asm/msr.h>
#include <asm/ptrace.h>

#include "slab.h"
#include "space.h"

/*
 * An entry that was made.
 *
 * @task: only compared; NULL: the thread has ended
 * @entry: its address in the process
 * @lane: 0: it has none of its own, or not any more
 */
struct thread_record {
	struct hlist_node by_task, by_fs, by_entry;
	struct instr_space *space;
	struct task_struct *task;
	u64 fs_base, entry;
	unsigned int lane;
};

static DEFINE_HASHTABLE(records_by_task, 10);
/* Taken with interrupts off, or on: nobody takes it in an interrupt. */
static DEFINE_SPINLOCK(threads_lock);

/* ---- records; threads_lock is held ----------------------------------------------- */

static struct hlist_head *bucket_fs(struct instr_space *space, u64 fs_base)
{
	return &space->threads.by_fs[hash_64(fs_base, ilog2(INSTR_THREADS_HASH))];
}

static struct hlist_head *bucket_entry(struct instr_space *space, u64 entry)
{
	u64 number = entry / sizeof(struct instr_thread);

	return &space->threads.by_entry[number % INSTR_THREADS_HASH];
}

static struct thread_record *record_of_fs(struct instr_space *space, u64 fs_base)
{
	struct thread_record *record;

	hlist_for_each_entry(record, bucket_fs(space, fs_base), by_fs)
		if (record->fs_base == fs_base)
			return record;
	return NULL;
}

static struct thread_record *record_of_entry(struct instr_space *space, u64 entry)
{
	struct thread_record *record;

	hlist_for_each_entry(record, bucket_entry(space, entry), by_entry)
		if (record->entry == entry)
			return record;
	return NULL;
}

static unsigned int lane_take(struct instr_space *space)
{
	unsigned int lane = find_next_zero_bit(space->threads.lanes, INSTR_LANES, 1);

	if (lane == INSTR_LANES)
		return 0;
	__set_bit(lane, space->threads.lanes);
	return lane;
}

static void record_end(struct thread_record *record)
{
	if (record->task)
		hash_del(&record->by_task);
	record->task = NULL;
	if (record->lane)
		__clear_bit(record->lane, record->space->threads.lanes);
	record->lane = 0;
}

static void record_forget(struct thread_record *record)
{
	if (!record)
		return;
	record_end(record);
	hlist_del(&record->by_fs);
	hlist_del(&record->by_entry);
	kfree(record);
}

static struct thread_record *record_make(struct instr_space *space, u64 entry,
					 u64 fs_base)
{
	struct thread_record *record = kmalloc(sizeof(*record), GFP_ATOMIC | __GFP_NOWARN);

	if (!record)
		return NULL;
	record->space = space;
	record->task = current;
	record->fs_base = fs_base;
	record->entry = entry;
	record->lane = lane_take(space);
	hash_add(records_by_task, &record->by_task, (unsigned long)current);
	hlist_add_head(&record->by_fs, bucket_fs(space, fs_base));
	hlist_add_head(&record->by_entry, bucket_entry(space, entry));
	return record;
}

/* ---- the table, in user space ---------------------------------------------------- */

static struct instr_thread __user *entry_at(u64 entry)
{
	return u64_to_user_ptr(entry);
}

static bool entry_read(u64 entry, u64 *fs_base)
{
	return !copy_from_user_nofault(fs_base, &entry_at(entry)->fs_base,
				       sizeof(*fs_base));
}

static bool entry_set(u64 entry, u64 fs_base)
{
	return !copy_to_user_nofault(&entry_at(entry)->fs_base, &fs_base,
				     sizeof(fs_base));
}

/* Whoever finds the entry by its stack looks at the lane first. */
static void entry_leave(u64 entry, u64 fs_base)
{
	const u64 none = 0;

	copy_to_user_nofault(&entry_at(entry)->lane, &none, sizeof(none));
	barrier();
	entry_set(entry, fs_base | INSTR_THREAD_LEFT);
}

/* The FS base last: whoever finds it finds all the rest. */
static bool entry_write(u64 entry, const struct instr_thread *thread)
{
	const size_t rest = offsetofend(struct instr_thread, fs_base);

	if (copy_to_user_nofault((u8 __user *)entry_at(entry) + rest,
				 (const u8 *)thread + rest, sizeof(*thread) - rest))
		return false;
	barrier();
	return entry_set(entry, thread->fs_base);
}

/* ---- stacks ---------------------------------------------------------------------- */

/*
 * The stack that the kernel made. Where mmap() goes downwards it has all the room above
 * that, otherwise as much as slab_is_in_the_way() leaves it.
 */
static bool stack_is_first(const struct mm_struct *mm, unsigned long sp,
			   struct instr_thread *thread)
{
	unsigned long top = PAGE_ALIGN(READ_ONCE(mm->start_stack));
	unsigned long low = READ_ONCE(mm->mmap_base);

	if (low < TASK_SIZE_MAX / 2 && top > SZ_1G)
		low = max(low, top - SZ_1G);
	if (sp < low || sp >= top)
		return false;
	thread->stack_start = low;
	thread->stack_end = top;
	return true;
}

/*
 * What FS leads to begins with its own address, the processor's ABI says. A runtime that is
 * none of C may have it anywhere: Go's is in the heap, among the stacks that all threads run
 * on in turn.
 */
static bool fs_base_is_abi(u64 fs_base)
{
	u64 self;

	return !copy_from_user_nofault(&self, u64_to_user_ptr(fs_base), sizeof(self)) &&
	       self == fs_base;
}

/* Is it memory that the thread may have for itself? malloc() has others' stacks there, too. */
static bool stack_is_vma(const struct mm_struct *mm, const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & VM_SHARED) &&
	       (vma->vm_start >= READ_ONCE(mm->brk) || vma->vm_end <= READ_ONCE(mm->start_brk));
}

/*
 * C libraries keep what FS leads to at the top of the thread's stack. That of the first
 * thread lies elsewhere, in a mapping that it does not run on. False: the lock is held.
 */
static bool stack_find(struct mm_struct *mm, unsigned long sp, u64 fs_base,
		       struct instr_thread *thread)
{
	struct vm_area_struct *vma;

	if ((thread_group_leader(current) && stack_is_first(mm, sp, thread)) ||
	    on_sig_stack(sp) || !fs_base_is_abi(fs_base))
		return true;
	if (!mmap_read_trylock(mm))
		return false;
	vma = find_vma(mm, fs_base);
	if (vma && vma->vm_start <= sp && sp < fs_base && stack_is_vma(mm, vma)) {
		thread->stack_start = vma->vm_start;
		thread->stack_end = fs_base;
	}
	mmap_read_unlock(mm);
	return true;
}

/* ---- registration ---------------------------------------------------------------- */

/* What the thread finds in RAX. */
enum { LOOK_AGAIN = 0, NO_ENTRY = 1 };

/* Somebody else changes mappings all the time: then it has to do without. */
#define STACK_TRIES	1000

/* threads_lock is held. */
static unsigned long register_locked(struct instr_space *space, u64 entry,
				     struct instr_thread *thread)
{
	struct thread_record *record = record_of_fs(space, thread->fs_base);
	u64 there;

	if (!entry_read(entry, &there))
		return NO_ENTRY;
	if (there != INSTR_THREAD_FREE && there != (thread->fs_base | INSTR_THREAD_LEFT))
		return LOOK_AGAIN;
	if (record && entry_read(record->entry, &there) && there == thread->fs_base)
		return LOOK_AGAIN;
	record_forget(record);
	record_forget(record_of_entry(space, entry));
	record = record_make(space, entry, thread->fs_base);
	if (!record)
		return NO_ENTRY;
	thread->lane = record->lane;
	thread->born = rdtsc_ordered();
	if (entry_write(entry, thread))
		return LOOK_AGAIN;
	record_forget(record);
	return NO_ENTRY;
}

static bool entry_is_sane(const struct instr_space *space, u64 entry)
{
	u64 frames = READ_ONCE(space->control.frames) & ~INSTR_FRAMES_OPEN;

	return frames && entry >= frames && entry - frames < INSTR_THREADS_LEN &&
	       (entry - frames) % sizeof(struct instr_thread) == 0;
}

static bool fs_base_is_sane(u64 fs_base)
{
	return fs_base && !(fs_base & INSTR_THREAD_LEFT);
}

/* A vfork child has its parent's FS base, but not its end. */
static unsigned long thread_register(struct instr_space *space, struct pt_regs *regs)
{
	struct instr_thread thread = { .fs_base = x86_fsbase_read_cpu() };
	unsigned long ret;
	bool known;

	if (!entry_is_sane(space, regs->di) || !fs_base_is_sane(thread.fs_base) ||
	    current->vfork_done)
		return NO_ENTRY;
	known = stack_find(current->mm, regs->sp, thread.fs_base, &thread);
	spin_lock(&threads_lock);
	space->threads.busy = known ? 0 : space->threads.busy + 1;
	if (!known && space->threads.busy < STACK_TRIES)
		ret = LOOK_AGAIN;
	else
		ret = register_locked(space, regs->di, &thread);
	spin_unlock(&threads_lock);
	return ret;
}

bool instr_thread_trap(struct pt_regs *regs, unsigned long vaddr)
{
	struct instr_space *space;
	int ours = 0;

	if (offset_in_page(vaddr) != INSTR_THREAD_TRAP)
		return false;
	rcu_read_lock();
	space = instr_space_find_slab_trap(current->mm, vaddr);
	if (space)
		regs->ax = thread_register(space, regs);
	else
		ours = instr_slab_has_trap(vaddr);
	rcu_read_unlock();
	/* Nobody's: the session is gone, or this is a child that has none. */
	if (ours > 0)
		regs->ax = NO_ENTRY;
	/* It can't be told now: once more. */
	if (ours < 0)
		regs->ip = vaddr;
	return space || ours;
}

/* ---- birth and end --------------------------------------------------------------- */

void instr_thread_birth(struct instr_space *space, struct task_struct *child)
{
	u64 fs_base = child->thread.fsbase, there;
	struct thread_record *record;

	if (!fs_base || fs_base == x86_fsbase_read_cpu())
		return;
	spin_lock(&threads_lock);
	record = record_of_fs(space, fs_base);
	if (record && entry_read(record->entry, &there) && there == fs_base)
		entry_leave(record->entry, fs_base);
	record_forget(record);
	spin_unlock(&threads_lock);
}

void instr_thread_exit(struct task_struct *task)
{
	struct thread_record *record;
	struct hlist_node *next;

	spin_lock(&threads_lock);
	hash_for_each_possible_safe(records_by_task, record, next, by_task,
				    (unsigned long)task)
		if (record->task == task)
			record_end(record);
	spin_unlock(&threads_lock);
}

void instr_threads_clear(struct instr_space *space)
{
	struct thread_record *record;
	struct hlist_node *next;
	int i;

	if (!space->frames)
		return;
	for (i = 0; i < INSTR_THREADS_HASH; i++) {
		spin_lock(&threads_lock);
		hlist_for_each_entry_safe(record, next, &space->threads.by_fs[i], by_fs)
			record_forget(record);
		spin_unlock(&threads_lock);
	}
}

/* ---- who lives ------------------------------------------------------------------- */

u32 instr_threads_read(struct instr_space *space, u64 *fs_base, u32 nr)
{
	struct task_struct *leader, *thread;
	u32 found = 0;

	rcu_read_lock();
	leader = pid_task(space->tgid, PIDTYPE_TGID);
	if (leader)
		for_each_thread(leader, thread) {
			if (READ_ONCE(thread->mm) != space->mm)
				continue;
			if (found < nr)
				fs_base[found] = thread == current ?
						 x86_fsbase_read_cpu() :
						 READ_ONCE(thread->thread.fsbase);
			found++;
		}
	rcu_read_unlock();
	return found;
}
