/* SPDX-License-Identifier: GPL-2.0 */
/* Timed functions: all sites that timing one takes. */
#ifndef LIBINSTR_TIMED_H
#define LIBINSTR_TIMED_H

#include "exits.h"
#include "returns.h"
#include "site.h"

struct timed {
	const struct site_text *text;
	enum instr_way way;
	struct exits_text exits;
	struct returns returns;
	size_t nr;
	struct instr_plan_site *site;	/* whoever takes them free()s them */
};

int timed_init(struct timed *timed, const struct site_text *text, struct instr_file *file,
	       enum instr_way way, struct instr_err *err);
void timed_exit(struct timed *timed);

/*
 * Adds the sites of @func: its entry, and all others by which it is left, unless it
 * returns to a slot. Where one of them is impossible there is one site, which is refused.
 */
int timed_add(struct timed *timed, size_t func, struct instr_err *err);

/*
 * When all are added: what unwinds stacks in this file gets sites, too, or its entry is marked,
 * and all are sorted by offset. Where those of two functions overlap both return to slots; what
 * can't is not timed.
 */
int timed_finish(struct timed *timed, struct instr_err *err);

#endif
