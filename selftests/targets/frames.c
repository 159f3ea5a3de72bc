// SPDX-License-Identifier: GPL-2.0
/*
 * A program with frames that a debugger can look at, at any instruction: each function
 * has been called by the one that is next in the chain.
 *
 *	main -> frames_outer -> frames_middle -> frames_inner -> frames_leaf
 *
 * It is compiled without frame pointers, so that nothing can be guessed. It says
 * "ready" when it begins, and ends when there is something on its stdin.
 */

#include <poll.h>
#include <unistd.h>

#define FRAME __attribute__((noinline, noclone, noipa))

FRAME unsigned long frames_leaf(unsigned long x)
{
	return x * 3 + 1;
}

FRAME unsigned long frames_inner(unsigned long x)
{
	volatile unsigned long local[13];

	for (unsigned int i = 0; i < 2; i++)
		local[i] = frames_leaf(x + i);
	return local[0] ^ local[1];
}

/* It has an exit that is a jump to another function. */
FRAME unsigned long frames_middle(unsigned long x)
{
	if (x & 1)
		return frames_inner(x);
	return frames_inner(x + 1) + frames_leaf(x);
}

FRAME unsigned long frames_outer(unsigned long x)
{
	volatile unsigned long kept = x;

	return frames_middle(x) + frames_middle(kept + 1) + kept;
}

int main(void)
{
	struct pollfd end = { .fd = STDIN_FILENO, .events = POLLIN };
	unsigned long sum = 0;

	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 2;
	for (unsigned long i = 0; poll(&end, 1, 1) == 0; i++)
		sum += frames_outer(i);
	return sum == 1;
}
