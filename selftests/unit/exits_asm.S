/* SPDX-License-Identifier: GPL-2.0 */
/* Functions for exits.c to look at, one for each rule. Nothing of it is ever run. */

.macro FUNC name
	.p2align 4
	.type \name, @function
\name:
	.cfi_startproc
.endm

.macro END name
	.cfi_endproc
	.size \name, . - \name
.endm

/* What no frame describes. */
.macro BARE name
	.p2align 4
	.type \name, @function
\name:
.endm

.macro BARE_END name
	.size \name, . - \name
.endm

	.text

FUNC x_plain
	xor	%eax, %eax
x_plain_middle:
	ret
END x_plain

FUNC x_loop_out
	jrcxz	x_plain
	ret
END x_loop_out

/* ---- returns ---- */

FUNC x_returns
	test	%edi, %edi
	je	1f
	rep ret
1:	jns	2f
	bnd ret
2:	ret	$8
END x_returns

FUNC x_return_far
	lretq
END x_return_far

FUNC x_return_interrupt
	iretq
END x_return_interrupt

FUNC x_return_pushed
	push	%rdi
	.cfi_adjust_cfa_offset 8
	ret
END x_return_pushed

BARE x_return_pushed_bare
	push	%rdi
	ret
BARE_END x_return_pushed_bare

BARE x_return_stored_bare
	mov	%rdi, (%rsp)
	ret
BARE_END x_return_stored_bare

BARE x_return_bare
	push	%rbx
	pop	%rbx
	ret
BARE_END x_return_bare

FUNC x_retpoline
	call	1f
2:	pause
	lfence
	jmp	2b
1:	mov	%rax, (%rsp)
	ret
END x_retpoline

/* ---- stacks ---- */

FUNC x_stack_loaded
	mov	(%rdi), %rsp
	ret
END x_stack_loaded

FUNC x_stack_popped
	pop	%rsp
	ret
END x_stack_popped

FUNC x_stack_exchanged
	xchg	%rsp, %rdi
	ret
END x_stack_exchanged

/* Alloca, and an array of variable length. */
FUNC x_stack_restored
	push	%rbp
	.cfi_def_cfa_offset 16
	mov	%rsp, %rbp
	.cfi_def_cfa_register rbp
	sub	%rdi, %rsp
	mov	-8(%rbp), %rsp
	leave
	.cfi_def_cfa rsp, 8
	ret
END x_stack_restored

/* ---- direct jumps ---- */

FUNC x_jump
	jmp	x_plain
END x_jump

FUNC x_branch
	test	%edi, %edi
	jne	x_plain
	ret
END x_branch

FUNC x_jump_framed
	push	%rbx
	.cfi_adjust_cfa_offset 8
	jmp	x_plain
END x_jump_framed

FUNC x_jump_unframed
	push	%rbx
	.cfi_adjust_cfa_offset 8
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	jmp	x_plain
END x_jump_unframed

/* As in video codecs: the second half of a function has the frame of the first. */
BARE x_jump_framed_bare
	sub	$0x118, %rsp
	jmp	x_plain
BARE_END x_jump_framed_bare

BARE x_jump_pushed_bare
	push	%rbx
	call	x_plain
	jmp	x_plain
BARE_END x_jump_pushed_bare

BARE x_jump_unframed_bare
	lea	-16(%rsp), %rsp
	call	x_plain
	sub	$-16, %rsp
	mov	%rdi, %rax
	jmp	x_plain
BARE_END x_jump_unframed_bare

FUNC x_jump_middle
	jmp	x_plain_middle
END x_jump_middle

FUNC x_jump_nowhere
	jmp	x_data
END x_jump_nowhere

FUNC x_jump_stub
	jmp	abort@plt
END x_jump_stub

/* Each iteration passes the entry. */
FUNC x_loop_to_entry
	dec	%edi
	jne	x_loop_to_entry
	ret
END x_loop_to_entry

/* ---- cold code ---- */

FUNC x_parted
	push	%rbx
	.cfi_adjust_cfa_offset 8
	test	%edi, %edi
	jne	x_parted.cold
1:	pop	%rbx
	.cfi_adjust_cfa_offset -8
	ret
END x_parted

	.section .text.unlikely, "ax"
	.type x_parted.cold, @function
x_parted.cold:
	.cfi_startproc
	.cfi_def_cfa_offset 16
	test	%esi, %esi
	je	1b
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size x_parted.cold, . - x_parted.cold
	.text

/* Its name alone tells. */
FUNC x_parted_unframed
	test	%edi, %edi
	jne	x_parted_unframed.cold
	ret
END x_parted_unframed

	.section .text.unlikely, "ax"
FUNC x_parted_unframed.cold
	mov	$1, %eax
	ret
END x_parted_unframed.cold
	.text

/* Two that have no names, and end in each other's text. */
	.p2align 4
.Lnameless:
	.cfi_startproc
	test	%edi, %edi
	je	.Lnameless_cold
1:	ret
	.cfi_endproc

	.section .text.unlikely, "ax"
	.p2align 4
.Lnameless_cold:
	.cfi_startproc
	test	%esi, %esi
	je	1b
	lea	1(%rdi), %rax
	ret
	.cfi_endproc
	.text

	.section .data.rel.ro, "aw"
	.globl x_nameless
x_nameless:
	.quad	.Lnameless_cold, .Lnameless, x_plain
	.text

/* Nothing branches there but a table that isn't found. */
FUNC x_parted_by_table
	push	%rbx
	.cfi_adjust_cfa_offset 8
	jmp	*%rax
1:	pop	%rbx
	.cfi_adjust_cfa_offset -8
	ret
END x_parted_by_table

	.section .text.unlikely, "ax"
	.type x_parted_by_table.cold, @function
x_parted_by_table.cold:
	.cfi_startproc
	.cfi_def_cfa_offset 16
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size x_parted_by_table.cold, . - x_parted_by_table.cold
	.text

/* ---- bytes ---- */

FUNC x_overlap
	test	%edi, %edi
	je	1f + 1
1:	mov	$0xc3, %eax
	ret
END x_overlap

FUNC x_behind_lock
	test	%edi, %edi
	je	1f
	lock
1:	incl	(%rdi)
	ret
END x_behind_lock

FUNC x_data_within
	jmp	1f
	.byte	0x06, 0x06, 0xc3
1:	ret
END x_data_within

FUNC x_undecodable
	test	%edi, %edi
	.byte	0x06
	ret
END x_undecodable

FUNC x_padded
	test	%edi, %edi
	jne	1f
	ret
	.byte	0xcc, 0xcc, 0xcc
1:	ret
	.byte	0, 0, 0
END x_padded

/* ---- ends ---- */

FUNC x_never_returns
	sub	$8, %rsp
	.cfi_adjust_cfa_offset 8
	call	x_plain
END x_never_returns

FUNC x_stops
	ud2
END x_stops

BARE x_falls
	mov	$1, %eax
BARE_END x_falls
	.p2align 4, 0x90
FUNC x_falls_into
	ret
END x_falls_into

/* A call, in the middle of a frame. */
	.p2align 4
	.type x_cut, @function
x_cut:
	.cfi_startproc
	call	x_plain
	.size x_cut, . - x_cut
	.type x_cut_off, @function
x_cut_off:
	ret
	.cfi_endproc
	.size x_cut_off, . - x_cut_off

	.p2align 4
	.type x_signal, @function
x_signal:
	.cfi_startproc
	.cfi_signal_frame
	ret
	.cfi_endproc
	.size x_signal, . - x_signal

/* ---- indirect jumps ---- */

FUNC x_indirect_argument
	jmp	*%rdi
END x_indirect_argument

FUNC x_indirect_member
	mov	8(%rdi), %rax
	test	%rax, %rax
	je	1f
	jmp	*%rax
1:	ret
END x_indirect_member

FUNC x_indirect_memory
	jmp	*16(%rax)
END x_indirect_memory

FUNC x_indirect_variable
	jmp	*x_pointer(%rip)
END x_indirect_variable

FUNC x_indirect_unframed
	push	%rbx
	.cfi_adjust_cfa_offset 8
	mov	(%rdi), %rax
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	jmp	*%rax
END x_indirect_unframed

BARE x_indirect_bare
	jmp	*%rax
BARE_END x_indirect_bare

BARE x_indirect_bare_stack
	push	%rbx
	jmp	*%rax
BARE_END x_indirect_bare_stack

/* Of functions, not of places here. */
FUNC x_indirect_offsets
	lea	x_functions(%rip), %rax
	movslq	(%rax,%rdi,4), %rcx
	add	%rax, %rcx
	jmp	*%rcx
END x_indirect_offsets

FUNC x_indirect_elements
	lea	x_pointer(%rip), %rax
	jmp	*(%rax,%rdi,8)
END x_indirect_elements

FUNC x_table
	cmp	$2, %edi
	ja	3f
	lea	x_offsets(%rip), %rdx
	movslq	(%rdx,%rdi,4), %rax
	add	%rdx, %rax
	jmp	*%rax
x_table_0:
	mov	$1, %eax
	ret
x_table_1:
	mov	$2, %eax
	ret
x_table_2:
	jmp	x_plain
3:	ret
END x_table

/* The address comes from another block. */
FUNC x_table_far
	lea	x_offsets_far(%rip), %rdx
1:	cmp	$1, %edi
	ja	1b
	movslq	(%rdx,%rdi,4), %rax
	add	%rdx, %rax
	jmp	*%rax
x_table_far_0:
	ret
x_table_far_1:
	ret
END x_table_far

FUNC x_table_unknown
	movslq	(%rsi,%rdi,4), %rax
	add	%rsi, %rax
	jmp	*%rax
END x_table_unknown

/* It may lead to the return, which nothing else does. */
FUNC x_goto
	jmp	*(%rdi)
	ret
END x_goto

FUNC x_goto_framed
	push	%rbx
	.cfi_adjust_cfa_offset 8
	jmp	*(%rdi)
	mov	$1, %eax
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	ret
END x_goto_framed

/* ---- landing pads ---- */

FUNC x_landing
	.cfi_lsda 0x1b, x_landing_list
	call	x_plain
	ret
x_landing_pad:
	mov	%rax, %rdi
	ret
END x_landing

/* Nothing but the jump leads to the last return. */
FUNC x_landing_goto
	.cfi_lsda 0x1b, x_landing_goto_list
	call	x_plain
	jmp	*(%rax)
x_landing_goto_pad:
	ret
	ret
END x_landing_goto

FUNC x_landing_elsewhere
	.cfi_lsda 0x1b, x_landing_list_elsewhere
	call	x_plain
	ret
END x_landing_elsewhere

	.section .text.unlikely, "ax"
	.p2align 4
	.type x_elsewhere, @function
x_elsewhere:
	.cfi_startproc
	.cfi_def_cfa_offset 32
	ud2
x_elsewhere_pad:
	add	$24, %rsp
	.cfi_def_cfa_offset 8
	ret
	.cfi_endproc
	.size x_elsewhere, . - x_elsewhere
	.text

FUNC x_landing_broken
	.cfi_lsda 0x1b, x_landing_list_broken
	call	x_plain
	ret
END x_landing_broken

FUNC x_landing_nowhere
	.cfi_lsda 0x1b, x_landing_list_nowhere
	call	x_plain
	ret
END x_landing_nowhere

	.section .rodata
x_offsets:
	.long	x_table_0 - x_offsets, x_table_1 - x_offsets, x_table_2 - x_offsets
x_functions:
	.long	x_plain - x_functions, x_jump - x_functions
x_offsets_far:
	.long	x_table_far_0 - x_offsets_far, x_table_far_1 - x_offsets_far
/* No base, no types; numbers in base 128: calls from, length, landing pad, action. */
x_landing_list:
	.byte	0xff, 0xff, 0x01, 8
	.byte	0, 1, 0, 0
	.byte	0, 5, x_landing_pad - x_landing, 0
x_landing_goto_list:
	.byte	0xff, 0xff, 0x01, 4
	.byte	0, 5, x_landing_goto_pad - x_landing_goto, 0
/* A base, types, and four bytes each. */
x_landing_list_elsewhere:
	.byte	0x1b
	.long	x_elsewhere - .
	.byte	0x9b, 0x80, 0x01, 0x03, 13
	.long	0, 5, x_elsewhere_pad - x_elsewhere
	.byte	1
x_landing_list_broken:
	.byte	0xff, 0xff, 0x01, 3, 0, 5, 6
x_landing_list_nowhere:
	.byte	0xff, 0xff, 0x03, 13
	.long	0, 5, 0x70000000
	.byte	1

	.data
x_pointer:
	.quad	0, 0
x_data:
	.quad	0

	.section .note.GNU-stack, "", @progbits
