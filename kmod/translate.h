/* SPDX-License-Identifier: GPL-2.0 */
/* Programs that read the text of others as data, and run what they make of it. */
#ifndef INSTR_TRANSLATE_H
#define INSTR_TRANSLATE_H

#include <linux/types.h>

struct mm_struct;

/*
 * Does the program in @mm do that? It keeps books of what is mapped, and takes a jump to what
 * we mapped for a fault. No lock is held.
 */
bool instr_mm_translates(struct mm_struct *mm);

#endif
