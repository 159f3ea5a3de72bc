// SPDX-License-Identifier: GPL-2.0
#include "throws.h"

#include <csignal>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <ucontext.h>

#define TIMED extern "C" __attribute__((noinline, noclone, used))
#define KEEP asm volatile("")

unsigned long fault_address;

/* More than a jump, and no tail call. */
TIMED int timed_frame(int frames)
{
	if (!frames)
		throw std::runtime_error("timed");
	int value = timed_frame(frames - 1);
	KEEP;
	return value + 1;
}

static int caught_as(int (*frame)(int), int frames)
{
	try {
		frame(frames);
	} catch (const std::runtime_error &error) {
		return error.what() == std::string("timed") ? 0 : 1;
	}
	return 2;
}

int throws_through(int frames)
{
	return caught_as(timed_frame, frames);
}

TIMED int timed_rethrower(int frames)
{
	if (!frames)
		throw std::runtime_error("timed");
	try {
		int value = timed_rethrower(frames - 1);
		KEEP;
		return value + 1;
	} catch (...) {
		throw;
	}
}

int throws_again(int frames)
{
	return caught_as(timed_rethrower, frames);
}

TIMED void timed_small_throw(int value)
{
	if (value)
		throw value;
	KEEP;
}

TIMED int timed_returns(int value)
{
	KEEP;
	return value + 1;
}

struct cleaner {
	~cleaner()
	{
		try {
			timed_small_throw(timed_returns(1));
		} catch (int) {
		}
	}
};

TIMED int timed_cleaned(int frames)
{
	cleaner cleaner;

	if (!frames)
		throw std::runtime_error("timed");
	int value = timed_cleaned(frames - 1);
	KEEP;
	return value + 1;
}

int throws_in_cleanup(int frames)
{
	return caught_as(timed_cleaned, frames);
}

struct returner {
	~returner()
	{
		timed_returns(1);
	}
};

/* What it calls has nothing to destroy, and the destructor is called where that was. */
TIMED int timed_above(int frames)
{
	returner returner;
	int value = timed_frame(frames);
	KEEP;
	return value + 1;
}

int throws_past(int frames)
{
	return caught_as(timed_above, frames);
}

TIMED int timed_sort_compare(const void *a, const void *b)
{
	if (*(const int *)a == 7 || *(const int *)b == 7)
		throw std::runtime_error("timed");
	KEEP;
	return *(const int *)a - *(const int *)b;
}

static int sort_and_throw(int nr)
{
	int numbers[64];

	for (int i = 0; i < 64; i++)
		numbers[i] = (i * 37 + nr) % 64;
	qsort(numbers, 64, sizeof(numbers[0]), timed_sort_compare);
	return 0;
}

int throws_through_c(int frames)
{
	return caught_as([](int nr) { return timed_c_frame(nr, sort_and_throw, nr); }, frames);
}

static void on_fault(int, siginfo_t *, void *context)
{
	fault_address = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	throw std::runtime_error("timed");
}

static int destroyed;

struct witness {
	~witness()
	{
		destroyed++;
	}
};

TIMED int timed_fault_caller(int (*function)(volatile int *), volatile int *at)
{
	witness witness;
	int value = function(at);
	KEEP;
	return value + 1;
}

/* What faults is in the function that has something to destroy. */
TIMED int timed_fault_cleaned(volatile int *at)
{
	witness witness;
	int value = *at;
	KEEP;
	return value + timed_returns(value);
}

/* ... or that catches it. */
TIMED int timed_fault_caught(volatile int *at)
{
	try {
		int value = *at;
		KEEP;
		return value + 1;
	} catch (const std::runtime_error &) {
		destroyed++;
		throw;
	}
}

static int destroyed_by(int (*function)(volatile int *))
{
	return function == timed_fault_cleaned || function == timed_fault_caught ? 2 : 1;
}

int throws_in_handler(int (*function)(volatile int *))
{
	struct sigaction action = {}, before;
	int result;

	destroyed = 0;
	action.sa_sigaction = on_fault;
	action.sa_flags = SA_NODEFER | SA_SIGINFO;
	sigaction(SIGSEGV, &action, &before);
	try {
		timed_fault_caller(function, (volatile int *)8);
		result = 2;
	} catch (const std::runtime_error &error) {
		result = error.what() == std::string("timed") ? 0 : 1;
	}
	sigaction(SIGSEGV, &before, nullptr);
	if (!result && destroyed != destroyed_by(function))
		return 5;
	return result;
}

int throws_later(int frames)
{
	std::exception_ptr thrown;
	int result = 3;

	std::thread([&] {
		try {
			timed_frame(frames);
		} catch (...) {
			thrown = std::current_exception();
		}
	}).join();
	std::thread([&] {
		try {
			std::rethrow_exception(thrown);
		} catch (const std::runtime_error &) {
			result = 0;
		}
	}).join();
	return result;
}

int throws_and_calls(int frames)
{
	int result = throws_through(frames);

	for (int i = 0; i < 10; i++)
		if (timed_returns(i) != i + 1)
			return 4;
	return result;
}
