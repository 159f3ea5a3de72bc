// SPDX-License-Identifier: GPL-2.0
/*
 * Who walks its stack with the other libunwind, nongnu's, finds what libgcc finds, by
 * whatever functions it was called. There may be no header of it: this is its ABI.
 */
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unwind.h>

#include "unwinds.h"

#define FRAMES 200
#define CURSOR_WORDS 127
#define RIP 16

int _Ux86_64_getcontext(ucontext_t *context);
int _ULx86_64_init_local(uint64_t *cursor, ucontext_t *context);
int _ULx86_64_step(uint64_t *cursor);
int _ULx86_64_get_reg(uint64_t *cursor, int reg, uint64_t *value);

/* It ends in the middle of another one: of its exits not all are its own. */
FRAME int calls_somehow(int (*function)(int frames), int frames);
__asm__(".text\n"
	".macro begin name\n"
	"	.type \\name, @function\n"
	"\\name:	.cfi_startproc\n"
	"	push %rbx\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	.cfi_offset rbx, -16\n"
	"	mov %rdi, %rbx\n"
	".endm\n"
	".macro end name\n"
	"	.cfi_endproc\n"
	"	.size \\name, . - \\name\n"
	".endm\n"
	"begin calls_somehow\n"
	"	mov %esi, %edi\n"
	"	jmp somehow\n"
	"end calls_somehow\n"
	"begin calls_with_one_more\n"
	"	lea 1(%rsi), %edi\n"
	"somehow:\n"
	"	call *%rbx\n"
	"	pop %rbx\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	.cfi_restore rbx\n"
	"	ret\n"
	"end calls_with_one_more\n");

struct walk {
	uint64_t ip[FRAMES];
	int nr;
};

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *to)
{
	struct walk *walk = to;

	if (walk->nr == FRAMES || !_Unwind_GetIP(context))
		return _URC_END_OF_STACK;
	walk->ip[walk->nr++] = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

static void walk_nongnu(struct walk *walk)
{
	uint64_t cursor[CURSOR_WORDS], ip;
	ucontext_t context;

	_Ux86_64_getcontext(&context);
	if (_ULx86_64_init_local(cursor, &context))
		return;
	while (_ULx86_64_step(cursor) > 0 && walk->nr < FRAMES) {
		if (_ULx86_64_get_reg(cursor, RIP, &ip) || !ip)
			return;
		walk->ip[walk->nr++] = ip;
	}
}

/* Both begin with who called this; that differs in where it was called from. */
FRAME static int frames_agree(void)
{
	struct walk nongnu = { .nr = 0 }, libgcc = { .nr = 0 };

	walk_nongnu(&nongnu);
	_Unwind_Backtrace(add_frame, &libgcc);
	for (int skip = 0; skip < 3 && skip < libgcc.nr; skip++) {
		const uint64_t *from = libgcc.ip + skip;
		int nr = libgcc.nr - skip;

		if (nongnu.nr > 3 && nr == nongnu.nr &&
		    !memcmp(from + 1, nongnu.ip + 1, (size_t)(nr - 1) * sizeof(*from)))
			return nr;
	}
	printf("%d frames, and %d\n", nongnu.nr, libgcc.nr);
	return 0;
}

FRAME static int stepped(int frames)
{
	int own;

	if (!frames)
		own = frames_agree();
	else if (frames % 3)
		own = stepped(frames - 1);
	else
		own = calls_somehow(stepped, frames - 1);
	KEEP;
	return own;
}

int main(void)
{
	long times = scaled(20000);

	for (long i = 0; i < times; i++) {
		int own = stepped((int)(i % 60));

		CHECK(own);
		if (i < 60)
			printf("%d frames\n", own);
	}
	return unwinds_failed;
}
