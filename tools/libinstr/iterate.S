/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unwinding out of slabs by LLVM's unwinder: what its calls of dl_iterate_phdr() go to first.
 * A copy of this lies in the unwind part of each slab.
 *
 * It asks the dynamic loader for each address, so slabs are made known as modules of the
 * loader's: pseudo-modules, which are there only while an address is looked for that no real
 * module has, and only for who looks. What LLVM has for that, __unw_add_dynamic_fde(), would
 * stay when the slab is left, allocates, and takes a lock that who was interrupted may hold.
 *
 * It is called from a block as what is in timing.S is, at the entry of a function: what that
 * may change may be changed. It goes back to the caller of the block.
 */

#include "timing.h"
#include "unwinding.h"

/* The return to the block, RAX, red zone. */
#define TO_CALLER	(8 + 8 + 128)
/* From what the block comes back to, to its displaced instructions. */
#define TO_DISPLACED	TIMING_MISSED_LEN

/* struct dl_phdr_info */
#define INFO_ADDR	0
#define INFO_NAME	8
#define INFO_PHDR	16
#define INFO_PHNUM	24
#define INFO_ADDS	32
#define INFO_SUBS	40
#define INFO_TLS	48
#define INFO_LEN	64

/* What the second iteration is told, on the stack of the first. */
#define ASK_CALLBACK	0
#define ASK_DATA	8
#define ASK_ANSWER	16
#define ASK_LEN		24

	.section .rodata.iterate_holes, "a"
	.balign 2
iterate_holes:

	.section .rodata
	.balign 16
	.globl unwind_iterate, unwind_iterate_end, iterate_holes, iterate_holes_end
	.hidden unwind_iterate

.macro LOAD_FRAMES to
	mov	0x7fffffff(%rip), \to
	.pushsection .rodata.iterate_holes, "a"
	.short	.Lhole\@ - unwind_iterate - 4
	.popsection
.Lhole\@:
	and	$-2, \to
.endm

unwind_iterate:
	LOAD_FRAMES %rax
	jz	1f
	mov	(%rsp), %rax
	PUSH	%rbx
	PUSH	%rbp
	lea	-ASK_LEN(%rsp), %rsp
	lea	TO_DISPLACED(%rax), %rbx
	mov	%rdi, ASK_CALLBACK(%rsp)
	mov	%rsi, ASK_DATA(%rsp)
	movq	$0, ASK_ANSWER(%rsp)
	mov	%rsp, %rbp
	call	*%rbx
	test	%eax, %eax
	jnz	2f
	lea	iterate_slabs(%rip), %rdi
	mov	%rbp, %rsi
	call	*%rbx
	mov	ASK_ANSWER(%rbp), %eax
2:	lea	ASK_LEN(%rsp), %rsp
	POP	%rbp
	POP	%rbx
	lea	TO_CALLER(%rsp), %rsp
	ret
1:	ret

/*
 * For the first module: all slabs that have an index, until one has an answer. It is under
 * the loader's lock, which is all that keeps LLVM's cache. That is emptied when the number of
 * modules that were loaded changes, as it does with each of ours and behind it.
 */
iterate_slabs:
	PUSH	%rbx
	PUSH	%rbp
	push	%r12
	push	%r13
	push	%r14
	lea	-INFO_LEN(%rsp), %rsp
	mov	%rdx, %rbp
	cmp	$INFO_LEN, %rsi
	mov	$INFO_LEN, %r14d
	cmovb	%rsi, %r14
	mov	INFO_ADDS(%rdi), %rax
	btc	$63, %rax
	mov	%rax, INFO_ADDS(%rsp)
	mov	INFO_SUBS(%rdi), %rax
	mov	%rax, INFO_SUBS(%rsp)
	movq	$0, INFO_TLS(%rsp)
	movq	$0, INFO_TLS + 8(%rsp)
	lea	iterate_name(%rip), %rax
	mov	%rax, INFO_NAME(%rsp)
	movq	$UNWIND_HEADERS_NR, INFO_PHNUM(%rsp)
	LOAD_FRAMES %r12
	jz	3f
	lea	TIMING_SLABS(%r12), %rbx
	mov	$TIMING_NR_SLABS, %r13d
1:	mov	(%rbx), %rdx
	test	%rdx, %rdx
	jz	3f
	cmpq	$0, 8(%rbx)
	je	2f
	mov	UNWIND_OF_SLAB(%rdx), %rcx
	test	%rcx, %rcx
	jz	2f
	add	%rdx, %rcx
	mov	UNWIND_HEADERS(%rcx), %eax
	test	%eax, %eax
	jz	2f
	add	%rcx, %rax
	mov	%rdx, INFO_ADDR(%rsp)
	mov	%rax, INFO_PHDR(%rsp)
	mov	%rsp, %rdi
	mov	%r14, %rsi
	mov	ASK_DATA(%rbp), %rdx
	call	*ASK_CALLBACK(%rbp)
	test	%eax, %eax
	jnz	4f
2:	add	$16, %rbx
	dec	%r13d
	jnz	1b
3:	mov	$1, %eax
	jmp	5f
4:	mov	%eax, ASK_ANSWER(%rbp)
	lock incq TIMING_LOOKUPS(%r12)
5:	lea	INFO_LEN(%rsp), %rsp
	pop	%r14
	pop	%r13
	pop	%r12
	POP	%rbp
	POP	%rbx
	ret
iterate_name:
	.byte	0
unwind_iterate_end:

	.section .rodata.iterate_holes, "a"
iterate_holes_end:

	.section .note.GNU-stack,"",@progbits
