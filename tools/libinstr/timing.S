/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Timing: what happens when a timed function is entered, and when it is left; see
 * timing.h. A copy of this lies in the first page of each slab.
 *
 * It is called from blocks, with the red zone out of the way and RAX pushed, which holds
 * the record; all other registers are kept, and the flags, but for timing_enter_fast. A
 * signal may interrupt it anywhere, and the handler may be timed itself: what it enters it
 * leaves again, so that the thread's innermost frame is what it was. Whatever else can
 * change is changed by one instruction.
 */

#include "timing.h"
#include "unwinding.h"

#define GATE_SOLO	0
#define GATE_MANY	1
#define CONTROL_FRAMES	504

/* In the slab's page: see slab.c. */
#define CODE_AT		192
#define GATE_AT		64
#define TRAP_AT		0xff0

/* struct instr_thread; what is the slab's begins with the innermost frame */
#define THREAD_FREE	0
#define THREAD_LEFT	1
#define THREAD_LANE	8
#define THREAD_START	16
#define THREAD_END	24
#define THREAD_BORN	32
#define THREAD_INNER	40
#define THREAD_EVENT	48	/* how its stack was unwound last: TIMING_* + 1, or 0 ... */
#define THREAD_WHEN	56	/* ... and when that began */

#define HEAD_BLOCKS	TIMING_HEAD
#define HEAD_MISSED	(TIMING_HEAD + 8)
#define HEAD_GROUPS	(TIMING_HEAD + 16)
#define HEAD_NOBODY	(TIMING_HEAD + 64)

#define PAGE_BLOCK	(TIMING_PAGES + 8)
#define PAGE_THREAD	(TIMING_PAGES + 16)
#define PAGE_MASK	(((1 << TIMING_PAGE_BITS) - 1) << 5)

#define FRAME_RECORD	0
#define FRAME_TIME	8
#define FRAME_CALLEES	16
#define FRAME_CALLER	24
#define FRAME_ADDRESS	32
#define FRAME_LEN	40

#define RETURN_MASK	(((1 << TIMING_SLOT_BITS) - 1) << TIMING_SLOT_LEN_BITS)
#define RETURN_PROBES	16

#define RECORD_CALLS	0
#define RECORD_EXITS	8
#define RECORD_TOTAL	16
#define RECORD_CALLEES	24
#define RECORD_MAX	32
#define RECORD_NOT_MIN	40
#define RECORD_UNWOUND	48
#define RECORD_LAST	72
#define RECORD_GROUP	80
#define RECORD_SLOT	248

#define EXCEPTION_PRIVATE	16

/* Goroutines are 400 bytes: stacks of so many MiB have numbers of their own. */
#define GO_STACK_BITS	20
#define GO_ALIGN_BITS	4	/* of goroutines */
#define GO_CALLER_NEAR	512

#define SHIFT_MAX	(TIMING_GROUPS - 1)

/* Where something is filled in with the slab: displacements, and distances. */
	.irp of, frames_, gate_, table_, slot_, entry_
	.section .rodata.timing_\of\()holes, "a"
	.balign 2
	.globl timing_\of\()holes, timing_\of\()holes_end
timing_\of\()holes:
	.endr

	.section .rodata
	.balign 16
	.globl timing_code, timing_code_end
	.globl timing_enter, timing_enter_fast, timing_leave, timing_unwind, timing_count
	.globl timing_take, timing_take_fast, timing_return, timing_return_counted
	.globl timing_enter_go, timing_leave_go
	/* A call of them in a library must not go by way of its procedure linkage table. */
	.hidden timing_code, timing_leave, timing_count
timing_code:

/* The four bytes before this, or \tail bytes before it. */
.macro HOLE of=frames_, tail=0
	.pushsection .rodata.timing_\of\()holes, "a"
	.short	.Lhole\@ - timing_code - 4 - \tail
	.popsection
.Lhole\@:
.endm

.macro LOAD_FRAMES to
	mov	0x7fffffff(%rip), \to
	HOLE
.endm

/* ---- what both have in common --------------------------------------------------- */

/*
 * RSI: the frames and 1; where they are not: to \out. There is a word that says so and
 * that the gate is open; where it isn't, this may be a vfork child.
 */
.macro FRAMES out
	LOAD_FRAMES %rsi
	test	$1, %sil
	jz	.Lshut\@
.Lopen\@:

	.pushsection .rodata, 1
.Lshut\@:
	call	frames_shut
	jz	\out
	jmp	.Lopen\@
	.popsection
.endm

/*
 * RCX: the frame of the return address at RDI; 0: there is no room for it. RSI: its
 * thread. Changes RDX.
 */
.macro FIND
	mov	%edi, %edx
	shr	$7, %edx
	and	$PAGE_MASK, %edx
	mov	%rdi, %rcx
	xor	TIMING_PAGES - 1(%rsi,%rdx), %rcx
	cmp	$0xfff, %rcx
	ja	.Lsearch\@
	lea	(%rcx,%rcx,4), %rcx
	add	PAGE_BLOCK - 1(%rsi,%rdx), %rcx
	mov	PAGE_THREAD - 1(%rsi,%rdx), %rsi
.Lfound\@:

	.pushsection .rodata, 1
.Lsearch\@:
	call	find
	jmp	.Lfound\@
	.popsection
.endm

/* Where RDX, the thread's lane, is 0, RSI may not be who runs. */
.macro LANE shared
	mov	THREAD_LANE(%rsi), %rdx
	test	%rdx, %rdx
	jz	\shared
.endm

/* RAX and RDX become one number. */
.macro CLOCK to
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	.ifnc \to, %rax
	mov	%rax, \to
	.endif
.endm

/* ---- entry ---------------------------------------------------------------------- */

/* From RSP to the return address: what was pushed, the return to the block, RAX, red zone. */
#define BEHIND(pushed)	((pushed) * 8 + 8 + 8 + 128)

/* RDI: where the return address lies; \out: right behind it. */
.macro ENTER_AT out
	FIND
	LANE	.Lshared\@
	cmpq	$0, FRAME_RECORD(%rcx)
	jne	.Lreused\@
.Lfresh\@:
	mov	THREAD_INNER(%rsi), %rdx
	test	%rdx, %rdx
	jz	.Lcaller\@
	cmp	%rdi, FRAME_ADDRESS(%rdx)
	jbe	.Lunwound\@
.Lcaller\@:
	mov	%rdx, FRAME_CALLER(%rcx)
	mov	%rdi, FRAME_ADDRESS(%rcx)
	xor	%edx, %edx
	mov	%rdx, FRAME_CALLEES(%rcx)
	mov	%rdx, FRAME_TIME(%rcx)
	mov	%rcx, THREAD_INNER(%rsi)
	mov	%rax, FRAME_RECORD(%rcx)
	mov	%rax, %rdi
	CLOCK	%rax
	mov	THREAD_LANE(%rsi), %rdx
	shl	$TIMING_RECORD_BITS, %rdx
	jz	.Llocked\@
	incq	RECORD_CALLS(%rdi,%rdx)
.Lcounted\@:
	mov	%rax, FRAME_TIME(%rcx)

	.pushsection .rodata, 1
.Lshared\@:
	call	find_sure
	test	%rcx, %rcx
	jz	.Lmissed\@
	test	%rdi, %rdi
	js	.Lgo\@
.Lknown\@:
	cmpq	$0, FRAME_RECORD(%rcx)
	je	.Lfresh\@
.Lreused\@:
	call	tail_called
	cmpq	$0, FRAME_RECORD(%rcx)
	je	.Lfresh\@
	call	reap_here
	jmp	.Lfresh\@
.Lgo\@:
	call	find_caller
	jmp	.Lknown\@
.Lunwound\@:
	call	reap_deeper
	mov	THREAD_INNER(%rsi), %rdx
	jmp	.Lcaller\@
.Llocked\@:
	lock incq RECORD_CALLS(%rdi)
	jmp	.Lcounted\@
.Lmissed\@:
	lock incq RECORD_CALLS(%rax)
	jmp	\out
	.popsection
.endm

.macro ENTER
	PUSH	%rcx
	PUSH	%rdx
	PUSH	%rsi
	PUSH	%rdi
	mov	%rax, %rcx
	lahf
	seto	%al
	PUSH	%rax
	mov	%rcx, %rax
	FRAMES	.Lenter_out
	lea	BEHIND(5)(%rsp), %rdi
.endm

timing_enter_go:
	ENTER
	call	stay_put
	jmp	.Lenter_at

timing_enter:
	ENTER
.Lenter_at:
	ENTER_AT .Lenter_out
.Lenter_out:
	POP	%rax
	add	$127, %al
	sahf
	POP	%rdi
	POP	%rsi
	POP	%rdx
	POP	%rcx
	ret

/* Where the flags are of no use to anybody. */
timing_enter_fast:
	PUSH	%rcx
	PUSH	%rdx
	PUSH	%rsi
	PUSH	%rdi
	FRAMES	.Lenter_fast_out
	lea	BEHIND(4)(%rsp), %rdi
	ENTER_AT .Lenter_fast_out
.Lenter_fast_out:
	POP	%rdi
	POP	%rsi
	POP	%rdx
	POP	%rcx
	ret

/* ---- exit ----------------------------------------------------------------------- */

/*
 * The times of one exit: R8 is the record in its lane, R9 the time, RDX that in callees.
 * Changes RAX, RDX.
 */
.macro ACCOUNT lock:vararg
	\lock addq %r9, RECORD_TOTAL(%r8)
	\lock addq %rdx, RECORD_CALLEES(%r8)
	cmp	%r9, RECORD_MAX(%r8)
	jb	.Lmax\@
.Lmax_done\@:
	mov	%r9, %rdx
	not	%rdx
	cmp	%rdx, RECORD_NOT_MIN(%r8)
	jb	.Lmin\@
.Lmin_done\@:

	.pushsection .rodata, 1
.Lmax\@:
	mov	RECORD_MAX(%r8), %rax
.Lmax_again\@:
	cmp	%r9, %rax
	jae	.Lmax_done\@
	\lock cmpxchg %r9, RECORD_MAX(%r8)
	jne	.Lmax_again\@
	jmp	.Lmax_done\@
.Lmin\@:
	mov	RECORD_NOT_MIN(%r8), %rax
.Lmin_again\@:
	cmp	%rdx, %rax
	jae	.Lmin_done\@
	\lock cmpxchg %rdx, RECORD_NOT_MIN(%r8)
	jne	.Lmin_again\@
	jmp	.Lmin_done\@
	.popsection
.endm

/* The histogram: RDI is the time. Changes RAX, RCX, RDX, RDI. */
.macro BUCKET lock:vararg
	/* The shift after which it is below 64; that many buckets of each shift. */
	mov	%rdi, %rcx
	or	$32, %rcx
	bsr	%rcx, %rcx
	sub	$5, %ecx
	cmp	$SHIFT_MAX, %ecx
	ja	.Ltop\@
	shr	%cl, %rdi
.Lbucket\@:
	mov	RECORD_GROUP(%r8,%rcx,4), %eax
	test	%eax, %eax
	jz	.Lgroup\@
.Lgiven\@:
	LOAD_FRAMES %rdx
	and	$-2, %rdx
	jz	.Lnone\@
	add	%rdx, %rax
	\lock incq (%rax,%rdi,8)
.Lnone\@:

	.pushsection .rodata, 1
.Ltop\@:
	mov	$SHIFT_MAX, %ecx
	mov	$63, %edi
	jmp	.Lbucket\@
.Lgroup\@:
	call	give_group
	jmp	.Lgiven\@
	.popsection
.endm

.macro LEAVE
	PUSH	%rcx
	PUSH	%rdx
	PUSH	%rsi
	PUSH	%rdi
	push	%r8
	push	%r9
	mov	%rax, %r8
	lahf
	seto	%al
	PUSH	%rax
	CLOCK	%r9
	FRAMES	.Lleave_out
	lea	BEHIND(7)(%rsp), %rdi
.endm

timing_leave_go:
	LEAVE
	call	stay_put
	jmp	.Lleave_at

timing_leave:
	LEAVE
.Lleave_at:
	FIND
	LANE	.Lleave_shared
	/* What was entered before we came has none, and then it may be another's. */
	cmp	%r8, FRAME_RECORD(%rcx)
	jne	.Lleave_out
	shl	$TIMING_RECORD_BITS, %rdx
	add	%rdx, %r8
	cmp	%rcx, THREAD_INNER(%rsi)
	jne	.Lleave_unwound
.Lleave_innermost:
	mov	FRAME_CALLER(%rcx), %rax
	mov	%rax, %rdi
.Lleave_frame:
	sub	FRAME_TIME(%rcx), %r9
	jb	.Lleave_early
.Lleave_time:
	movq	$0, FRAME_TIME(%rcx)
	incq	RECORD_EXITS(%r8)
	movq	$0, FRAME_RECORD(%rcx)
	mov	%rdi, THREAD_INNER(%rsi)
	mov	FRAME_CALLEES(%rcx), %rdx
	test	%rax, %rax
	jz	.Lleave_outermost
	addq	%r9, FRAME_CALLEES(%rax)
.Lleave_outermost:
	ACCOUNT
	/*
	 * Into the histogram goes the time before this one: to load what depends on a clock
	 * that was just read would make the next clock wait.
	 */
	mov	RECORD_LAST(%r8), %rdi
	inc	%r9
	mov	%r9, RECORD_LAST(%r8)
	sub	$1, %rdi
	jb	.Lleave_out
	BUCKET
.Lleave_out:
	POP	%rax
	add	$127, %al
	sahf
	pop	%r9
	pop	%r8
	POP	%rdi
	POP	%rsi
	POP	%rdx
	POP	%rcx
	ret

/* Clocks of two processors may differ. */
.Lleave_early:
	xor	%r9d, %r9d
	jmp	.Lleave_time
.Lleave_unwound:
	call	is_own
	jae	.Lleave_foreign
	dec	%rdi
	call	reap_deeper
	jmp	.Lleave_innermost
/* A coroutine came back, perhaps to another thread: whose callee it is nobody knows. */
.Lleave_foreign:
	mov	FRAME_CALLER(%rcx), %rax
	mov	THREAD_INNER(%rsi), %rdi
	jmp	.Lleave_frame
.Lleave_shared:
	call	find_sure
	test	%rcx, %rcx
	jz	.Lleave_out
	cmp	%r8, FRAME_RECORD(%rcx)
	jne	.Lleave_out
	call	leave_sure
	jmp	.Lleave_out

/*
 * The function of the record R8 is left at time R9 by the thread RSI, RDI: where its return
 * address lies, RCX: its frame. Changes RAX, RDX, RDI, R8.
 */
leave_sure:
	mov	THREAD_LANE(%rsi), %rax
	shl	$TIMING_RECORD_BITS, %rax
	add	%rax, %r8
	mov	FRAME_CALLER(%rcx), %rax
	test	%rdi, %rdi
	js	3f
	cmp	%rcx, THREAD_INNER(%rsi)
	je	1f
	call	is_own
	jae	2f
	dec	%rdi
	call	reap_deeper
1:	mov	%rax, THREAD_INNER(%rsi)
2:	or	$-1, %edi
	jmp	end_frame
	/* The thread goes on where this goroutine called; where nobody did this frame stands there. */
3:	test	%rax, %rax
	cmovz	%rcx, %rax
	jmp	1b

/* ---- unwinding ------------------------------------------------------------------ */

/*
 * At the entry of what unwinds the stack, or catches an exception: RAX says which. All
 * that is deeper is gone already, for what is known so far.
 */
timing_unwind:
	PUSH	%rcx
	PUSH	%rdx
	PUSH	%rsi
	PUSH	%rdi
	push	%r8
	mov	%rax, %r8
	lahf
	seto	%al
	PUSH	%rax
	cmp	$TIMING_RESUME, %r8d
	je	.Lunwind_resumed
.Lunwind_known:
	FRAMES	.Lunwind_out
	lea	BEHIND(6)(%rsp), %rdi
	call	find
	call	find_sure
	call	reap_deeper
	CLOCK	%rax
	mov	%rax, THREAD_WHEN(%rsi)
	inc	%r8d
	and	$TIMING_CATCH, %r8d
	mov	%r8, THREAD_EVENT(%rsi)
.Lunwind_out:
	POP	%rax
	add	$127, %al
	sahf
	pop	%r8
	POP	%rdi
	POP	%rsi
	POP	%rdx
	POP	%rcx
	ret

.Lunwind_resumed:
	mov	$TIMING_EXCEPTION, %r8d
	cmpq	$0, EXCEPTION_PRIVATE(%rdi)
	je	.Lunwind_known
	mov	$TIMING_THREAD_END, %r8d
	jmp	.Lunwind_known

/* Carry: RDI is on the own stack of the thread RSI. Changes RDX. */
is_own:
	PUSH	%rax
	mov	%rdi, %rax
	sub	THREAD_START(%rsi), %rax
	mov	THREAD_END(%rsi), %rdx
	sub	THREAD_START(%rsi), %rdx
	cmp	%rdx, %rax
	POP	%rax
	ret

/*
 * The frames of the thread RSI at RDI and below, on its own stack, where the order of
 * addresses says that they are gone. Changes RDX.
 */
reap_deeper:
	call	is_own
	jae	1f
	call	reap_own
	andq	$0, THREAD_EVENT(%rsi)
1:	ret

/* The same, where RDI is on that stack: there may be more that ended the same way. */
reap_own:
	PUSH	%rax
	PUSH	%rcx
	PUSH	%rdi
	push	%r9
	mov	%rdi, %rcx
	CLOCK	%r9
1:	mov	THREAD_INNER(%rsi), %rax
	test	%rax, %rax
	jz	2f
	mov	FRAME_ADDRESS(%rax), %rdi
	cmp	%rcx, %rdi
	ja	2f
	call	is_own
	jae	2f
	xchg	%rax, %rcx
	call	reap_frame
	mov	FRAME_CALLER(%rcx), %rcx
	mov	%rcx, THREAD_INNER(%rsi)
	xchg	%rax, %rcx
	/* What is written there may be anything: not for ever. */
	test	%rax, %rax
	jz	2f
	cmp	%rdi, FRAME_ADDRESS(%rax)
	ja	1b
2:	pop	%r9
	POP	%rdi
	POP	%rcx
	POP	%rax
	ret

/*
 * The frame RCX, where another function is entered, and what it had called: that ended with
 * it, in the same way. RDI: where its return address lies. Changes RDX.
 */
reap_here:
	PUSH	%rax
	push	%r9
	call	is_own
	jae	1f
	call	reap_own
1:	CLOCK	%r9
	call	reap_frame
	andq	$0, THREAD_EVENT(%rsi)
	cmp	%rcx, THREAD_INNER(%rsi)
	jne	2f
	mov	FRAME_CALLER(%rcx), %rax
	mov	%rax, THREAD_INNER(%rsi)
2:	pop	%r9
	POP	%rax
	ret

/* Ends the frame RCX of the thread RSI, which nobody returned from, by time R9. Changes RDX. */
reap_frame:
	PUSH	%rax
	PUSH	%rdi
	push	%r8
	push	%r9
	mov	FRAME_RECORD(%rcx), %r8
	test	%r8, %r8
	jz	4f
	mov	THREAD_LANE(%rsi), %rax
	shl	$TIMING_RECORD_BITS, %rax
	add	%rax, %r8
	mov	FRAME_TIME(%rcx), %rax
	test	%rax, %rax
	jz	5f
	/* Another thread's, which had the same stack. */
1:	mov	$TIMING_THREAD_END, %edi
	cmp	THREAD_BORN(%rsi), %rax
	cmovb	THREAD_BORN(%rsi), %r9
	jb	3f
	mov	$TIMING_LONGJMP, %edi
	cmpq	$0, THREAD_EVENT(%rsi)
	je	3f
	cmp	THREAD_WHEN(%rsi), %rax
	ja	3f
	mov	THREAD_WHEN(%rsi), %r9
	mov	THREAD_EVENT(%rsi), %rdi
	dec	%edi
3:	call	end_frame
4:	pop	%r9
	pop	%r8
	POP	%rdi
	POP	%rax
	ret
	/*
	 * It was being entered, or left, when a handler came that didn't go back. Its call is
	 * counted, and its exit is not, if more are inside than its callers.
	 */
5:	push	%r10
	mov	FRAME_RECORD(%rcx), %r10
	mov	RECORD_CALLS(%r8), %rax
	sub	RECORD_EXITS(%r8), %rax
	mov	%rcx, %rdi
6:	mov	FRAME_ADDRESS(%rdi), %rdx
	mov	FRAME_CALLER(%rdi), %rdi
	/* What is written there may be anything: not for ever. */
	test	%rdi, %rdi
	jz	7f
	cmp	FRAME_ADDRESS(%rdi), %rdx
	jae	7f
	cmp	FRAME_RECORD(%rdi), %r10
	jne	6b
	dec	%rax
	jmp	6b
7:	pop	%r10
	test	%rax, %rax
	jle	8f
	cmpq	$0, THREAD_EVENT(%rsi)
	cmovne	THREAD_WHEN(%rsi), %r9
	mov	%r9, %rax
	mov	%rax, FRAME_TIME(%rcx)
	jmp	1b
8:	andq	$0, FRAME_RECORD(%rcx)
	jmp	4b

/*
 * One exit, of the kind EDI, or -1: by a return. All of it behind the frame's end: a thread may
 * be killed in between, and what is there of frames then is counted once more.
 */
.macro COUNT_EXIT lock:vararg
	andq	$0, FRAME_RECORD(%rcx)
	\lock incq RECORD_EXITS(%r8)
	test	%edi, %edi
	js	.Lreturned\@
	\lock incq RECORD_UNWOUND(%r8,%rdi,8)
.Lreturned\@:
.endm

/* Ends the frame RCX of the thread RSI at time R9; R8: its record in its lane; EDI: how. */
end_frame:
	PUSH	%rax
	PUSH	%rcx
	PUSH	%rdx
	push	%r9
	PUSH	%rdi
	sub	FRAME_TIME(%rcx), %r9
	jae	1f
	xor	%r9d, %r9d
1:	mov	FRAME_CALLEES(%rcx), %rdx
	mov	FRAME_CALLER(%rcx), %rax
	test	%rax, %rax
	jz	2f
	addq	%r9, FRAME_CALLEES(%rax)
2:	cmpq	$0, THREAD_LANE(%rsi)
	jne	4f
	COUNT_EXIT lock
	ACCOUNT lock
	mov	%r9, %rdi
	BUCKET	lock
3:	POP	%rdi
	pop	%r9
	POP	%rdx
	POP	%rcx
	POP	%rax
	ret
	/* Nobody else writes there. */
4:	COUNT_EXIT
	ACCOUNT
	mov	%r9, %rdi
	BUCKET
	jmp	3b

/* ---- counting ------------------------------------------------------------------- */

/*
 * RAX is the address of a count of lane 0. Changes flags. Stacks are often 8 MiB apart, or
 * 64 KiB: which of the lanes it is matters only to who else uses it. One thread alone uses
 * lane 0, as blocks do.
 */
timing_count:
	PUSH	%rcx
	PUSH	%rdx
	lea	0x7fffffff(%rip), %rcx
	HOLE
	cmpb	$GATE_MANY, -CONTROL_FRAMES(%rcx)
	jne	3f
1:	mov	%rsp, %rcx
	mov	%rsp, %rdx
	shr	$16, %rcx
	shr	$23, %rdx
	xor	%edx, %ecx
	and	$3, %ecx
	inc	%ecx
	shl	$TIMING_RECORD_BITS, %ecx
	lock incq (%rax,%rcx)
2:	POP	%rdx
	POP	%rcx
	ret
3:	ja	4f
	incq	(%rax)
	jmp	2b
4:	PUSH	%rax
	call	timing_code - CODE_AT + GATE_AT
	POP	%rax
	jnz	1b
	jmp	2b

/* ---- return slots --------------------------------------------------------------- */

/* The count at \at(\base), by who may do so alone; else by timing_count. */
.macro COUNT at, base
	cmpb	$GATE_SOLO, 0x7fffffff(%rip)
	HOLE gate_, 1
	jne	.Lmany\@
	incq	\at(\base)
.Lcounted\@:

	.subsection 1
.Lmany\@:
	PUSH	%rax
	lea	\at(\base), %rax
	call	timing_count
	POP	%rax
	jmp	.Lcounted\@
	.subsection 0
.endm

/*
 * At the entry of a function that returns to a slot: RAX is its record, perhaps with
 * TIMING_COUNTED, and then it is counted here. Its return address becomes the address of its
 * slot; but where there is none that can be had it stays, and this returns to
 * TIMING_MISSED_LEN bytes before the displaced instructions.
 *
 * Where the flags are of no use to anybody it is first tried whether the caller is the same
 * as the last time.
 */
timing_take_fast:
	PUSH	%rcx
	PUSH	%rdx
	LOAD_FRAMES %rcx
	test	$1, %cl
	jz	2f
	mov	%rax, %rdx
	and	$~TIMING_COUNTED, %rdx
	mov	RECORD_SLOT(%rdx), %rcx
	test	%rcx, %rcx
	jz	2f
	mov	BEHIND(2)(%rsp), %rdx
	cmp	%rdx, TIMING_RETURN_TO(%rcx)
	jne	2f
	lea	0x7fffffff(%rcx), %rcx
	HOLE	slot_
	mov	%rcx, BEHIND(2)(%rsp)
	test	$TIMING_COUNTED, %al
	jz	1f
	COUNT	(RECORD_CALLS - TIMING_COUNTED), %rax
1:	POP	%rdx
	POP	%rcx
	ret
2:	POP	%rdx
	POP	%rcx

timing_take:
	PUSH	%rcx
	PUSH	%rdx
	PUSH	%rdi
	mov	%rax, %rcx
	lahf
	seto	%al
	PUSH	%rax
	mov	%rcx, %rax
	lea	BEHIND(4)(%rsp), %rdi
	call	take_search
	jz	.Ltake_missed
	btr	$TIMING_COUNTED_BIT, %rax
	mov	%rdx, RECORD_SLOT(%rax)
	lea	0x7fffffff(%rdx), %rdx
	HOLE	slot_
	mov	%rdx, BEHIND(4)(%rsp)
	jnc	.Ltake_out
	/* The calls are what a record begins with. */
	call	timing_count
.Ltake_out:
	POP	%rax
	add	$127, %al
	sahf
	POP	%rdi
	POP	%rdx
	POP	%rcx
	ret
.Ltake_missed:
	mov	4 * 8(%rsp), %rcx
	xor	%cl, %cl
	movzbl	TIMING_DISPLACED(%rcx), %edx
	lea	-TIMING_MISSED_LEN(%rcx,%rdx), %rcx
	mov	%rcx, 4 * 8(%rsp)
	jmp	.Ltake_out

/* From where the return address lies down to where timing_take returns to its block. */
#define TO_BLOCK	(128 + 8 + 8)

/*
 * RDX: the entry of the table for the record RAX and the return address at RDI; ZF: there is
 * none. Changes RCX, RDI.
 *
 * Entries are looked for from the one on that a hash says. A free one is taken by its record,
 * and then by its address, behind which there is nothing more to come: who finds a record
 * without an address goes on as if it were its own.
 */
take_search:
	PUSH	%rsi
	push	%r8
	push	%r9
	push	%r10
	PUSH	%rax
	mov	%rax, %r8
	mov	%rdi, %r10
.Ltake_again:
	FRAMES	6f
	mov	(%r10), %rdi
	/* What a stack begins with may have none; and that is an entry that has none yet. */
	test	%rdi, %rdi
	jz	8f
	lea	(%rdi,%r8,8), %edx
	imul	$TIMING_HASH, %edx, %edx
	shr	$(32 - TIMING_SLOT_BITS), %edx
	shl	$TIMING_SLOT_LEN_BITS, %edx
	lea	0x7fffffff(%rip), %rcx
	HOLE	table_
	mov	$RETURN_PROBES, %r9d
1:	mov	TIMING_RETURN_RECORD(%rcx,%rdx), %rax
	test	%rax, %rax
	jz	3f
	cmp	%r8, %rax
	jne	2f
	mov	TIMING_RETURN_TO(%rcx,%rdx), %rax
	test	%rax, %rax
	jz	4f
	cmp	%rdi, %rax
	je	5f
2:	add	$(1 << TIMING_SLOT_LEN_BITS), %edx
	and	$RETURN_MASK, %edx
	dec	%r9d
	jnz	1b
8:	lock incq HEAD_MISSED - 1(%rsi)
	cmp	%eax, %eax
	jmp	6f
	/* What is a slot already is in no table. */
3:	call	find_slot
	test	%rax, %rax
	jnz	7f
	lock cmpxchg %r8, TIMING_RETURN_RECORD(%rcx,%rdx)
	jmp	1b
4:	mov	-TO_BLOCK(%r10), %rsi
	xor	%sil, %sil
	movzbl	TIMING_DISPLACED(%rsi), %eax
	add	%rax, %rsi
	mov	%rsi, TIMING_RETURN_BODY(%rcx,%rdx)
	xor	%eax, %eax
	lock cmpxchg %rdi, TIMING_RETURN_TO(%rcx,%rdx)
	jmp	.Ltake_again
	/* Not zero. */
5:	add	%rcx, %rdx
6:	POP	%rax
	pop	%r10
	pop	%r9
	pop	%r8
	POP	%rsi
	ret
	/* The entry RAX is of a function that ends with calling this one. */
7:	mov	%r10, %rdi
	call	leave_by_tail_call
	mov	TIMING_RETURN_TO(%rax), %rax
	mov	%rax, (%r10)
	jmp	.Ltake_again

/* The function of the entry RAX is left by a tail call, RDI: where its return address lies. */
leave_by_tail_call:
	PUSH	%rax
	PUSH	%rcx
	PUSH	%rdx
	push	%r8
	mov	TIMING_RETURN_RECORD(%rax), %r8
	test	$TIMING_COUNTED, %r8b
	jnz	1f
	PUSH	%rsi
	PUSH	%rdi
	push	%r9
	CLOCK	%r9
	call	find
	call	find_sure
	test	%rcx, %rcx
	jz	2f
	cmp	%r8, FRAME_RECORD(%rcx)
	jne	2f
	call	leave_sure
2:	pop	%r9
	POP	%rdi
	POP	%rsi
	jmp	3f
1:	lea	RECORD_EXITS - TIMING_COUNTED(%r8), %rax
	call	timing_count
3:	pop	%r8
	POP	%rdx
	POP	%rcx
	POP	%rax
	ret

/*
 * A function is entered whose return address lies at RDI. If that is a slot's, it is a tail
 * call of the slot's function; in Go there are none (stay_put).
 */
tail_called:
	test	%rdi, %rdi
	js	2f
	PUSH	%rax
	PUSH	%rcx
	PUSH	%rdx
	PUSH	%rsi
	PUSH	%rdi
	LOAD_FRAMES %rsi
	test	%rsi, %rsi
	jz	1f
	or	$1, %rsi
	mov	(%rdi), %rdi
	call	find_slot
	mov	(%rsp), %rdi
	test	%rax, %rax
	jz	1f
	call	leave_by_tail_call
1:	POP	%rdi
	POP	%rsi
	POP	%rdx
	POP	%rcx
	POP	%rax
2:	ret

/* RAX: the entry of the slot that RDI returns to, of any slab; 0: it is none. RSI: the frames and 1. */
find_slot:
	PUSH	%rcx
	PUSH	%rdx
	push	%r8
	lea	TIMING_SLABS - 1(%rsi), %rcx
	mov	$TIMING_NR_SLABS, %r8d
1:	mov	(%rcx), %rdx
	test	%rdx, %rdx
	jz	2f
	mov	%rdi, %rax
	sub	%rdx, %rax
	cmp	8(%rcx), %rax
	jb	3f
	add	$16, %rcx
	dec	%r8d
	jnz	1b
2:	xor	%eax, %eax
	pop	%r8
	POP	%rdx
	POP	%rcx
	ret
	/* RAX bytes behind the start of the slab RDX. */
3:	mov	UNWIND_OF_SLAB(%rdx), %rcx
	test	%rcx, %rcx
	jz	2b
	add	%rdx, %rcx
	mov	UNWIND_SLOTS_AT(%rcx), %r8d
	test	%r8d, %r8d
	jz	2b
	sub	%r8, %rax
	sub	$(1 + TIMING_SLOT_RETURN), %rax
	test	$~RETURN_MASK, %rax
	jnz	2b
	mov	UNWIND_TABLE(%rcx), %ecx
	add	%rcx, %rax
	add	%rdx, %rax
	/* Whoever returns there knows where to go on. */
	cmpq	$0, TIMING_RETURN_TO(%rax)
	je	2b
	pop	%r8
	POP	%rdx
	POP	%rcx
	ret

/* RCX becomes the record of the slot that timing_return was called from. */
.macro RETURN_RECORD pushed
	mov	\pushed * 8(%rsp), %rcx
	mov	0x7fffffff(%rcx), %rcx
	HOLE entry_
.endm

/* From a slot: a function has returned to it. The return address lies 120 bytes above. */
timing_return:
	PUSH	%rax
	PUSH	%rcx
	RETURN_RECORD 2
	mov	%rcx, %rax
	POP	%rcx
	call	timing_leave
	POP	%rax
	ret

timing_return_counted:
	PUSH	%rax
	PUSH	%rcx
	lahf
	seto	%al
	RETURN_RECORD 2
	COUNT	(RECORD_EXITS - TIMING_COUNTED), %rcx
	add	$127, %al
	sahf
	POP	%rcx
	POP	%rax
	ret

/* ---- what is seldom needed ------------------------------------------------------ */

/* RSI: the frames, where the gate is not open, or 0. ZF: not to; else RSI is 1 behind them. */
frames_shut:
	test	%rsi, %rsi
	jz	1f
	PUSH	%rax
	PUSH	%rcx
	call	timing_code - CODE_AT + GATE_AT
	POP	%rcx
	POP	%rax
	jz	1f
	inc	%rsi
1:	ret

/*
 * The thread RSI, found by the frame RCX of RDI, has no lane of its own: it may be one that
 * is gone, or nobody. RSI: the one that runs, RCX: 0 where nothing is measured any more.
 * Changes RDX.
 */
find_sure:
	cmpq	$THREAD_FREE, (%rsi)
	je	1f
	testb	$THREAD_LEFT, (%rsi)
	jz	3f
1:	LOAD_FRAMES %rsi
	test	%rsi, %rsi
	jz	2f
	test	%rdi, %rdi
	js	4f
	or	$1, %rsi
	jmp	find
2:	xor	%ecx, %ecx
3:	ret
	/* The frame is right. */
4:	PUSH	%rax
	push	%r8
	mov	%rsi, %r8
	and	$-2, %r8
	call	find_thread
	pop	%r8
	POP	%rax
	ret

/*
 * RDI, where a return address of Go lies, becomes a number that stays what it is when the stack
 * is copied to where there is more room: made of the goroutine, R14, which begins with the
 * bounds of its stack, and of the distance from its end. It is never an address that a program
 * may have. What runs on another stack, and the first thread's own, keep their addresses.
 * Changes RDX.
 */
stay_put:
	mov	%r14, %rdx
	shr	$32, %rdx
	jz	1f
	cmp	0(%r14), %rdi
	jb	1f
	mov	8(%r14), %rdx
	sub	%rdi, %rdx
	jbe	1f
	mov	%r14, %rdi
	shl	$GO_STACK_BITS, %rdi
	sub	%rdx, %rdi
	bts	$63, %rdi
1:	ret

/*
 * A function of Go is entered, RDI and RCX: its frame; RSI: the thread, which may have run
 * another goroutine since. Its innermost frame becomes this goroutine's: it is that already, or
 * one that has ended, which had no caller (leave_sure); or it is looked for above, as far as a
 * frame is large for the most part. Changes RDX.
 */
find_caller:
	PUSH	%rax
	mov	THREAD_INNER(%rsi), %rax
	test	%rax, %rax
	jz	1f
	mov	FRAME_ADDRESS(%rax), %rdx
	cmp	%rdi, %rdx
	jbe	1f
	xor	%rdi, %rdx
	shr	$(GO_STACK_BITS + GO_ALIGN_BITS), %rdx
	jnz	1f
	cmp	%rdx, FRAME_RECORD(%rax)
	je	4f
	POP	%rax
	ret
	/* No further than to the page's end. */
1:	mov	%edi, %eax
	or	$-4096, %eax
	cmp	$-GO_CALLER_NEAR, %eax
	jge	2f
	mov	$-GO_CALLER_NEAR, %eax
2:	mov	%rcx, %rdx
3:	add	$FRAME_LEN, %rdx
	add	$8, %eax
	jc	4f
	cmpq	$0, FRAME_RECORD(%rdx)
	je	3b
	mov	%rdx, THREAD_INNER(%rsi)
	POP	%rax
	ret
4:	andq	$0, THREAD_INNER(%rsi)
	POP	%rax
	ret

/* As FIND, whatever is not there yet. */
find:
	PUSH	%rax
	push	%r8
	lea	-1(%rsi), %r8
	lea	HEAD_NOBODY(%r8), %rsi
	call	find_page
	xor	%ecx, %ecx
	test	%rdx, %rdx
	jz	3f
	mov	%edi, %ecx
	and	$0xfff, %ecx
	lea	(%rcx,%rcx,4), %rcx
	add	8(%rdx), %rcx
	mov	16(%rdx), %rsi
	/* Stacks of Go are nobody's: all come by find_sure. */
	test	%rdi, %rdi
	js	3f
	cmpq	$THREAD_FREE, (%rsi)
	je	1f
	testb	$THREAD_LEFT, (%rsi)
	jz	3f
1:	call	find_thread
	PUSH	%rdx
	call	is_own
	POP	%rdx
	jae	3f
	/* From now on the page says so. */
	mov	%rsi, 16(%rdx)
3:	pop	%r8
	POP	%rax
	ret

/*
 * RSI: the entry of this thread in the frames R8, which the module makes if there is none,
 * or nobody's. Changes RAX.
 */
find_thread:
	PUSH	%rcx
	PUSH	%rdx
	PUSH	%rdi
	rdfsbase %rax
1:	mov	%rax, %rcx
	shr	$6, %rcx
	imul	$TIMING_HASH, %ecx, %ecx
	shr	$(32 - TIMING_THREAD_BITS), %ecx
	shl	$TIMING_THREAD_LEN_BITS, %ecx
	mov	$(1 << TIMING_THREAD_BITS), %edx
2:	lea	(%r8,%rcx), %rdi
	mov	(%rdi), %rsi
	cmp	%rax, %rsi
	je	5f
	test	%rsi, %rsi
	jz	3f
	xor	$THREAD_LEFT, %rsi
	cmp	%rax, %rsi
	je	3f
	add	$(1 << TIMING_THREAD_LEN_BITS), %ecx
	and	$((1 << (TIMING_THREAD_BITS + TIMING_THREAD_LEN_BITS)) - 1), %ecx
	dec	%edx
	jnz	2b
	jmp	4f
	/* The page is there when the module writes to it. */
3:	lock orq $0, (%rdi)
	PUSH	%rax
	/* The answer of a module that is gone. */
	mov	$1, %eax
	call	thread_trap
	test	%eax, %eax
	POP	%rax
	jz	1b
4:	lea	HEAD_NOBODY(%r8), %rdi
5:	mov	%rdi, %rsi
	POP	%rdi
	POP	%rdx
	POP	%rcx
	ret

/*
 * RDX: the entry of the stack page of RDI in the frames R8, which gets a block if it has
 * none; 0: there is none left. Changes RAX.
 */
find_page:
	PUSH	%rcx
	push	%r9
	mov	%rdi, %r9
	and	$~0xfff, %r9
	mov	%edi, %ecx
	shr	$7, %ecx
	and	$PAGE_MASK, %ecx
1:	lea	TIMING_PAGES(%r8,%rcx), %rdx
	cmp	%r9, (%rdx)
	je	5f
	cmpq	$0, 8(%rdx)
	je	3f
2:	add	$32, %ecx
	and	$PAGE_MASK, %ecx
	jmp	1b
3:	mov	$1, %eax
	lock xadd %rax, HEAD_BLOCKS(%r8)
	cmp	$TIMING_BLOCKS, %rax
	jae	4f
	imul	$TIMING_BLOCK_LEN, %rax, %rax
	lea	TIMING_FRAMES(%r8,%rax), %rcx
	/* Another thread may want this entry, or a handler that this one runs. */
	xor	%eax, %eax
	lock cmpxchg %rcx, 8(%rdx)
	lea	-TIMING_PAGES(%rdx), %rcx
	jne	6f
	lea	HEAD_NOBODY(%r8), %rax
	mov	%rax, 16(%rdx)
	mov	%r9, (%rdx)
	jmp	5f
6:	sub	%r8d, %ecx
	jmp	2b
4:	lock decq HEAD_BLOCKS(%r8)
	lock incq HEAD_MISSED(%r8)
	xor	%edx, %edx
5:	pop	%r9
	POP	%rcx
	ret

/*
 * EAX: where group number RCX of the record R8 begins in the frames; but for number 0 it
 * has only the buckets from 32 on. Changes RDX.
 */
give_group:
	LOAD_FRAMES %rdx
	and	$-2, %rdx
	jz	2f
	PUSH	%rdi
	xor	%edi, %edi
	cmp	$1, %ecx
	adc	$1, %edi
	mov	%rdi, %rax
	lock xadd %rax, HEAD_GROUPS(%rdx)
	cmp	$TIMING_GROUPS_MAX, %rax
	jae	1f
	shl	$8, %eax
	cmp	$1, %ecx
	sbb	%edi, %edi
	not	%edi
	and	$-256, %edi
	lea	TIMING_GROUPS_AT(%rax,%rdi), %edi
	xor	%eax, %eax
	lock cmpxchg %edi, RECORD_GROUP(%r8,%rcx,4)
	cmove	%edi, %eax
	POP	%rdi
	ret
	/* All that finds none goes behind the last. */
1:	neg	%rdi
	lock addq %rdi, HEAD_GROUPS(%rdx)
	POP	%rdi
2:	mov	$(TIMING_GROUPS_AT + 256 * (TIMING_GROUPS_MAX + 2)), %eax
	ret

	.subsection 1
	.subsection 2
	.org	TRAP_AT - CODE_AT
thread_trap:
	int3
	ret
timing_code_end:

	.irp of, frames_, gate_, table_, slot_, entry_
	.section .rodata.timing_\of\()holes, "a"
timing_\of\()holes_end:
	.endr

	.section .note.GNU-stack,"",@progbits
