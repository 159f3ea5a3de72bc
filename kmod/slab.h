/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_SLAB_H
#define INSTR_SLAB_H

#include <linux/instr.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct file;
struct page;

struct inode;
struct vm_area_struct;

/* What makes two slabs one: the same code, or none, at each place. */
struct instr_code_key {
	dev_t dev;
	unsigned long ino;
	u32 generation;
	s64 slab_start, annex_start;
	u64 code_len, data_len, kept_len, annex_len, times_len;
	s64 slots_start;
	u64 nr_slots;
	u64 layout;		/* 0: like no other */
};

/**
 * struct instr_code - the code of a slab, shared by all processes
 * @node: in the list of all, whose readers use RCU
 * @users: overlays. With none it is kept while a process still maps it
 *
 * A shmem file, [code][data][kept][annex][a hole][times]. Code, that of the annex too,
 * is appended to through the page cache; processes map it by @ro, so that it can't be
 * made writable, and privately, so that a debugger can set breakpoints of its own. Data
 * and times have nothing of the file but their name. What is kept is data as well, which a
 * fork child inherits: that part of the file stays empty.
 *
 * No code of this module stands behind the file: it may outlive the module.
 */
struct instr_code {
	struct list_head node;
	struct instr_code_key key;
	unsigned int users;
	struct file *rw, *ro;
	u64 code_len, data_len, kept_len, annex_len, times_len;
	struct rcu_head rcu;
};

/*
 * Opens a sealed shmem file of @len bytes, twice: processes map it by @ro, so that it can't
 * be made writable.
 */
int instr_memory_open(const char *name, u64 len, struct file **rw, struct file **ro);

/* The one with that key, or a new one. */
struct instr_code *instr_code_get(const struct instr_code_key *key);
void instr_code_put(struct instr_code *code);
/* Before nobody answers traps any more: there are none. */
void instr_code_silence(void);
/* Forgets those that are kept; processes go on with them. */
void instr_code_exit(void);

/* Bytes of memory that its code takes. */
u64 instr_code_memory(const struct instr_code *code);

/* Bytes of code, the annex included: what the offsets below are less than. */
u64 instr_code_len(const struct instr_code *code);

/* Appends @len bytes; -EEXIST and no change if that would alter a byte. */
int instr_code_append(struct instr_code *code, u64 offset, const u8 *bytes, size_t len);

/* Copies @len bytes from @offset on to user space. */
int instr_code_read(struct instr_code *code, u64 offset, u8 __user *to, size_t len);

/**
 * instr_slab_map - map code, data and annex in current->mm
 * @base: what their positions are relative to
 *
 * No lock may be held. -EEXIST: a place is taken. The mappings are never
 * removed again by this module once this has succeeded: bytes of ours may refer
 * to them for as long as the address space lives.
 */
int instr_slab_map(struct instr_code *code, unsigned long base);

/* Is a slab of @code still mapped in current->mm, as far as we can tell? All of it. */
bool instr_slab_is_mapped(struct instr_code *code, unsigned long base);
/* Takes over one that is, from a space that is gone. Its counters become 0. */
int instr_slab_adopt(struct instr_code *code, unsigned long base);

/* Where the data, and the times, of a slab lie that is mapped at @base. */
unsigned long instr_slab_data(const struct instr_code *code, unsigned long base);
unsigned long instr_slab_times(const struct instr_code *code, unsigned long base);

/*
 * Makes a private mapping, before anything is in it, memory that begins as zeros, here
 * and in a fork child, and is taken page by page. mmap_write_lock() is held.
 */
void instr_vma_set_zero(struct vm_area_struct *vma);
/* -EAGAIN: new mappings of current->mm are filled with memory at once. */
int instr_vma_check_zero(void);

/*
 * Is there the trap of a slab at @vaddr (INSTR_THREAD_TRAP)? 1: yes, 0: no, -EAGAIN: it
 * can't be told now. For current->mm, under RCU, with interrupts off.
 */
int instr_slab_has_trap(unsigned long vaddr);

/*
 * The page of its control block, in which the first counters are, too: pinned, so that it can
 * be written to from anywhere. In the slab's address space, which is current->mm. May sleep.
 */
int instr_slab_pin(struct instr_code *code, unsigned long base, struct page **page);
void instr_slab_unpin(struct page *page);
/* Makes the control block what is given, but for the frames. Atomic. */
void instr_slab_control(struct page *page, const struct instr_control *control);
void instr_slab_frames(struct page *page, u64 frames);

#endif
