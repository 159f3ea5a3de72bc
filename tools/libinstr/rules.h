/* SPDX-License-Identifier: GPL-2.0 */
/* Rules of call frames that a stranger wrote: may they be given to a debugger? */
#ifndef LIBINSTR_RULES_H
#define LIBINSTR_RULES_H

#include "libinstr.h"

/*
 * True: they are whole, of what DWARF knows, and end, whatever memory and registers hold.
 * That they are right isn't said.
 */
bool rules_are_sane(const uint8_t *rules, size_t len);

#endif
