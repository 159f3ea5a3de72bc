// SPDX-License-Identifier: GPL-2.0
/*
 * Exceptions through 1, 16 and 1000 frames in the ways of ../unit/throws.cc, and in some
 * more. With "faults" also out of handlers of SIGSEGV.
 */
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>

#include "throws.h"
#include "unwinds.h"

/* throws_c.c, built without -fexceptions. */
extern "C" int timed_plain_c_frame(int frames, int (*last)(int), int arg);

static void expect(const char *what, int frames, int wrong)
{
	printf("%s, %d: %s\n", what, frames, wrong ? "wrong" : "right");
	unwinds_failed |= wrong;
}

/* ---- in which order ------------------------------------------------------------ */

static std::string order;

struct numbered {
	int number;

	~numbered()
	{
		order += std::to_string(number) + ' ';
	}
};

FRAME static int ordered(int frames)
{
	numbered numbered = { frames };

	if (!frames)
		throw std::runtime_error("ordered");
	int value = ordered(frames - 1);
	KEEP;
	return value + 1;
}

static int in_order(int frames)
{
	std::string expected;

	order.clear();
	for (int i = 0; i <= frames; i++)
		expected += std::to_string(i) + ' ';
	try {
		ordered(frames);
	} catch (const std::runtime_error &) {
		return order != expected;
	}
	return 1;
}

/* ---- what is caught becomes part of what is thrown ------------------------------- */

FRAME static int nesting(int frames)
{
	if (!frames)
		throw std::runtime_error("0");
	try {
		int value = nesting(frames - 1);
		KEEP;
		return value + 1;
	} catch (...) {
		std::throw_with_nested(std::runtime_error(std::to_string(frames)));
	}
}

static int depth_of(const std::exception &outer)
{
	try {
		std::rethrow_if_nested(outer);
	} catch (const std::exception &inner) {
		return 1 + depth_of(inner);
	}
	return 0;
}

static int nested(int frames)
{
	try {
		nesting(frames);
	} catch (const std::exception &outer) {
		return depth_of(outer) != frames || std::to_string(frames) != outer.what();
	}
	return 1;
}

/* ---- another one, of another type, leaves each frame ------------------------------ */

FRAME static int translating(int frames)
{
	if (!frames)
		throw 0;
	try {
		return translating(frames - 1) + 1;
	} catch (int value) {
		throw static_cast<long>(value) + 1;
	} catch (long value) {
		throw static_cast<int>(value) + 1;
	}
}

static int translated(int frames)
{
	try {
		translating(frames);
	} catch (int value) {
		return value != frames;
	} catch (long value) {
		return value != frames;
	}
	return 1;
}

/* ---- tail calls, and the handler right above ---------------------------------------- */

FRAME static int throwing(int value)
{
	if (value)
		throw value;
	KEEP;
	return 0;
}

FRAME static int tail(int frames)
{
	asm volatile("nop; nop; nop; nop; nop");
	if (frames)
		return tail(frames - 1);
	return throwing(5);
}

static int below_a_handler(int frames)
{
	int sum = 0;

	try {
		throwing(3);
	} catch (int value) {
		sum += value;
	}
	try {
		tail(frames);
	} catch (int value) {
		sum += value;
	}
	return sum != 8;
}

/* A handler's own frames are entered while there is an exception. */
static int in_a_handler(int frames)
{
	int wrong = 0;

	try {
		throwing(1);
	} catch (int) {
		wrong |= throws_through(frames) | throws_in_cleanup(frames);
	}
	return wrong;
}

/* ---- through C ------------------------------------------------------------------ */

static int throw_in_c(int)
{
	throw std::runtime_error("C");
}

static int through_plain_c(int frames)
{
	try {
		timed_plain_c_frame(frames, throw_in_c, 0);
	} catch (const std::runtime_error &) {
		return 0;
	}
	return 1;
}

FRAME static int compare(const void *key, const void *member)
{
	if (*static_cast<const int *>(key) == *static_cast<const int *>(member))
		throw std::runtime_error("found");
	KEEP;
	return *static_cast<const int *>(key) - *static_cast<const int *>(member);
}

static int through_bsearch(int frames)
{
	const int numbers[] = { 1, 2, 3, 5, 8, 13, 21 }, key = frames % 2 ? 1 : 21;

	try {
		bsearch(&key, numbers, 7, sizeof(numbers[0]), compare);
	} catch (const std::runtime_error &) {
		return 0;
	}
	return 1;
}

/* ---- all of them -------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*run)(int frames);
} ways[] = {
	{ "through", throws_through },
	{ "caught and thrown again in each", throws_again },
	{ "others thrown and caught in cleanups", throws_in_cleanup },
	{ "in order", in_order },
	{ "nested", nested },
	{ "translated", translated },
	{ "below a handler", below_a_handler },
	{ "in a handler", in_a_handler },
	{ "through C with exceptions, and qsort", throws_through_c },
	{ "through C without exceptions", through_plain_c },
	{ "through bsearch", through_bsearch },
	{ "in another thread", throws_later },
	{ "and calls behind it", throws_and_calls },
};

static void faults()
{
	for (int i = 0; i < 20; i++) {
		expect("a handler throws to who destroys", i,
		       throws_in_handler(timed_fault_cleaned));
		expect("a handler throws to who catches", i,
		       throws_in_handler(timed_fault_caught));
	}
}

int main(int argc, char **argv)
{
	static const int frames[] = { 0, 15, 999 };

	for (auto &way : ways)
		for (int nr : frames)
			expect(way.name, nr + 1, way.run(nr));
	if (argc > 1 && !strcmp(argv[1], "faults"))
		faults();
	return unwinds_failed;
}
