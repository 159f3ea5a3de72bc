// SPDX-License-Identifier: GPL-2.0
/*
 * Frames: where the code of a space's slabs keeps what it knows of functions that were
 * entered and not left yet.
 *
 * One file, of which nothing is ever used but its name: it says which mappings are
 * frames. As slabs are, they are never unmapped. Those of a session that is gone serve
 * the next one. Two sessions may have spaces in one process, so a space claims them
 * before it touches them.
 */

#include "frames.h"

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/tsc.h>

#include "overlay.h"
#include "slab.h"
#include "space.h"
#include "thread.h"

static struct file *frames_rw, *frames_ro;
/* Of space->frames. */
static DEFINE_SPINLOCK(frames_lock);

u32 instr_frames_khz(void)
{
	if (check_tsc_unstable() || !boot_cpu_has(X86_FEATURE_FSGSBASE))
		return 0;
	return tsc_khz;
}

/* ---- whose they are -------------------------------------------------------------- */

struct frames_claim {
	const struct instr_space *space;
	unsigned long vaddr;
	bool taken;
};

static void claim_check(struct instr_space *space, void *data)
{
	struct frames_claim *claim = data;

	claim->taken |= space != claim->space && space->frames == claim->vaddr;
}

/* False: they are those of another space. */
static bool frames_claim(struct instr_space *space, unsigned long vaddr)
{
	struct frames_claim claim = { .space = space, .vaddr = vaddr };

	rcu_read_lock();
	spin_lock(&frames_lock);
	instr_space_for_each(space->mm, claim_check, &claim);
	if (!claim.taken)
		space->frames = vaddr;
	spin_unlock(&frames_lock);
	rcu_read_unlock();
	return !claim.taken;
}

void instr_frames_release(struct instr_space *space)
{
	spin_lock(&frames_lock);
	space->frames = 0;
	spin_unlock(&frames_lock);
}

/* ---- where they are -------------------------------------------------------------- */

static bool vma_is_frames(const struct vm_area_struct *vma, u64 len)
{
	return vma->vm_file == frames_ro && !vma->vm_pgoff &&
	       vma->vm_end - vma->vm_start == len;
}

/* Claims what an earlier session left in current->mm. */
static bool frames_find(struct instr_space *space, u64 len)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool found = false;
	VMA_ITERATOR(vmi, mm, 0);

	mmap_read_lock(mm);
	for_each_vma(vmi, vma) {
		found = vma_is_frames(vma, len) && frames_claim(space, vma->vm_start);
		if (found)
			break;
	}
	mmap_read_unlock(mm);
	return found;
}

static int frames_set_zero(unsigned long vaddr, u64 len)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool ours;

	mmap_write_lock(mm);
	vma = find_vma(mm, vaddr);
	ours = vma && vma->vm_start == vaddr && vma_is_frames(vma, len);
	if (ours)
		instr_vma_set_zero(vma);
	mmap_write_unlock(mm);
	return ours ? 0 : -EFAULT;
}

/* At @vaddr, in place of what is there, or with 0 anywhere. Returns where, or an errno. */
static long frames_mmap(unsigned long vaddr, u64 len)
{
	unsigned long fixed = vaddr ? MAP_FIXED : 0, mapped;
	int err = instr_vma_check_zero();

	if (err)
		return err;
	mapped = vm_mmap(frames_ro, vaddr, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_NORESERVE | fixed, 0);
	if (IS_ERR_VALUE(mapped))
		return mapped;
	err = frames_set_zero(mapped, len);
	return err ?: (long)mapped;
}

/* A thread may be at work in those that are there: they are never unmapped. */
int instr_frames_map(struct instr_space *space, u64 len)
{
	long mapped;

	instr_threads_clear(space);
	frames_find(space, len);
	do {
		mapped = frames_mmap(space->frames, len);
		if (IS_ERR_VALUE(mapped))
			break;
		/* New ones: another session may have found them before us. */
	} while (!frames_claim(space, mapped));
	if (IS_ERR_VALUE(mapped)) {
		instr_frames_release(space);
		return mapped;
	}
	space->frames_len = len;
	return 0;
}

/* ---- what is said in them -------------------------------------------------------- */

/* Who reads finds a length that is not 0 only behind the start that belongs to it. */
static int entry_write(struct instr_slabs __user *table, u32 nr, u64 start, u64 len)
{
	int err = put_user(start, &table->slab[nr].start);

	barrier();
	return err ?: put_user(len, &table->slab[nr].len);
}

void instr_frames_tell_slabs(struct instr_space *space)
{
	struct instr_slabs __user *table =
		u64_to_user_ptr(space->frames + INSTR_THREADS_LEN);
	struct instr_slab *slab;
	u32 nr = 0;

	list_for_each_entry(slab, &space->slabs, node) {
		if (!slab->overlay->frames_len)
			continue;
		/* The process may have removed them. */
		if (nr == INSTR_SLABS ||
		    entry_write(table, nr, slab->base + slab->overlay->slab_start,
				slab->overlay->code->code_len))
			return;
		nr++;
	}
}

/* ---- the file -------------------------------------------------------------------- */

const struct file *instr_frames_file(void)
{
	return frames_ro;
}

int instr_frames_init(void)
{
	return instr_memory_open("instr-frames", INSTR_TIMES_MAX, &frames_rw, &frames_ro);
}

void instr_frames_exit(void)
{
	fput(frames_ro);
	fput(frames_rw);
}
