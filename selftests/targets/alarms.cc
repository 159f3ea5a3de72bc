// SPDX-License-Identifier: GPL-2.0
/*
 * Handlers throw out of functions that they interrupt anywhere.
 *
 * Unwinders may take the byte before an address for what was interrupted there (LLVM's did, as
 * of 14): so these functions do nothing to the stack, and what lies before one has the same
 * frame.
 */
#include <csignal>
#include <cstdio>
#include <sys/time.h>

#include "unwinds.h"

#define BEGIN(name)	".p2align 4\n.type before_" #name ", @function\n"		\
			"before_" #name ": .cfi_startproc\n.skip 15, 0x90\n ret\n"	\
			".cfi_endproc\n.size before_" #name ", . - before_" #name "\n"	\
			".globl " #name "\n.type " #name ", @function\n"		\
			#name ": .cfi_startproc\n"
#define END(name)	".cfi_endproc\n.size " #name ", . - " #name "\n"

__asm__(".text\n"
	BEGIN(interrupted)
	"	lea 1(%rdi), %rax\n"
	"	nop\n"
	"	ret\n"
	END(interrupted)
	BEGIN(call_for_ever)
	"	nop\n"
	"	nop\n"
	"1:	mov $1, %edi\n"
	"	call interrupted\n"
	"	jmp 1b\n"
	END(call_for_ever));

extern "C" {
void call_for_ever();
/* In libc's header it is said to throw nothing. */
int set_alarm(int which, const itimerval *in, itimerval *before) __asm__("setitimer");
}

static volatile long thrown, caught;

static void on_alarm(int)
{
	thrown = thrown + 1;
	throw thrown + 0;
}

static void unblock()
{
	sigset_t alarm;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &alarm, nullptr);
}

FRAME static void be_interrupted(long microseconds)
{
	const itimerval in = { { 0, 0 }, { 0, microseconds } };

	unblock();
	try {
		set_alarm(ITIMER_REAL, &in, nullptr);
		call_for_ever();
	} catch (long number) {
		caught = caught + (number == thrown);
	}
}

int main()
{
	const long times = scaled(20000);

	std::signal(SIGALRM, on_alarm);
	for (long i = 0; i < times; i++)
		be_interrupted(100 + i % 37);
	CHECK(caught == times);
	std::printf("%ld caught\n", caught + 0);
	return unwinds_failed;
}
