/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Emitting code: bytes go out one behind the other, and know which position they
 * will have. With no @bytes they are only counted. The caller has made sure that
 * they fit, and that what is relative to them is in reach.
 */
#ifndef LIBINSTR_EMIT_H
#define LIBINSTR_EMIT_H

#include <string.h>

#include "libinstr.h"

struct emit {
	uint8_t *bytes;		/* NULL: count only */
	size_t len;
	int64_t position;	/* of the first byte */
};

static inline void emit_bytes(struct emit *emit, const void *bytes, size_t len)
{
	if (emit->bytes)
		memcpy(emit->bytes + emit->len, bytes, len);
	emit->len += len;
}

/* What is known when compiling; the terminating NUL is not emitted. */
#define EMIT(emit, literal) emit_bytes((emit), (literal), sizeof(literal) - 1)

static inline void emit_byte(struct emit *emit, uint8_t byte)
{
	emit_bytes(emit, &byte, 1);
}

/* A displacement to position @target, from the end of its instruction @tail bytes later. */
static inline void emit_relative(struct emit *emit, int64_t target, size_t tail)
{
	int64_t from = emit->position + (int64_t)(emit->len + sizeof(int32_t) + tail);
	int32_t displacement = (int32_t)(target - from);

	emit_bytes(emit, &displacement, sizeof(displacement));
}

static inline void emit_jump(struct emit *emit, int64_t target)
{
	EMIT(emit, "\xe9");
	emit_relative(emit, target, 0);
}

/* Of two bytes: see timing.h. */
#define PUSH_RAX	"\x40\x50"
#define PUSH_RCX	"\x40\x51"
#define POP_RCX		"\x40\x59"
#define POP_RAX		"\x40\x58"
/* Below the red zone, and back. */
#define LEA_RSP_DOWN	"\x48\x8d\x64\x24\x80"		/* lea -128(%rsp),%rsp */
#define LEA_RSP_UP	"\x48\x8d\xa4\x24\x80\0\0\0"	/* lea 128(%rsp),%rsp */

/*
 * A short jump to what is not emitted yet: emit_land(), given what this returned,
 * says that it is here.
 */
static inline size_t emit_forward(struct emit *emit, uint8_t opcode)
{
	emit_byte(emit, opcode);
	emit_byte(emit, 0);
	return emit->len;
}

static inline void emit_land(struct emit *emit, size_t from)
{
	if (emit->bytes)
		emit->bytes[from - 1] = (uint8_t)(emit->len - from);
}

#endif
