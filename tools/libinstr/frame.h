/* SPDX-License-Identifier: GPL-2.0 */
/* Frame descriptions of a file: what its .eh_frame says where code begins. */
#ifndef LIBINSTR_FRAME_H
#define LIBINSTR_FRAME_H

#include "libinstr.h"

struct frame {
	uint64_t start, end;	/* vaddr; never empty */
	uint64_t at;		/* where in .eh_frame it is described */
	bool is_signal;		/* 'S': what a signal handler returns to */
};

/*
 * All that lie in an executable segment, by ascending start. PLTs are left out.
 * *ret: free() it. A file without .eh_frame, or with a broken one, has fewer.
 */
int frames_read(const struct instr_file *file, struct frame **ret, size_t *nr,
		struct instr_err *err);

/* How the stack changes in a frame: programs for cfi.c. They belong to the file. */
struct frame_rules {
	const uint8_t *common, *common_end;	/* runs first */
	const uint8_t *own, *own_end;
	uint64_t code_align;	/* factors of numbers in them */
	int64_t data_align;
	uint64_t landing;	/* vaddr of the list of landing pads; 0: there are none */
};

/* Reads the rules of frames, one at a time. free() it. */
struct frame_walk;

/* NULL: the file has no frames, or out of memory. */
struct frame_walk *frame_walk_create(const struct instr_file *file);

/* False: they can't be read. @frame is one of frames_read(). */
bool frame_rules_read(struct frame_walk *walk, const struct frame *frame,
		      struct frame_rules *ret);

/*
 * Reads an encoded pointer that lies at @vaddr; returns its length, or 0 if it
 * is not there or encoded in a way that no linker uses in .eh_frame.
 */
size_t frame_read_pointer(const uint8_t *bytes, const uint8_t *end, uint64_t vaddr,
			  uint8_t encoding, uint64_t *ret);

/* A number in base 128, at *@at, which goes behind it; false: it isn't there, or too long. */
bool frame_read_uleb(const uint8_t **at, const uint8_t *end, uint64_t *ret);

#endif
