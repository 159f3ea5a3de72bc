// SPDX-License-Identifier: GPL-2.0
/* C between what throws and what catches: built with -fexceptions, as libc is. */
#include "throws.h"

__attribute__((noinline)) int timed_c_frame(int frames, int (*last)(int), int arg)
{
	int value = frames ? timed_c_frame(frames - 1, last, arg) : last(arg);

	__asm__ volatile("");
	return value + 1;
}
