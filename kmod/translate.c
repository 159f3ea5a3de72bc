// SPDX-License-Identifier: GPL-2.0
#include "translate.h"

#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/glob.h>
#include <linux/mm.h>

/* By their own text: valgrind's tools, QEMU, DynamoRIO, Pin. */
static const char *const translators[] = {
	"*-amd64-linux", "qemu-x86_64*", "libdynamorio.so*", "pinbin",
};

static bool file_translates(struct file *file)
{
	struct name_snapshot name;
	bool translates = false;
	int i;

	take_dentry_name_snapshot(&name, file->f_path.dentry);
	for (i = 0; i < ARRAY_SIZE(translators); i++)
		translates |= glob_match(translators[i], name.name.name);
	release_dentry_name_snapshot(&name);
	return translates;
}

bool instr_mm_translates(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	bool translates = false;
	VMA_ITERATOR(vmi, mm, 0);

	mmap_read_lock(mm);
	for_each_vma(vmi, vma)
		translates |= (vma->vm_flags & VM_EXEC) && vma->vm_file &&
			      file_translates(vma->vm_file);
	mmap_read_unlock(mm);
	return translates;
}
