/* SPDX-License-Identifier: GPL-2.0 */
/* Traps of ours become jumps, all others pass. */
#ifndef INSTR_TRAP_H
#define INSTR_TRAP_H

int instr_trap_init(void);
void instr_trap_exit(void);

#endif
