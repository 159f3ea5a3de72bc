/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_THREAD_H
#define INSTR_THREAD_H

#include <linux/bitmap.h>
#include <linux/instr.h>
#include <linux/list.h>
#include <linux/types.h>

struct instr_space;
struct pt_regs;
struct task_struct;

#define INSTR_THREADS_HASH	64

/**
 * struct instr_threads - the threads of a space that have an entry in its frames
 * @by_fs: records by FS base
 * @by_entry: the same by number of the entry: there is one record for each
 * @lanes: those that a live thread has
 * @busy: how often, one after the other, somebody's stack could not be looked up
 *
 * Under a lock of its own, as all that is said of threads is.
 */
struct instr_threads {
	struct hlist_head by_fs[INSTR_THREADS_HASH];
	struct hlist_head by_entry[INSTR_THREADS_HASH];
	DECLARE_BITMAP(lanes, INSTR_LANES);
	u32 busy;
};

/*
 * The current thread hit a trap at @vaddr. True: it asks for an entry, and has its
 * answer in @regs. With interrupts off.
 */
bool instr_thread_trap(struct pt_regs *regs, unsigned long vaddr);

/* The current thread made @child, which shares its address space. Atomic. */
void instr_thread_birth(struct instr_space *space, struct task_struct *child);
/* It will not run in user mode any more. Atomic. */
void instr_thread_exit(struct task_struct *task);

/* Forgets all of a space. */
void instr_threads_clear(struct instr_space *space);

/* FS bases of those that live, the first @nr of them. Returns how many there are. */
u32 instr_threads_read(struct instr_space *space, u64 *fs_base, u32 nr);

#endif
