// SPDX-License-Identifier: GPL-2.0
/*
 * A function that is left by an exception, and one that catches it; to be timed. "fault": one
 * that faults, and a handler that throws. "wait": not without a word does it end.
 */
#include <csignal>
#include <cstdio>
#include <cstring>

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

extern "C" __attribute__((noinline, noclone)) int throw_faults(volatile int *at)
{
	int value = *at;

	__asm__ volatile("");
	return value;
}

static void on_fault(int)
{
	throw 7;
}

static int catch_fault()
{
	try {
		return throw_faults(reinterpret_cast<volatile int *>(8));
	} catch (int caught) {
		return caught;
	}
}

static int faults()
{
	struct sigaction action = {};
	int sum = 0;

	action.sa_handler = on_fault;
	action.sa_flags = SA_NODEFER;
	sigaction(SIGSEGV, &action, nullptr);
	for (int i = 0; i < 100; i++)
		sum += catch_fault();
	return sum;
}

int main(int argc, char **argv)
{
	bool waits = argc > 1 && !std::strcmp(argv[1], "wait");
	int sum = argc > 1 && !waits ? faults() : 0;

	for (int i = 0; i < 10; i++)
		sum += throw_catch(i);
	std::printf("%d\n", sum);
	std::fflush(stdout);
	if (waits)
		std::getchar();
}
