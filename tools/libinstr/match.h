/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers in patterns. */
#ifndef LIBINSTR_MATCH_H
#define LIBINSTR_MATCH_H

#include <stdbool.h>
#include <stdint.h>

/* "0x12" and nothing else. */
bool match_address(const char *text, uint64_t *ret);
/* That, or a decimal number. */
bool match_offset(const char *text, uint64_t *ret);

#endif
