// SPDX-License-Identifier: GPL-2.0
/* A library to be opened while a program runs. */
long lib_function(long value);

long lib_function(long value)
{
	__asm__ volatile("nop; nop; nop; nop; nop");
	return value + 3;
}
