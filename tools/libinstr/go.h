/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Go: functions on stacks that are small and grow.
 *
 * A Go function begins with a look at how much room its stack has (cmd/internal/obj/x86,
 * stacksplit), and gets a larger one where it is too small: the function then begins once
 * more. What does not look has been counted together, when it was linked, and may use the
 * stack up to its last byte. So there is room for an interceptor behind the look, and in
 * functions without one nowhere.
 */
#ifndef LIBINSTR_GO_H
#define LIBINSTR_GO_H

#include "libinstr.h"

/* Was it made by Go? It may have code of C, too. */
bool go_made(const struct instr_file *file);

/*
 * The length of the look that @code begins with, with its branch; 0: there is none. RSP
 * and all that a caller gave are as they were.
 */
unsigned int go_look_len(const uint8_t *code, uint64_t len);

/*
 * Does the look that there is say that R14 is the goroutine (struct g)? Then it is wherever the
 * function is left, too (the ABI of Go since 1.17), and begins with the stack's bounds.
 */
bool go_look_has_goroutine(const uint8_t *code);

#endif
