/* SPDX-License-Identifier: GPL-2.0 */
/* Frame descriptions of a file: what its .eh_frame says where code begins. */
#ifndef LIBINSTR_FRAME_H
#define LIBINSTR_FRAME_H

#include "libinstr.h"

struct frame {
	uint64_t start, end;	/* vaddr; never empty */
	bool is_signal;		/* 'S': what a signal handler returns to */
};

/*
 * All that lie in an executable segment, by ascending start. PLTs are left out.
 * *ret: free() it. A file without .eh_frame, or with a broken one, has fewer.
 */
int frames_read(const struct instr_file *file, struct frame **ret, size_t *nr,
		struct instr_err *err);

#endif
