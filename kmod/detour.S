/* SPDX-License-Identifier: GPL-2.0 */
#include <linux/linkage.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>

	.text

/*
 * In place of a function that a hook turned away from at its start: instr_hook_end(), with its
 * only argument, then that function after all. It is returned to: where indirect branches have to
 * land on an ENDBR, a function that nobody branches to that way has none.
 */
SYM_FUNC_START(instr_detour_end)
	push	%rdi
	call	instr_hook_end
	pop	%rdi
	push	instr_detour_back(%rip)
	UNWIND_HINT_FUNC
	RET
SYM_FUNC_END(instr_detour_end)

	.section .note.GNU-stack, "", @progbits
