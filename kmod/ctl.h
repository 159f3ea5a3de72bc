/* SPDX-License-Identifier: GPL-2.0 */
/* /dev/instr. */
#ifndef INSTR_CTL_H
#define INSTR_CTL_H

int instr_ctl_init(void);
void instr_ctl_exit(void);

#endif
