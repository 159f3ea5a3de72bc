/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Is a request sane? Pure functions of their arguments: no locks, no kernel
 * objects, no allocation. They return 0 or a negative errno as promised in
 * uapi/linux/instr.h.
 */
#ifndef INSTR_CHECK_H
#define INSTR_CHECK_H

#include <linux/instr.h>
#include <linux/types.h>

int instr_check_overlay(const struct instr_overlay_create *arg);
/* @code_len: the annex included. */
int instr_check_slab_io(const struct instr_slab_io *arg, __u64 code_len);

/* @total: how long the times, or frames, are. */
int instr_check_times_read(const struct instr_times_read *arg, __u64 total);

/* Of a slab that begins at @start. */
bool instr_check_pointer(const struct instr_pointer *pointer, __s64 start, __u64 code_len,
			 __u64 kept_len);

/* Where a slab has code, as positions, and how much else. */
struct instr_check_code {
	__s64 start, annex_start;
	__u64 len, annex_len, data_len, kept_len;
};

/* On ERANGE *bad is the index of the culprit. */
int instr_check_sites(const struct instr_site *sites, __u32 nr, __u32 *bad);
int instr_check_traps(const struct instr_trap *traps, __u32 nr,
		      const struct instr_check_code *code, __u32 *bad);
int instr_check_origins(const struct instr_origin *origins, __u32 nr,
			const struct instr_check_code *code, __u32 *bad);
int instr_check_shapes(const struct instr_shape *shapes, __u32 nr, __u32 *bad);
int instr_check_rewinds(const struct instr_rewind *rewinds, __u32 nr, __u32 nr_shapes,
			const struct instr_check_code *code, __u32 *bad);
/* Each fragile site has its trap; both arrays are as the calls above want them. */
int instr_check_fragile(const struct instr_site *sites, __u32 nr_sites,
			const struct instr_trap *traps, __u32 nr_traps, __u32 *bad);

#endif
