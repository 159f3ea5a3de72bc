// SPDX-License-Identifier: GPL-2.0
/*
 * longjmp() and siglongjmp() out of 1 to 1000 frames, a million times, and out of handlers
 * on a stack of their own. There is no more memory in use then than before.
 */
#include <setjmp.h>
#include <signal.h>
#include <string.h>

#include "unwinds.h"

static jmp_buf plain;
static sigjmp_buf with_mask;
static void (*volatile leave)(jmp_buf, int) = longjmp;
static void (*volatile leave_with_mask)(sigjmp_buf, int) = siglongjmp;

FRAME static int jumps_frame(int frames, int value)
{
	int result = 0;

	if (frames)
		result = jumps_frame(frames - 1, value);
	else if (value % 2)
		leave_with_mask(with_mask, value);
	else
		leave(plain, value);
	KEEP;
	return result + 1;
}

FRAME static int jump_plain(int frames, int value)
{
	volatile int before = value + 7;
	int got = setjmp(plain);

	if (!got)
		return jumps_frame(frames, value);
	return before == got + 7 ? got : -1;
}

FRAME static int jump_with_mask(int frames, int value)
{
	volatile int before = value + 7;
	int got = sigsetjmp(with_mask, value % 4 == 1);

	if (!got)
		return jumps_frame(frames, value);
	return before == got + 7 ? got : -1;
}

/* Most times out of one frame or two, and more seldom out of more. */
static int frames_of(long i)
{
	return i % 1000 == 0 ? 999 : i % 100 == 0 ? 99 : i % 10 == 0 ? 9 : (int)(i % 2);
}

static int jump_times(long times)
{
	int wrong = 0;

	for (long i = 1; i <= times; i++) {
		int value = (int)(i % 4096) + 1;
		int (*jump)(int, int) = value % 2 ? jump_with_mask : jump_plain;

		wrong |= jump(frames_of(i), value) != value;
	}
	return wrong;
}

/* ---- out of handlers ----------------------------------------------------------- */

static sigjmp_buf interrupted;

FRAME static int handler_frame(int frames, int value)
{
	int result = 0;

	if (frames)
		result = handler_frame(frames - 1, value);
	else
		leave_with_mask(interrupted, value);
	KEEP;
	return result + 1;
}

static void on_signal(int number)
{
	handler_frame(20, number);
}

FRAME static int interrupt(int frames)
{
	int result;

	if (!frames)
		return raise(SIGUSR1);
	result = interrupt(frames - 1);
	KEEP;
	return result + 1;
}

static int interrupt_times(long times)
{
	volatile int wrong = 0;

	for (volatile long i = 0; i < times; i++) {
		int got = sigsetjmp(interrupted, 1);

		if (!got)
			wrong |= interrupt(i % 20) || 1;
		else
			wrong |= got != SIGUSR1;
	}
	return wrong;
}

static void use_own_stack(void)
{
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };

	CHECK(!sigaltstack(&stack, NULL));
	CHECK(!sigaction(SIGUSR1, &action, NULL));
}

int main(void)
{
	const long times = scaled(1000000), interrupts = scaled(20000);
	long resident;

	use_own_stack();
	CHECK(!jump_times(2000));
	CHECK(!interrupt_times(20));
	resident = resident_kib();
	CHECK(!jump_times(times));
	CHECK(!interrupt_times(interrupts));
	CHECK(resident_kib() < resident + BOUND_KIB);
	printf("%ld jumps, %ld out of handlers\n", times, interrupts);
	return unwinds_failed;
}
