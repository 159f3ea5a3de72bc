/* SPDX-License-Identifier: GPL-2.0 */
/*
 * void enter_run(void): all state as enter_in says, on to enter_frame, and back with
 * what is found at an exit. IRET sets RIP, RSP and the flags at once, and makes sure
 * that the code which is fetched is the code that was written.
 */
	.set	FLAGS, 16 * 8

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

	.text
	.globl	enter_run, enter_exit, enter_fault
enter_run:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, saved_rsp(%rip)
	rdfsbase %rax
	mov	%rax, saved_fs(%rip)
	rdgsbase %rax
	mov	%rax, saved_gs(%rip)

	mov	enter_mask(%rip), %eax
	xor	%edx, %edx
	mov	enter_extended_in(%rip), %rcx
	xrstor64 (%rcx)
	mov	enter_fs(%rip), %rax
	wrfsbase %rax
	mov	enter_gs(%rip), %rax
	wrgsbase %rax
	movb	$1, enter_running(%rip)
	lea	enter_frame(%rip), %rsp
	gpr	load, enter_in
	iretq

enter_exit:				/* the exits' stubs jump here */
	gpr	store, enter_out
	mov	%rsp, enter_out + 15 * 8(%rip)
	lea	flags_end(%rip), %rsp
	pushfq
	pop	%rax
	mov	%rax, enter_out + FLAGS(%rip)
	pushq	$0x202			/* it may have set more than DF */
	popfq
enter_fault:				/* the handler returns here, and has stored them */
	mov	enter_mask(%rip), %eax
	xor	%edx, %edx
	mov	enter_extended_out(%rip), %rcx
	xsave64	(%rcx)
	mov	saved_fs(%rip), %rax
	wrfsbase %rax
	mov	saved_gs(%rip), %rax
	wrgsbase %rax
	ldmxcsr	default_mxcsr(%rip)
	movb	$0, enter_running(%rip)
	mov	saved_rsp(%rip), %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.data
	.balign	64
	.globl	enter_in, enter_out, enter_frame, enter_mask, enter_running
	.globl	enter_fs, enter_gs, enter_extended_in, enter_extended_out
enter_in:		.zero	17 * 8
enter_out:		.zero	17 * 8
enter_frame:		.zero	5 * 8	/* RIP CS RFLAGS RSP SS */
enter_extended_in:	.quad	0
enter_extended_out:	.quad	0
enter_fs:		.quad	0
enter_gs:		.quad	0
saved_rsp:		.quad	0
saved_fs:		.quad	0
saved_gs:		.quad	0
flags_at:		.quad	0
flags_end:
default_mxcsr:		.long	0x1f80
enter_mask:		.long	0
enter_running:		.byte	0

	.section .note.GNU-stack, "", @progbits
