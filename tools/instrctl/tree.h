/* SPDX-License-Identifier: GPL-2.0 */
/* Processes as a tree: who made whom. */
#ifndef INSTRCTL_TREE_H
#define INSTRCTL_TREE_H

#include "libinstr/event.h"

/*
 * Puts the @nr processes of INSTR_CMD_PROCESS_GET into the order in which a tree is read:
 * each behind its parent, or whom that one made. Returns how deep each lies, for free(); one
 * whose parent has ended lies at 0.
 */
unsigned int *tree_order(struct instr_message *msg, size_t nr);

#endif
