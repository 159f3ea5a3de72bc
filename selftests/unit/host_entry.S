/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For host.c: functions that are hard to move, and a call that sets and reads
 * all of the state that a probe must not change.
 */
	.macro	entry name
	.balign 16
	.globl	\name
	.type	\name, @function
\name:
	.endm

	.macro	done name
	.size	\name, . - \name
	.endm

/*
 * What is in sections that begin with "far_" can be linked far from the text, so that it is
 * out of reach from a slab.
 */

	.text

/* ---- functions: each has a window that needs something ---------------------- */

entry probe_frame
	endbr64
	push	%rbp
	mov	%rsp, %rbp
	lea	3(%rdi,%rsi), %rax
	pop	%rbp
	ret
done probe_frame

entry probe_load
	mov	host_words(%rip), %rax
	ret
done probe_load

entry probe_compare			/* an immediate follows the displacement */
	cmpl	$0x12345678, host_words(%rip)
	sete	%al
	ret
done probe_compare

entry probe_vector
	movups	host_words(%rip), %xmm3
	ret
done probe_vector

entry probe_flags			/* what an entry is not expected to do */
	pushfq
	pop	%rax
	adc	$0, %rdx
	ret
done probe_flags

entry probe_overflow
	seto	%al
	setc	%cl
	ret
done probe_overflow

entry probe_flags_dead
	xor	%eax, %eax
	mov	%rdi, %rdx
	add	%rsi, %rdx
	ret
done probe_flags_dead

entry probe_red_zone
	mov	-128(%rsp), %rax
	mov	-8(%rsp), %rdx
	mov	%rdi, -16(%rsp)
	ret
done probe_red_zone

	.section far_text, "ax"
entry local_return_address
	mov	(%rsp), %rax
	ret
done local_return_address
far_target:
	lea	5(%rdi), %rax
	ret
	.text

entry probe_call
	sub	$8, %rsp
	call	local_return_address
	add	$8, %rsp
	ret
done probe_call

entry probe_call_first
	call	local_return_address
	ret
done probe_call_first

entry probe_call_wide			/* as for thread-local storage */
	.byte	0x66, 0x66
	rex.W call local_return_address
	ret
done probe_call_wide

entry probe_call_memory
	call	*host_pointer(%rip)
	ret
done probe_call_memory

entry probe_call_register		/* returns into its own patch */
	call	*%r13
	mov	%rax, %rdx
	ret
done probe_call_register

entry probe_call_indexed
	nop
	call	*(%r12,%rbx,8)
	mov	%rax, %rdx
	ret
done probe_call_indexed

entry probe_call_stack			/* 8 bytes further when the call has pushed */
	nop
	call	*16(%rsp)
	ret
done probe_call_stack

entry probe_jump
	mov	$7, %al
	jmp	1f
	.fill	200, 1, 0xf4
1:	inc	%rax
	ret
done probe_jump

entry probe_jump_short
	jmp	1f
	nop
	nop
	nop
	ud2
1:	lea	1(%rdi), %rax
	ret
done probe_jump_short

entry probe_jcc
	je	1f
	jo	2f
	jb	2f
	mov	$1, %eax
	ret
1:	mov	$2, %eax
	ret
2:	mov	$3, %eax
	ret
done probe_jcc

entry probe_jrcxz
	jrcxz	1f
	nop
	nop
	nop
	mov	$1, %eax
	ret
1:	mov	$2, %eax
	ret
done probe_jrcxz

entry probe_loop
	loop	1f
	nop
	nop
	nop
	mov	$1, %eax
	ret
1:	mov	$2, %eax
	ret
done probe_loop

entry probe_loop_equal
	loope	1f
	addr32 jrcxz 1f
	mov	$1, %eax
	ret
1:	mov	$2, %eax
	ret
done probe_loop_equal

entry probe_branches_back		/* LOOP: an int3 */
	mov	$5, %ecx
	nop
1:	lea	1(%rax), %rax
	loop	1b
	ret
done probe_branches_back

entry probe_branches_inside
	push	%rcx
1:	mov	$3, %cl
	dec	%rdx
	jns	2f
	mov	$1, %edx
	jmp	1b
2:	pop	%rcx
	ret
done probe_branches_inside

entry probe_tail
	jmp	*host_pointer(%rip)
done probe_tail

entry probe_jump_away
	jmp	far_target
done probe_jump_away

entry probe_jcc_away
	nop
	jc	far_target
	mov	$2, %eax
	ret
done probe_jcc_away

entry probe_push
	push	host_words(%rip)
	pop	%rax
	ret
done probe_push

entry probe_pop
	push	%rdi
	pop	host_scratch(%rip)
	mov	host_scratch(%rip), %rax
	ret
done probe_pop

entry probe_address
	lea	host_words(%rip), %rbx
	mov	8(%rbx), %rbx
	ret
done probe_address

entry probe_add				/* all registers that would be free are used */
	add	host_words(%rip), %rax
	adc	host_words + 8(%rip), %rcx
	ret
done probe_add

entry probe_short			/* another begins at once */
	ret
done probe_short
	.globl	probe_after_short
	.type	probe_after_short, @function
probe_after_short:
	lea	9(%rsi), %rax
	ret
done probe_after_short

entry probe_padded			/* its window ends in padding */
	mov	%edi, %eax
	ret
done probe_padded

entry probe_syscall
	nop
	push	$39			/* getpid */
	pop	%rax
	syscall
	ret
done probe_syscall

entry probe_many			/* a boundary at each byte */
	push	%rbx
	push	%rax
	push	%rcx
	push	%rdx
	nop
	pop	%rdx
	pop	%rcx
	pop	%rax
	pop	%rbx
	ret
done probe_many

entry probe_pushes			/* a boundary at the jump's last byte */
	push	%r12
	push	%r13
	mov	$1, %eax
	pop	%r13
	pop	%r12
	ret
done probe_pushes

/* ---- others come back into the windows: each boundary is taken -------------- */

	.macro	inside name, function, at, saved:vararg
	entry	\name
	.ifnb	\saved
	.irp	reg, \saved
	push	%\reg
	.endr
	.endif
	jmp	\function + \at
	done	\name
	.endm

	inside	into_many_1, probe_many, 1, rbx
	inside	into_many_2, probe_many, 2, rbx, rax
	inside	into_many_3, probe_many, 3, rbx, rax, rcx
	inside	into_many_4, probe_many, 4, rbx, rax, rcx, rdx
	inside	into_many_5, probe_many, 5, rbx, rax, rcx, rdx
	inside	into_pushes_2, probe_pushes, 2, r12
	inside	into_pushes_4, probe_pushes, 4, r12, r13
	inside	into_frame_4, probe_frame, 4
	inside	into_call_4, probe_call, 4, rax
	inside	into_jcc_2, probe_jcc, 2
	inside	into_jcc_4, probe_jcc, 4

/* ---- void host_call(void): host_target with host_in, to host_out ------------ */

	.set	FLAGS, 15 * 8
	.set	XMM, 16 * 8
	.set	RED, XMM + 16 * 16

	.macro	xmm op, dir, base
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	.ifc	\dir, load
	\op	XMM + \n * 16 + \base(%rip), %xmm\n
	.else
	\op	%xmm\n, XMM + \n * 16 + \base(%rip)
	.endif
	.endr
	.endm

	.macro	gpr dir, base
	.set	i, 0
	.irp	r, rax,rbx,rcx,rdx,rsi,rdi,rbp,r8,r9,r10,r11,r12,r13,r14,r15
	.ifc	\dir, load
	mov	i * 8 + \base(%rip), %\r
	.else
	mov	%\r, i * 8 + \base(%rip)
	.endif
	.set	i, i + 1
	.endr
	.endm

entry host_call
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, host_saved_rsp(%rip)

	lea	host_stack_top(%rip), %rsp
	lea	RED + host_in(%rip), %rsi	/* the red zone below the return address */
	lea	-136(%rsp), %rdi
	mov	$16, %ecx
	rep movsq
	mov	host_stack_value(%rip), %rax
	mov	%rax, 8(%rsp)
	xmm	movups, load, host_in
	pushq	FLAGS + host_in(%rip)
	popfq
	/* That used the place of the return address, and nothing below. */
	gpr	load, host_in
	call	*host_target(%rip)
	gpr	store, host_out
	pushfq
	popq	FLAGS + host_out(%rip)
	xmm	movups, store, host_out
	lea	host_stack_top(%rip), %rax
	sub	%rsp, %rax
	mov	%rax, host_leak(%rip)
	lea	-136 + host_stack_top(%rip), %rsi
	lea	RED + host_out(%rip), %rdi
	mov	$16, %ecx
	cld
	rep movsq

	mov	host_saved_rsp(%rip), %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
done host_call

	.section far_data, "aw"
	.globl	host_words, host_pointer
	.balign 64
host_words:
	.quad	0x1122334412345678, 0x99aabbccddeeff00
host_pointer:
	.quad	local_return_address
host_scratch:
	.quad	0

	.data
	.balign 64
	.globl	host_table, host_in, host_out, host_target
	.globl	host_leak, host_stack_value
host_table:
	.quad	0, 0, local_return_address, 0
host_in:
	.zero	RED + 128
host_out:
	.zero	RED + 128
host_target:
	.quad	0
host_saved_rsp:
	.quad	0
host_leak:
	.quad	0
host_stack_value:
	.quad	0
	.bss
	.balign 64
	.zero	65536
host_stack_top:
	.zero	256

	.section .note.GNU-stack, "", @progbits
