// SPDX-License-Identifier: GPL-2.0
/*
 * Views: an address space of its own text.
 *
 * A view takes the place of the vm_operations of private file mappings. Faults on
 * patched pages are served from the edition, all others go to the file system.
 * vm_file, vm_pgoff and vm_private_data stay: to everybody else it is the mapping
 * of a file.
 *
 * Two laws:
 *
 *  - Pristine is always safe. Where there is any doubt (a write fault, a page
 *    beyond the end of the file, a poisoned page, no VM_EXEC) the file system
 *    decides.
 *  - A fork child gets the file system's operations back before it has a page
 *    table entry: view_open() runs before dup_mmap() copies any.
 *
 * All mappings of a file with the same base have the view, also those that aren't
 * executable: before 6.3 vma_merge() could remove a VMA between two that have no
 * ->close without telling us. VM_NOHUGEPAGE sets them apart from the rest, and
 * keeps huge pages away.
 */

#include "view.h"

#include <linux/dax.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/huge_mm.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/userfaultfd_k.h>

#include "edition.h"
#include "live.h"
#include "overlay.h"
#include "space.h"

struct workqueue_struct *instr_view_wq;

/*
 * Held while a file system's fault handler runs for us: it may drop the mmap lock
 * and sleep, while view, space and module go away.
 */
DEFINE_STATIC_SRCU(view_srcu);

static vm_fault_t view_fault(struct vm_fault *vmf);

struct instr_view *instr_vma_view(const struct vm_area_struct *vma)
{
	const struct vm_operations_struct *ops = READ_ONCE(vma->vm_ops);

	if (!ops || ops->fault != view_fault)
		return NULL;
	return container_of(ops, struct instr_view, ops);
}

bool instr_vma_is_plain(const struct vm_area_struct *vma)
{
	const struct vm_operations_struct *ops = vma->vm_ops;

	if (!vma->vm_file || !ops || !ops->fault)
		return false;
	if (vma->vm_flags & (VM_SHARED | VM_MAYSHARE | VM_IO | VM_PFNMAP |
			     VM_MIXEDMAP | VM_HUGETLB))
		return false;
	if (!S_ISREG(file_inode(vma->vm_file)->i_mode) ||
	    IS_DAX(file_inode(vma->vm_file)) ||
	    vma->vm_file->f_mapping != file_inode(vma->vm_file)->i_mapping ||
	    file_inode(vma->vm_file)->i_sb->s_magic == SECRETMEM_MAGIC)
		return false;
	return !ops->may_split && !ops->mremap && !ops->mprotect && !ops->access &&
	       !ops->name && !ops->pagesize && !ops->find_special_page &&
	       !userfaultfd_armed((struct vm_area_struct *)vma);
}

/* ---- faults --------------------------------------------------------------- */

/* The edition that a fault in this VMA is served from, or NULL. */
static const struct instr_edition *view_serves(struct instr_view *view,
					       struct vm_fault *vmf)
{
	if (!(vmf->vma->vm_flags & VM_EXEC))
		return NULL;
	return READ_ONCE(view->edition);
}

static struct page *view_page(struct instr_view *view, struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	const struct instr_patch *patch;
	struct page *page;

	if (vmf->flags & FAULT_FLAG_WRITE)
		return NULL;
	patch = instr_edition_find(view_serves(view, vmf), vmf->pgoff);
	if (!patch || vmf->pgoff >= DIV_ROUND_UP(i_size_read(inode), PAGE_SIZE))
		return NULL;
	page = view->space->traced ? patch->traced : patch->page;
	return PageHWPoison(page) ? NULL : page;
}

/* Is a patched page within what a huge page at this address would cover? */
static bool view_is_near(const struct instr_edition *edition, struct vm_fault *vmf)
{
	unsigned long in_vma = (vmf->address & HPAGE_PMD_MASK) - vmf->vma->vm_start;
	pgoff_t first = vmf->vma->vm_pgoff + (long)in_vma / (long)PAGE_SIZE;
	u32 i;

	if ((long)in_vma < 0)
		first = vmf->vma->vm_pgoff;
	i = instr_edition_lower(edition, first);
	return i < edition->nr && edition->patch[i].pgoff < first + HPAGE_PMD_NR;
}

/*
 * The file system returned a part of a huge page, and nothing is mapped around it
 * yet: the kernel may map it whole, over patched pages, before 6.3 even against
 * VM_NOHUGEPAGE. Give it a small copy instead. tmpfs and XFS only.
 */
static vm_fault_t view_split(struct vm_fault *vmf, vm_fault_t ret)
{
	struct page *copy = alloc_page(GFP_KERNEL), *huge = vmf->page;

	if (copy) {
		memcpy(page_address(copy), page_address(huge), PAGE_SIZE);
		copy->index = vmf->pgoff;
	}
	if (ret & VM_FAULT_LOCKED)
		unlock_page(huge);
	put_page(huge);
	vmf->page = copy;
	return copy ? ret & ~VM_FAULT_LOCKED : VM_FAULT_OOM;
}

static vm_fault_t view_fault(struct vm_fault *vmf)
{
	struct instr_view *view = instr_vma_view(vmf->vma);
	const struct instr_edition *edition = view_serves(view, vmf);
	vm_fault_t ret;
	int idx;

	vmf->page = view_page(view, vmf);
	if (vmf->page) {
		get_page(vmf->page);
		return 0;
	}
	idx = srcu_read_lock(&view_srcu);
	ret = view->orig->fault(vmf);
	/* With RETRY the lock is gone, and with it perhaps view and VMA. */
	if (!(ret & (VM_FAULT_ERROR | VM_FAULT_RETRY | VM_FAULT_NOPAGE |
		     VM_FAULT_DONE_COW)) &&
	    !(vmf->flags & FAULT_FLAG_WRITE) && edition &&
	    compound_order(compound_head(vmf->page)) >= HPAGE_PMD_ORDER &&
	    !PageHWPoison(vmf->page) && view_is_near(edition, vmf))
		ret = view_split(vmf, ret);
	srcu_read_unlock(&view_srcu, idx);
	return ret;
}

/* Fault-around: only up to the next patched page on either side. */
static vm_fault_t view_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	struct instr_view *view = instr_vma_view(vmf->vma);
	const struct instr_edition *edition = view_serves(view, vmf);
	vm_fault_t ret;
	int idx;
	u32 i;

	if (edition && edition->nr) {
		/* Again: no huge page may be put over patched pages. */
		if (pmd_none(*vmf->pmd) &&
		    mapping_large_folio_support(vmf->vma->vm_file->f_mapping))
			return 0;
		i = instr_edition_lower(edition, vmf->pgoff);
		if (i < edition->nr) {
			if (edition->patch[i].pgoff == vmf->pgoff)
				return 0;
			end = min(end, edition->patch[i].pgoff - 1);
		}
		if (i)
			start = max(start, edition->patch[i - 1].pgoff + 1);
	}
	idx = srcu_read_lock(&view_srcu);
	ret = view->orig->map_pages(vmf, start, end);
	srcu_read_unlock(&view_srcu, idx);
	return ret;
}

/* ---- the life of a VMA ---------------------------------------------------- */

/* The file's data, which has private pages always, may have the same base as its text. */
bool instr_view_may_copy(const struct instr_view *view, struct vm_area_struct *vma)
{
	return vma->anon_vma &&
	       instr_overlay_has_changed(view->overlay, vma->vm_pgoff, vma_pages(vma));
}

/*
 * A child whose parent has private copies of text inherits them, patched bytes
 * included: it needs the traps, and no edition. All else that the parent shows
 * must not be copied.
 */
static void view_open_fork(struct instr_view *view, struct vm_area_struct *vma)
{
	struct instr_view *child;

	/* With neither, dup_mmap() copies no page table that shows anything of ours. */
	if (!instr_view_may_copy(view, vma) && !userfaultfd_wp(vma)) {
		vma->vm_ops = view->orig;
		vm_flags_clear(vma, VM_NOHUGEPAGE);
		return;
	}
	instr_overlay_zap(view->overlay, view->edition, NULL);
	child = instr_space_fork(view, vma->vm_mm);
	vma->vm_ops = &child->ops;
	refcount_inc(&child->vmas);
	instr_view_drop(child);
}

static void view_open(struct vm_area_struct *vma)
{
	struct instr_view *view = instr_vma_view(vma);

	if (vma->vm_mm == view->space->mm)
		refcount_inc(&view->vmas);	/* a split, or mremap's copy */
	else
		view_open_fork(view, vma);
	if (view->orig->open)
		view->orig->open(vma);
}

static void view_close(struct vm_area_struct *vma)
{
	struct instr_view *view = instr_vma_view(vma);

	if (view->orig->close)
		view->orig->close(vma);
	instr_view_drop(view);
}

/*
 * Text that moved is too far from its slab, and its page tables have moved along
 * already. @vma may also be one that was there, and was extended.
 */
static int view_mremap(struct vm_area_struct *vma)
{
	struct instr_view *view = instr_vma_view(vma);

	unmap_mapping_pages(vma->vm_file->f_mapping, vma->vm_pgoff, vma_pages(vma),
			    false);
	if (view && view->base != instr_vma_base(vma))
		instr_view_uninstall(view, vma);
	return 0;
}

void instr_view_install(struct instr_view *view, struct vm_area_struct *vma)
{
	refcount_inc(&view->vmas);
	vm_flags_set(vma, VM_NOHUGEPAGE);
	WRITE_ONCE(vma->vm_ops, &view->ops);
}

void instr_view_uninstall(struct instr_view *view, struct vm_area_struct *vma)
{
	vm_flags_clear(vma, VM_NOHUGEPAGE);
	WRITE_ONCE(vma->vm_ops, view->orig);
	instr_view_drop(view);
}

/* ---- the life of a view --------------------------------------------------- */

struct instr_view *instr_view_create(struct instr_space *space,
				     struct instr_overlay *overlay,
				     const struct vm_operations_struct *orig,
				     unsigned long base)
{
	/* Small, and a fork can't be refused for it. */
	struct instr_view *view = kzalloc(sizeof(*view), GFP_KERNEL | __GFP_NOFAIL);

	view->ops = *orig;
	view->ops.fault = view_fault;
	view->ops.map_pages = orig->map_pages ? view_map_pages : NULL;
	view->ops.huge_fault = NULL;
	view->ops.open = view_open;
	view->ops.close = view_close;
	view->ops.mremap = view_mremap;
	view->orig = orig;
	view->base = base;
	instr_overlay_get(overlay);
	view->overlay = overlay;
	instr_space_get(space);
	view->space = space;
	refcount_set(&view->vmas, 1);
	/* We are called by somebody who holds the module. */
	__module_get(THIS_MODULE);
	atomic_inc(&instr_live.views);
	instr_space_add(space, view);
	return view;
}

static void view_free(struct work_struct *work)
{
	struct instr_view *view = container_of(to_rcu_work(work), struct instr_view,
					       free);

	instr_overlay_put(view->overlay);
	instr_space_put(view->space);
	kfree(view);
	atomic_dec(&instr_live.views);
	module_put(THIS_MODULE);
}

void instr_view_drop(struct instr_view *view)
{
	if (!refcount_dec_and_test(&view->vmas))
		return;
	instr_space_del(view->space, view);
	/* A trap handler may be looking at it. */
	INIT_RCU_WORK(&view->free, view_free);
	queue_rcu_work(instr_view_wq, &view->free);
}

int instr_view_init(void)
{
	instr_view_wq = alloc_workqueue("instr", WQ_UNBOUND, 0);
	return instr_view_wq ? 0 : -ENOMEM;
}

void instr_view_flush(void)
{
	int i;

	/* Works that are queued by RCU callbacks, and what those queue in turn. */
	for (i = 0; i < 2; i++) {
		rcu_barrier();
		flush_workqueue(instr_view_wq);
	}
}

void instr_view_exit(void)
{
	instr_view_flush();
	destroy_workqueue(instr_view_wq);
	/* Fault handlers that sleep in a file system, and their last few steps. */
	synchronize_srcu(&view_srcu);
	synchronize_rcu_tasks();
	rcu_barrier();
	instr_code_exit();
}
