/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_NETLINK_H
#define INSTR_NETLINK_H

int instr_netlink_init(void);
/* No event is sent any more: the hooks are off. */
void instr_netlink_exit(void);

#endif
