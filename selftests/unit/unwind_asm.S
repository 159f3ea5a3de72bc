/* SPDX-License-Identifier: GPL-2.0 */
/* Functions whose first instructions are of each kind that is moved in another way. */

.macro FUNC name
	.p2align 4
	.globl \name
	.type \name, @function
\name:
	.cfi_startproc
.endm

.macro END name
	.cfi_endproc
	.size \name, . - \name
.endm

	.text

/* RDI is called with RSI, with a trap at each instruction. */
FUNC step_call
	push	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	mov	%rdi, %rax
	mov	%rsi, %rdi
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	pushfq
	.cfi_adjust_cfa_offset 8
	orl	$0x100, (%rsp)
	popfq
	.cfi_adjust_cfa_offset -8
	call	*%rax
	.globl	step_stop
step_stop:
	nop
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	ret
END step_call

/* It ends in the bytes of its entry, so that counting what is there takes more room. */
FUNC counted_crowded
	test	%rdi, %rdi
	je	timed_leaf
	lea	1(%rdi), %rax
	ret
END counted_crowded

FUNC timed_asm_pushes
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	push	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	push	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	mov	$1, %ebp
	mov	$2, %ebx
	mov	%rdi, %r12
	call	timed_asm_leaf
	add	%r12, %rax
	pop	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r12
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	pop	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	ret
END timed_asm_pushes

FUNC timed_asm_leaf
	lea	1(%rdi), %rax
	ret
END timed_asm_leaf

/* The first call is of a function whose flags matter, as far as one can see. */
FUNC timed_asm_calls
	push	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	call	takes_flags
	mov	%rax, %rbx
	call	*leaf_pointer(%rip)
	add	%rbx, %rax
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	ret
END timed_asm_calls

FUNC takes_flags
	setc	%al
	movzbl	%al, %eax
	ret
END takes_flags

FUNC timed_asm_indirect
	push	%rax
	.cfi_adjust_cfa_offset 8
	call	*leaf_pointer(%rip)
	pop	%rcx
	.cfi_adjust_cfa_offset -8
	ret
END timed_asm_indirect

FUNC timed_asm_tail
	inc	%rdi
	jmp	timed_asm_leaf
END timed_asm_tail

FUNC timed_asm_branch
	test	%rdi, %rdi
	je	timed_asm_leaf
	dec	%rdi
	jmp	timed_asm_branch_end
	nop
	nop
END timed_asm_branch

FUNC timed_asm_branch_end
	cmp	$3, %rdi
	jb	timed_asm_leaf
	lea	(%rdi,%rdi,2), %rax
	ret
END timed_asm_branch_end

FUNC timed_asm_loop
	mov	%rdi, %rcx
	jrcxz	2f
	xor	%eax, %eax
1:	add	%rcx, %rax
	loop	1b
	ret
2:	mov	$-1, %rax
	ret
END timed_asm_loop

FUNC timed_asm_frame
	push	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	mov	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	sub	$48, %rsp
	mov	%rdi, -8(%rbp)
	call	timed_asm_tail
	leave
	.cfi_def_cfa %rsp, 8
	ret
END timed_asm_frame

/* What faults is the first instruction, one in the middle, the one before the end. */
FUNC timed_fault_first
	mov	(%rdi), %eax
	lea	1(%rax), %rax
	ret
END timed_fault_first

FUNC timed_fault_inner
	push	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	mov	%rdi, %rbx
	mov	(%rbx), %eax
	lea	1(%rax), %rax
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	ret
END timed_fault_inner

FUNC timed_fault_late
	push	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	mov	%rdi, %rbx
	lea	4(%rbx), %rax
	lea	8(%rbx), %rdx
	xor	%eax, %eax
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	mov	(%rdi), %edx
	mov	%edx, %eax
	ret
END timed_fault_late

	.section .data.rel.ro, "aw"
	.balign 8
leaf_pointer:
	.quad	timed_asm_leaf

	.section .note.GNU-stack,"",@progbits
