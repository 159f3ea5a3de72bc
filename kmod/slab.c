// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs: what an instrumented process needs beside its text.
 *
 * Code is immortal. A page that a debugger copied, a return address, a saved
 * context may lead into a slab long after its probe is gone, so a byte of code
 * is written once, and a mapping of it is never taken away.
 *
 * Data, and times, are private to one process, and take memory where they need it
 * (keep.c). They are what a private mapping of /dev/zero is, anonymous memory that has a
 * file all the same, by which it is found again. A page that is only read costs nothing,
 * and one that is written no second one in the file. VM_WIPEONFORK makes a fork child
 * begin with zeros, and keeps the parent's pages from being shared with it, so that a page
 * pinned here stays the one that the process has.
 */

#include "slab.h"

#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <uapi/linux/fcntl.h>
#include <asm/text-patching.h>

#include "live.h"
#include "page.h"

#define SLAB_NOP	0x90

/* All codes, used or kept. */
static LIST_HEAD(codes);
static DEFINE_MUTEX(codes_lock);

/* Where the times begin: what lies before them in a process does not end there. */
static u64 code_times_offset(const struct instr_code *code)
{
	return code->code_len + code->data_len + code->kept_len + code->annex_len +
	       PAGE_SIZE;
}

static u64 code_total_len(const struct instr_code *code)
{
	return code_times_offset(code) + code->times_len;
}

int instr_memory_open(const char *name, u64 len, struct file **rw, struct file **ro)
{
	*rw = shmem_file_setup(name, len, VM_NORESERVE);
	if (IS_ERR(*rw))
		return PTR_ERR(*rw);
	*ro = dentry_open(&(*rw)->f_path, O_RDONLY | O_LARGEFILE, current_cred());
	if (IS_ERR(*ro)) {
		fput(*rw);
		return PTR_ERR(*ro);
	}
	SHMEM_I(file_inode(*rw))->seals |= F_SEAL_SEAL | F_SEAL_SHRINK |
					   F_SEAL_GROW | F_SEAL_WRITE |
					   F_SEAL_FUTURE_WRITE;
	return 0;
}

static struct instr_code *code_create(const struct instr_code_key *key)
{
	struct instr_code *code = kzalloc(sizeof(*code), GFP_KERNEL);
	int err;

	if (!code)
		return ERR_PTR(-ENOMEM);
	code->key = *key;
	code->code_len = key->code_len;
	code->data_len = key->data_len;
	code->kept_len = key->kept_len;
	code->annex_len = key->annex_len;
	code->times_len = key->times_len;
	/* perf asks for names of code (/tmp/perf-PID.map) only where it is /dev/zero's. */
	err = instr_memory_open("dev/zero:instr-slab", code_total_len(code), &code->rw,
				&code->ro);
	if (err) {
		kfree(code);
		return ERR_PTR(err);
	}
	list_add_rcu(&code->node, &codes);
	return code;
}

/*
 * The trap by which threads ask for an entry becomes a nop. A process that keeps the
 * mapping may have one that is about to run into it.
 */
static void code_silence(struct instr_code *code)
{
	struct page *page;
	u8 *trap;

	if (!code->times_len)
		return;
	page = shmem_read_mapping_page(code->rw->f_mapping, 0);
	if (IS_ERR(page))
		return;
	trap = (u8 *)page_address(page) + INSTR_THREAD_TRAP;
	if (*trap == INT3_INSN_OPCODE)
		WRITE_ONCE(*trap, SLAB_NOP);
	set_page_dirty(page);
	put_page(page);
}

static void code_destroy(struct instr_code *code)
{
	code_silence(code);
	/* For traps that are under way: they find it. */
	if (code->times_len)
		synchronize_rcu();
	list_del_rcu(&code->node);
	fput(code->ro);
	fput(code->rw);
	kfree_rcu(code, rcu);
}

void instr_code_silence(void)
{
	struct instr_code *code;

	mutex_lock(&codes_lock);
	list_for_each_entry(code, &codes, node)
		code_silence(code);
	mutex_unlock(&codes_lock);
	synchronize_rcu();
}

/* Each mapping holds @ro; without one nobody can come back to it. */
static void codes_prune(void)
{
	struct instr_code *code, *next;

	lockdep_assert_held(&codes_lock);
	list_for_each_entry_safe(code, next, &codes, node)
		if (!code->users && (!code->key.layout || file_count(code->ro) == 1))
			code_destroy(code);
}

static struct instr_code *codes_find(const struct instr_code_key *key)
{
	struct instr_code *code;

	list_for_each_entry(code, &codes, node)
		if (key->layout && code->key.layout == key->layout &&
		    code->key.dev == key->dev && code->key.ino == key->ino &&
		    code->key.generation == key->generation &&
		    code->key.slab_start == key->slab_start &&
		    code->key.code_len == key->code_len &&
		    code->key.data_len == key->data_len &&
		    code->key.kept_len == key->kept_len &&
		    code->key.annex_start == key->annex_start &&
		    code->key.annex_len == key->annex_len &&
		    code->key.times_len == key->times_len &&
		    code->key.slots_start == key->slots_start &&
		    code->key.nr_slots == key->nr_slots)
			return code;
	return NULL;
}

struct instr_code *instr_code_get(const struct instr_code_key *key)
{
	struct instr_code *code;

	mutex_lock(&codes_lock);
	codes_prune();
	code = codes_find(key) ?: code_create(key);
	if (!IS_ERR(code))
		code->users++;
	mutex_unlock(&codes_lock);
	return code;
}

void instr_code_put(struct instr_code *code)
{
	mutex_lock(&codes_lock);
	code->users--;
	codes_prune();
	mutex_unlock(&codes_lock);
}

void instr_code_exit(void)
{
	struct instr_code *code, *next;

	mutex_lock(&codes_lock);
	list_for_each_entry_safe(code, next, &codes, node)
		code_destroy(code);
	mutex_unlock(&codes_lock);
}

/* ---- what is in the file ----------------------------------------------------- */

/* The parts of a slab, in the order in which they are mapped. */
enum slab_part { SLAB_CODE, SLAB_DATA, SLAB_KEPT, SLAB_ANNEX, SLAB_TIMES, SLAB_PARTS };

/* @offset: in the file; @position: see uapi/linux/instr.h */
struct slab_range {
	u64 offset, len;
	s64 position;
};

static struct slab_range slab_part(const struct instr_code *code, enum slab_part part)
{
	u64 kept = code->code_len + code->data_len, annex = kept + code->kept_len;
	s64 start = code->key.slab_start;
	const struct slab_range range[SLAB_PARTS] = {
		[SLAB_CODE] = { 0, code->code_len, start },
		[SLAB_DATA] = { code->code_len, code->data_len, start + code->code_len },
		[SLAB_KEPT] = { kept, code->kept_len, start + kept },
		[SLAB_ANNEX] = { annex, code->annex_len, code->key.annex_start },
		[SLAB_TIMES] = { code_times_offset(code), code->times_len, start + annex },
	};

	return range[part];
}

u64 instr_code_memory(const struct instr_code *code)
{
	return (u64)READ_ONCE(file_inode(code->rw)->i_mapping->nrpages) << PAGE_SHIFT;
}

u64 instr_code_len(const struct instr_code *code)
{
	return code->code_len + code->annex_len;
}

/* Where in the file byte @offset of the code lies. All of its page is code. */
static u64 code_file_offset(const struct instr_code *code, u64 offset)
{
	if (offset < code->code_len)
		return offset;
	return slab_part(code, SLAB_ANNEX).offset + offset - code->code_len;
}

/* Would @bytes change a byte that is not zero? With @write, store them. */
static int page_append(u8 *at, const u8 *bytes, size_t len, bool write)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (!bytes[i] || at[i] == bytes[i])
			continue;
		if (at[i])
			return -EEXIST;
		if (write)
			at[i] = bytes[i];
	}
	return 0;
}

static int code_append_pass(struct instr_code *code, u64 offset, const u8 *bytes,
			    size_t len, bool write)
{
	struct address_space *mapping = code->rw->f_mapping;

	while (len) {
		size_t in = offset_in_page(offset);
		size_t part = min_t(size_t, len, PAGE_SIZE - in);
		struct page *page;
		int err;

		page = shmem_read_mapping_page(mapping,
					       code_file_offset(code, offset) >> PAGE_SHIFT);
		if (IS_ERR(page))
			return PTR_ERR(page);
		err = page_append((u8 *)page_address(page) + in, bytes, part, write);
		if (write)
			set_page_dirty(page);
		put_page(page);
		if (err)
			return err;
		offset += part;
		bytes += part;
		len -= part;
	}
	return 0;
}

int instr_code_append(struct instr_code *code, u64 offset, const u8 *bytes, size_t len)
{
	int err;

	/* The first pass also allocates the pages: the second finds them. */
	err = code_append_pass(code, offset, bytes, len, false);
	if (!err)
		err = code_append_pass(code, offset, bytes, len, true);
	return err;
}

/* Holes read as zeros, and stay holes. */
int instr_code_read(struct instr_code *code, u64 offset, u8 __user *to, size_t len)
{
	u8 *buffer = (u8 *)__get_free_page(GFP_KERNEL);
	ssize_t got = buffer ? 0 : -ENOMEM;

	while (len && got >= 0) {
		size_t part = min_t(size_t, len, PAGE_SIZE - offset_in_page(offset));
		loff_t pos = code_file_offset(code, offset);

		got = kernel_read(code->rw, buffer, part, &pos);
		if (!got || (got > 0 && copy_to_user(to, buffer, got)))
			got = -EFAULT;
		if (got > 0) {
			offset += got;
			to += got;
			len -= got;
		}
		cond_resched();
	}
	free_page((unsigned long)buffer);
	return got < 0 ? got : 0;
}

/* ---- what is in a process ---------------------------------------------------- */

static struct vm_area_struct *slab_find_vma(struct instr_code *code, unsigned long base,
					    enum slab_part part)
{
	struct slab_range at = slab_part(code, part);
	unsigned long vaddr = base + at.position;
	struct vm_area_struct *vma = find_vma(current->mm, vaddr);

	if (!vma || vma->vm_start > vaddr || vma->vm_file != code->ro ||
	    vma->vm_end - vaddr < at.len)
		return NULL;
	if (((vaddr - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff !=
	    at.offset >> PAGE_SHIFT)
		return NULL;
	return vma;
}

/*
 * VM_DONTEXPAND: it is one with no other mapping, ever, and mlockall() leaves the flags
 * as they are; VM_LOCKONFAULT: and does not fill it.
 */
void instr_vma_set_zero(struct vm_area_struct *vma)
{
	vma_start_write(vma);
	vm_flags_set(vma, VM_WIPEONFORK | VM_DONTDUMP | VM_NOHUGEPAGE | VM_DONTEXPAND |
			  VM_LOCKONFAULT);
	vma_set_anonymous(vma);
}

int instr_vma_check_zero(void)
{
	unsigned long flags = READ_ONCE(current->mm->def_flags);

	return (flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED ? -EAGAIN : 0;
}

static bool vma_has_trap(const struct vm_area_struct *vma, unsigned long vaddr)
{
	struct instr_code *code;

	if (!vma || vma->vm_start != (vaddr & PAGE_MASK) || vma->vm_pgoff)
		return false;
	list_for_each_entry_rcu(code, &codes, node)
		if (code->times_len && code->ro == vma->vm_file)
			return true;
	return false;
}

int instr_slab_has_trap(unsigned long vaddr)
{
	struct mm_struct *mm = current->mm;
	bool ours;

	if (list_empty(&codes))
		return 0;
	if (!mmap_read_trylock(mm))
		return -EAGAIN;
	ours = vma_has_trap(find_vma(mm, vaddr), vaddr);
	mmap_read_unlock(mm);
	return ours;
}

unsigned long instr_slab_data(const struct instr_code *code, unsigned long base)
{
	return base + slab_part(code, SLAB_DATA).position;
}

unsigned long instr_slab_times(const struct instr_code *code, unsigned long base)
{
	return base + slab_part(code, SLAB_TIMES).position;
}

bool instr_slab_is_mapped(struct instr_code *code, unsigned long base)
{
	struct mm_struct *mm = current->mm;
	bool mapped = true;
	int part;

	mmap_read_lock(mm);
	for (part = 0; part < SLAB_PARTS; part++)
		mapped &= !slab_part(code, part).len || slab_find_vma(code, base, part);
	mmap_read_unlock(mm);
	return mapped;
}

/* Before anything is in the pages: a fork must not share them. */
static int part_set_zero(struct instr_code *code, unsigned long base,
			 enum slab_part part)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;

	mmap_write_lock(mm);
	vma = slab_find_vma(code, base, part);
	if (vma)
		instr_vma_set_zero(vma);
	mmap_write_unlock(mm);
	return vma ? 0 : -EFAULT;
}

static bool ranges_meet(unsigned long a, unsigned long a_end, unsigned long b,
			unsigned long b_end)
{
	return a < b_end && b < a_end;
}

/*
 * Free today is not enough: the heap grows upwards from its start, which is up to
 * 1 GiB behind the program, and the stack downwards from its own.
 */
static bool slab_is_in_the_way(unsigned long vaddr, u64 len)
{
	struct mm_struct *mm = current->mm;
	unsigned long heap = READ_ONCE(mm->start_brk);
	unsigned long stack = READ_ONCE(mm->start_stack);
	/* Below its base mmap() places what it likes, the stack or not. */
	unsigned long lowest = max(READ_ONCE(mm->mmap_base),
				   stack - min(stack, SZ_1G * 1UL));

	return ranges_meet(vaddr, vaddr + len, heap, heap + SZ_256M) ||
	       ranges_meet(vaddr, vaddr + len, lowest, stack);
}

/* The annex may find no place where all the others do: ask before any is mapped. */
static int slab_check_part(struct instr_code *code, unsigned long base,
			   enum slab_part part)
{
	struct slab_range at = slab_part(code, part);
	unsigned long vaddr = base + at.position;

	if (!at.len)
		return 0;
	if (vaddr < SZ_64K || vaddr >= TASK_SIZE_MAX || at.len > TASK_SIZE_MAX - vaddr)
		return -ERANGE;
	return slab_is_in_the_way(vaddr, at.len) ? -EEXIST : 0;
}

static void slab_unmap_part(struct instr_code *code, unsigned long base,
			    enum slab_part part)
{
	struct slab_range at = slab_part(code, part);

	if (at.len)
		vm_munmap(base + at.position, at.len);
}

static int slab_map_part(struct instr_code *code, unsigned long base,
			 enum slab_part part)
{
	bool is_code = part == SLAB_CODE || part == SLAB_ANNEX;
	unsigned long prot = PROT_READ | (is_code ? PROT_EXEC : PROT_WRITE);
	unsigned long flags = part == SLAB_TIMES ? MAP_NORESERVE : 0;
	struct slab_range at = slab_part(code, part);
	unsigned long mapped;
	int err = 0;

	if (!at.len)
		return 0;
	if (part == SLAB_TIMES)
		err = instr_vma_check_zero();
	if (err)
		return err;
	mapped = vm_mmap(code->ro, base + at.position, at.len, prot,
			 MAP_PRIVATE | MAP_FIXED_NOREPLACE | flags, at.offset);
	if (IS_ERR_VALUE(mapped))
		return (int)mapped;
	/* Before what is kept comes behind it, which would become one with it. */
	if (part == SLAB_DATA || part == SLAB_TIMES)
		err = part_set_zero(code, base, part);
	if (err)
		slab_unmap_part(code, base, part);
	return err;
}

int instr_slab_map(struct instr_code *code, unsigned long base)
{
	int part, err = 0;

	for (part = 0; part < SLAB_PARTS && !err; part++)
		err = slab_check_part(code, base, part);
	if (err)
		return err;
	for (part = 0; part < SLAB_PARTS; part++) {
		err = slab_map_part(code, base, part);
		if (err)
			break;
	}
	if (!err)
		return 0;
	/* Those that we have mapped; nothing has been served yet that leads here. */
	while (part--)
		slab_unmap_part(code, base, part);
	return err;
}

/*
 * In place of what was there: a thread may be inside of the slab's code, and write to
 * its times at any time.
 */
static int times_replace(struct instr_code *code, unsigned long base)
{
	struct slab_range at = slab_part(code, SLAB_TIMES);
	unsigned long mapped;
	int err = at.len ? instr_vma_check_zero() : 0;

	if (!at.len || err)
		return err;
	mapped = vm_mmap(code->ro, base + at.position, at.len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, at.offset);
	if (IS_ERR_VALUE(mapped))
		return (int)mapped;
	return part_set_zero(code, base, SLAB_TIMES);
}

/*
 * Not by a new mapping, which would become one with what is kept behind it; and as the process
 * would: a page may be shared since a fork, if it wanted that (MADV_KEEPONFORK).
 */
static int data_clear(struct instr_code *code, unsigned long base)
{
	unsigned long start = instr_slab_data(code, base), vaddr, next;
	struct mm_struct *mm = current->mm;

	for (vaddr = start; vaddr - start < code->data_len; vaddr = next) {
		struct page *page;

		mmap_read_lock(mm);
		page = instr_page_get(mm, code->ro, vaddr, &next);
		mmap_read_unlock(mm);
		if (!page)
			continue;
		put_page(page);
		if (clear_user((void __user *)vaddr, PAGE_SIZE))
			return -EFAULT;
	}
	return 0;
}

int instr_slab_adopt(struct instr_code *code, unsigned long base)
{
	int err = part_set_zero(code, base, SLAB_DATA);

	if (!err)
		err = times_replace(code, base);
	if (!err)
		err = data_clear(code, base);
	return err;
}

/* ---- the control block ------------------------------------------------------- */

int instr_slab_pin(struct instr_code *code, unsigned long base, struct page **page)
{
	int pinned;

	/* They can't be reclaimed: processes must not be able to fill memory. */
	if (atomic64_read(&instr_live.pinned) >= totalram_pages() / 4)
		return -ENOMEM;
	pinned = pin_user_pages_fast(instr_slab_data(code, base), 1,
				     FOLL_WRITE | FOLL_LONGTERM, page);
	if (pinned != 1)
		return pinned ?: -EFAULT;
	atomic64_inc(&instr_live.pinned);
	return 0;
}

void instr_slab_unpin(struct page *page)
{
	unpin_user_pages_dirty_lock(&page, 1, true);
	atomic64_dec(&instr_live.pinned);
}

/*
 * Word by word, the gate last: the process reads it meanwhile. Its threads that
 * are looked for here are asleep, or have not run yet.
 */
void instr_slab_control(struct page *page, const struct instr_control *control)
{
	struct instr_control *to = page_address(page);
	int i;

	for (i = 0; i < ARRAY_SIZE(to->vfork); i++)
		if (READ_ONCE(to->vfork[i]) != control->vfork[i])
			WRITE_ONCE(to->vfork[i], control->vfork[i]);
	smp_wmb();
	WRITE_ONCE(to->gate, control->gate);
}

void instr_slab_frames(struct page *page, u64 frames)
{
	struct instr_control *to = page_address(page);

	/* It says that one need not look at the gate. */
	smp_wmb();
	WRITE_ONCE(to->frames, frames);
}
