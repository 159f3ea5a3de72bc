/* SPDX-License-Identifier: GPL-2.0 */
/* Call frame information: is the stack, before an instruction, as at the entry? */
#ifndef LIBINSTR_CFI_H
#define LIBINSTR_CFI_H

#include "frame.h"
#include "libinstr.h"

enum cfi_stack {
	CFI_UNKNOWN,	/* nothing is said, or not in terms of RSP */
	CFI_ENTRY,	/* RSP is at the return address */
	CFI_BELOW,	/* RSP is certainly elsewhere */
};

/* Where the return address lies; @base by the processor's number, or INSN_NO_REGISTER. */
struct cfi_return {
	uint8_t base;
	int64_t displacement;
};

struct cfi_row {
	uint64_t vaddr;		/* where it begins */
	enum cfi_stack stack;
	struct cfi_return at;
};

struct cfi {
	struct frame_walk *walk;
	struct frame *frame;	/* by ascending start */
	size_t nr_frames;
	/* Of the frame that was asked for last, the first row at its start. */
	const struct frame *of;
	struct cfi_row *row;
	size_t nr_rows;
	uint64_t landing;
};

/* A file with no frames has a cfi that knows nothing. */
int cfi_init(struct cfi *cfi, const struct instr_file *file, struct instr_err *err);
void cfi_exit(struct cfi *cfi);

/* When the instruction at @vaddr is reached. */
enum cfi_stack cfi_stack(struct cfi *cfi, uint64_t vaddr);

struct cfi_return cfi_return(struct cfi *cfi, uint64_t vaddr);

/* The frame that has @vaddr, or NULL. */
const struct frame *cfi_frame(const struct cfi *cfi, uint64_t vaddr);

/* The vaddr of the list of landing pads of the code at @vaddr; 0: there are none. */
uint64_t cfi_landing(struct cfi *cfi, uint64_t vaddr);

#endif
