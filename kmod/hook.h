/* SPDX-License-Identifier: GPL-2.0 */
/* Where the kernel tells us of mappings, children, images, ends and debuggers. */
#ifndef INSTR_HOOK_H
#define INSTR_HOOK_H

int instr_hook_init(void);
/* No thread is in code of ours that a hook led to, and none will be. May sleep. */
void instr_hook_exit(void);

/* The hooks are in place from the first get to the last put. They may sleep. */
int instr_hook_get(void);
void instr_hook_put(void);

#endif
