// SPDX-License-Identifier: GPL-2.0
/*
 * The gate: a vfork child runs in its parent's address space, with its parent's FS
 * base, while the parent sleeps. The module lists such FS bases in the control
 * block before the child runs. A block looks at the gate's word only; this is
 * where it goes while there is any such child.
 */

#include "gate.h"

#include <stddef.h>

void gate_emit(struct emit *emit, int64_t control)
{
	size_t shut, end, ours, loop;

	/* It may have opened since the block looked; then the list is empty. */
	EMIT(emit, "\x80\x3d");			/* cmpb $INSTR_GATE_SHUT,gate(%rip) */
	emit_relative(emit, control, 1);
	emit_byte(emit, INSTR_GATE_SHUT);
	shut = emit_forward(emit, 0x74);		/* je skip */
	EMIT(emit, "\xf3\x48\x0f\xae\xc0");	/* rdfsbase %rax */
	EMIT(emit, "\x48\x8d\x0d");			/* lea vfork(%rip),%rcx */
	emit_relative(emit, control + (int64_t)offsetof(struct instr_control, vfork), 0);
	loop = emit->len;
	EMIT(emit, "\x48\x83\x39\x00");		/* cmpq $0,(%rcx) */
	end = emit_forward(emit, 0x74);			/* je count */
	EMIT(emit, "\x48\x39\x01");			/* cmp %rax,(%rcx) */
	ours = emit_forward(emit, 0x74);		/* je skip */
	EMIT(emit, "\x48\x83\xc1\x08\xeb");	/* add $8,%rcx; jmp loop */
	emit_byte(emit, (uint8_t)(loop - emit->len - 1));
	emit_land(emit, end);
	EMIT(emit, "\x48\x85\xe4");			/* count: test %rsp,%rsp */
	emit_land(emit, shut);
	emit_land(emit, ours);
	EMIT(emit, "\xc3");				/* skip: ret */
}
