/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Return slots: what functions return to of which not all exits are known; see timing.h.
 * The code of the slots, and for which functions there may be one.
 */
#ifndef LIBINSTR_RETURNS_H
#define LIBINSTR_RETURNS_H

#include <linux/instr.h>

#include "cfi.h"
#include "emit.h"
#include "func.h"

/*
 * A slot pushes the return address at INSTR_SLOT_RETURN, RSP becomes SLOT_ROOM lower at
 * SLOT_ROOM_AT, and at TIMING_SLOT_LEFT what it was.
 */
#define SLOT_ROOM	120
#define SLOT_ROOM_AT	12

/*
 * Emits slot number @nr. @returns: position of timing_return, or of timing_return_counted;
 * @table: of struct instr_return of all slots.
 */
void returns_emit(struct emit *emit, uint64_t nr, int64_t returns, int64_t table);

/* Which functions of a file can't have one, for what they do with return addresses. */
struct returns {
	struct instr_file *file;
	const struct func_table *funcs;
	uint64_t *slot;		/* vaddrs: of pointers to such functions */
	size_t nr;
	enum instr_reason none;	/* why no function can: see runtime.h */
};

int returns_init(struct returns *returns, struct instr_file *file,
		 const struct func_table *funcs, struct instr_err *err);
void returns_exit(struct returns *returns);

/* INSTR_REASON_NONE: @func may return to a slot. */
enum instr_reason returns_check(const struct returns *returns, struct cfi *cfi, size_t func);

#endif
