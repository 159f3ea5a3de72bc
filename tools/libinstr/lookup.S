/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unwinding out of slabs: what the entry of _Unwind_Find_FDE goes to first. A copy of this
 * lies in the unwind part of each slab.
 *
 * It is called from blocks as what is in timing.S is, with RDI: the address that is looked
 * for, and RSI: where the caller wants to be told what begins where. If the address is in
 * a slab the caller of _Unwind_Find_FDE gets its answer at once. Nothing is waited for or
 * allocated: a handler may have interrupted anything.
 */

#include "timing.h"
#include "unwinding.h"

#define PAGE		4096
/* From the answer to the address, in libgcc's context. */
#define CONTEXT_RA	-16
/* The return to the block, RAX, red zone. */
#define TO_CALLER	(8 + 8 + 128)

/* The function with the record number R9, of the slab RDX, which becomes something else. */
.macro count_function
	add	UNWIND_ASKED(%r10), %rdx
	lock bts %r9, (%rdx)
	jc	1f
	lock incq TIMING_FUNCTIONS(%r8)
1:
.endm

	.section .rodata.unwind_holes, "a"
	.balign 2
unwind_holes:

	.section .rodata
	.balign 16
	.globl unwind_find, unwind_find_end, unwind_holes, unwind_holes_end
unwind_find:
	PUSH	%rcx
	PUSH	%rdx
	push	%r8
	push	%r9
	push	%r10
	lahf
	seto	%al
	PUSH	%rax
	mov	0x7fffffff(%rip), %r8
	.pushsection .rodata.unwind_holes, "a"
	.short	.Lhole - unwind_find - 4
	.popsection
.Lhole:
	and	$-2, %r8
	jz	4f
	lea	TIMING_SLABS(%r8), %rcx
	mov	$TIMING_NR_SLABS, %r10d
1:	mov	(%rcx), %rdx
	test	%rdx, %rdx
	jz	4f
	mov	%rdi, %rax
	sub	%rdx, %rax
	cmp	8(%rcx), %rax
	jb	5f
	add	$16, %rcx
	dec	%r10d
	jnz	1b
4:	POP	%rax
	add	$127, %al
	sahf
	pop	%r10
	pop	%r9
	pop	%r8
	POP	%rdx
	POP	%rcx
	ret

	/* RAX bytes behind the start of the slab RDX. */
5:	mov	UNWIND_OF_SLAB(%rdx), %rcx
	test	%rcx, %rcx
	jz	4b
	lea	(%rdx,%rcx), %r10
	mov	%rax, %r9
	sub	UNWIND_CELLS(%r10), %r9
	jae	6f
	mov	UNWIND_SLOTS_AT(%r10), %r9d
	sub	%rax, %r9
	jbe	8f
	cmp	%rcx, %rax
	mov	UNWIND_SLOTS(%r10), %ecx
	cmovae	UNWIND_OWN(%r10), %ecx
	cmp	$PAGE, %rax
	cmovb	UNWIND_COMMON(%r10), %ecx
	lea	(%r10,%rcx), %rax
	jmp	7f

	/* R9 bytes, negative, behind the byte before the first return slot. */
8:	neg	%r9
	mov	%r9d, %eax
	and	$((1 << TIMING_SLOT_LEN_BITS) - 1), %eax
	and	$(-1 << TIMING_SLOT_LEN_BITS), %r9
	mov	UNWIND_TABLE(%r10), %ecx
	add	%rdx, %rcx
	add	%r9, %rcx
	mov	TIMING_RETURN_BODY(%rcx), %r9
	mov	TIMING_RETURN_TO(%rcx), %rcx
	/* For whom that is asked for: the cell that the slot calls. */
	sub	UNWIND_CELLS(%r10), %r9
	sub	%rdx, %r9
	cmp	UNWIND_CELLS_LEN(%r10), %r9
	jae	9f
	and	$(-1 << UNWIND_CELL_BITS), %r9
	add	UNWIND_CELLS(%r10), %r9
	mov	UNWIND_RECORD(%rdx,%r9), %r9d
	count_function
	/*
	 * The answer is part of libgcc's context of a frame (struct _Unwind_Context), which has
	 * been the same since GCC 4. If its address is what is looked for, the frame goes on
	 * where the slot does, and nobody sees that there was a slot.
	 */
9:	cmp	$TIMING_SLOT_RETURN, %eax	/* it is the byte before that is looked for */
	jne	2f
	lea	1(%rdi), %rdx
	test	%rcx, %rcx
	jz	2f
	cmp	%rdx, CONTEXT_RA(%rsi)
	jne	2f
	lock incq TIMING_LOOKUPS(%r8)
	mov	%rcx, CONTEXT_RA(%rsi)
	lea	-1(%rcx), %rdi
	jmp	4b
2:	mov	UNWIND_RETURNS(%r10), %eax
	add	%r10, %rax
	jmp	7f

	/* R9 bytes behind the first cell. */
6:	cmp	UNWIND_CELLS_LEN(%r10), %r9
	jae	4b
	mov	%r9, %rax
	and	$(-1 << UNWIND_CELL_BITS), %rax
	add	UNWIND_CELLS(%r10), %rax
	add	%rdx, %rax
	movzwl	UNWIND_OF_CELL(%rax), %ecx
	test	%ecx, %ecx
	jz	4b
	mov	UNWIND_RECORD(%rax), %r9d
	add	%rcx, %rax
	count_function

	/* RAX is the FDE; it says, 8 bytes behind its start, where it begins to be right. */
7:	lock incq TIMING_LOOKUPS(%r8)
	movslq	8(%rax), %rcx
	lea	8(%rax,%rcx), %rcx
	movq	$0, (%rsi)
	movq	$0, 8(%rsi)
	mov	%rcx, 16(%rsi)
	lea	8(%rsp), %rsp
	pop	%r10
	pop	%r9
	pop	%r8
	POP	%rdx
	POP	%rcx
	lea	TO_CALLER(%rsp), %rsp
	ret
unwind_find_end:

	.section .rodata.unwind_holes, "a"
unwind_holes_end:

	.section .note.GNU-stack,"",@progbits
