// SPDX-License-Identifier: GPL-2.0
#include "page.h"

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

/* Whether there may be a page; *next: where the next may be. No page gets there by it. */
static bool page_is_there(struct mm_struct *mm, unsigned long vaddr, unsigned long *next)
{
	pgd_t *pgd = pgd_offset(mm, vaddr);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t pmd;
	pte_t pte;

	*next = (vaddr & PGDIR_MASK) + PGDIR_SIZE;
	if (pgd_none(*pgd))
		return false;
	p4d = p4d_offset(pgd, vaddr);
	*next = (vaddr & P4D_MASK) + P4D_SIZE;
	if (p4d_none(*p4d))
		return false;
	pud = pud_offset(p4d, vaddr);
	*next = (vaddr & PUD_MASK) + PUD_SIZE;
	if (pud_none(*pud))
		return false;
	pmd = READ_ONCE(*pmd_offset(pud, vaddr));
	*next = (vaddr & PMD_MASK) + PMD_SIZE;
	if (pmd_none(pmd))
		return false;
	*next = (vaddr & PAGE_MASK) + PAGE_SIZE;
	if (!pmd_present(pmd) || pmd_leaf(pmd))
		return true;
	pte = READ_ONCE(*pte_offset_kernel(&pmd, vaddr));
	return !pte_none(pte);
}

bool instr_page_is_there(struct mm_struct *mm, unsigned long vaddr)
{
	unsigned long next;
	bool there;

	rcu_read_lock();
	there = page_is_there(mm, vaddr, &next);
	rcu_read_unlock();
	return there;
}

struct page *instr_page_get(struct mm_struct *mm, const struct file *file,
			    unsigned long vaddr, unsigned long *next)
{
	struct vm_area_struct *vma = find_vma(mm, vaddr);
	struct page *page;
	bool there;

	/* The process may have removed it. */
	if (!vma || vma->vm_start > vaddr || vma->vm_file != file) {
		*next = !vma ? TASK_SIZE_MAX :
			vma->vm_start > vaddr ? vma->vm_start : vma->vm_end;
		return NULL;
	}
	rcu_read_lock();
	there = page_is_there(mm, vaddr, next);
	rcu_read_unlock();
	if (!there || get_user_pages_remote(mm, vaddr, 1, FOLL_FORCE, &page, NULL) != 1)
		return NULL;
	/* Others are all zeros, of nobody or of the file; or it went bad. */
	if (PageAnon(page) && !PageHWPoison(page))
		return page;
	put_page(page);
	return NULL;
}
