/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For shape.c: the functions, in all copies. Of what has a return slot unwinding has to be
 * known.
 */
	.macro	entry copy, name
	.balign 64
	.globl	\copy\()_\name
	.type	\copy\()_\name, @function
\copy\()_\name:
	.cfi_startproc
	.ifc	\copy, lock
	lock incq shape_locked(%rip)	/* it leaves the carry flag alone */
	.endif
	.endm

	.macro	done copy, name
	.cfi_endproc
	.size	\copy\()_\name, . - \copy\()_\name
	.endm

	.macro	pushed register
	push	\register
	.cfi_adjust_cfa_offset 8
	.endm

	.macro	popped register
	pop	\register
	.cfi_adjust_cfa_offset -8
	.endm

	.macro	room bytes
	sub	$\bytes, %rsp
	.cfi_adjust_cfa_offset \bytes
	.endm

	.macro	no_room bytes
	add	$\bytes, %rsp
	.cfi_adjust_cfa_offset -\bytes
	.endm

	.macro	leaf_of copy
	.balign 64
	.type	leaf_\copy, @function
leaf_\copy:
	lea	1(%rdi), %rax
	ret
	.size	leaf_\copy, . - leaf_\copy
	.endm

	.macro	shapes copy
	.balign 4096

entry \copy, push
	pushed	%rbp
	mov	%rsp, %rbp
	lea	1(%rdi), %rax
	popped	%rbp
	ret
done \copy, push

entry \copy, endbr
	endbr64
	pushed	%rbp
	mov	%rsp, %rbp
	lea	1(%rdi), %rax
	popped	%rbp
	ret
done \copy, endbr

entry \copy, sub
	room	8
	lea	1(%rdi), %rax
	no_room	8
	ret
done \copy, sub

entry \copy, lea
	lea	1(%rdi), %rax
	test	%rax, %rax
	ret
done \copy, lea

entry \copy, mov
	mov	%rdi, %rax
	add	$1, %rax
	ret
done \copy, mov

entry \copy, flags			/* reads a flag that its caller left */
	mov	%rdi, %rax
	cmovc	%rdi, %rax
	add	$1, %rax
	ret
done \copy, flags

entry \copy, first			/* a call: it is patched */
	call	leaf_\copy
	ret
done \copy, first

entry \copy, second			/* the call is displaced */
	pushed	%rbx
	call	leaf_\copy
	popped	%rbx
	ret
done \copy, second

entry \copy, behind			/* the jump ends in the call's opcode */
	room	8
	call	leaf_\copy
	no_room	8
	ret
done \copy, behind

entry \copy, fib
	pushed	%rbp
	pushed	%rbx
	room	8
	mov	%rdi, %rbx
	cmp	$1, %rdi
	jle	.Lend_\copy
	lea	-1(%rdi), %rdi
	call	\copy\()_fib
	mov	%rax, %rbp
	lea	-2(%rbx), %rdi
	call	\copy\()_fib
	lea	(%rbp,%rax), %rbx
.Lend_\copy:
	mov	%rbx, %rax
	no_room	8
	popped	%rbx
	popped	%rbp
	ret
done \copy, fib

leaf_of \copy
	.endm

	.text
	shapes plain
	shapes lock
	shapes ours
	shapes trap
	shapes exits
	shapes timed
	shapes slotexits
	shapes slottimed
	shapes uprobe
	shapes uretprobe
	.balign 4096

	.data
	.balign 64
	.globl	shape_locked
shape_locked:
	.quad	0
	.balign 64

	.section .note.GNU-stack, "", @progbits
