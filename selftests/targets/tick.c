// SPDX-License-Identifier: GPL-2.0
/* A small library. */
void tick(void);

__attribute__((noinline)) void tick(void)
{
	__asm__ volatile("nop; nop; nop; nop; nop");
}
