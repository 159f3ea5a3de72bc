// SPDX-License-Identifier: GPL-2.0
/* A function that is left by an exception, and one that catches it; to be timed. */
#include <cstdio>

extern "C" __attribute__((noinline, noclone)) void throw_it(int value)
{
	if (value % 2)
		throw value;
	__asm__ volatile("");
}

extern "C" __attribute__((noinline, noclone)) int throw_catch(int value)
{
	try {
		throw_it(value);
	} catch (int caught) {
		return caught;
	}
	return 0;
}

int main()
{
	int sum = 0;

	for (int i = 0; i < 10; i++)
		sum += throw_catch(i);
	std::printf("%d\n", sum);
}
