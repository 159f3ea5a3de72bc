// SPDX-License-Identifier: GPL-2.0
/*
 * Exceptions that end the program, how is said by its argument; each prints what
 * std::terminate() does, and "handler" and "exits" what a handler of ours does.
 */
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>

#include "own_frames.h"
#include "unwinds.h"

/* ../unit/throws_c.c, built with no tables to unwind by. */
extern "C" int timed_bare_c_frame(int frames, int (*last)(int), int arg);

extern "C" FRAME int own_throws(int frames)
{
	if (!frames)
		throw std::runtime_error("nobody catches this");
	int value = own_throws(frames - 1);
	KEEP;
	return value + 1;
}

struct loud {
	~loud()
	{
		std::puts("destroyed");
		std::fflush(stdout);
	}
};

FRAME static int destroys(int frames)
{
	loud loud;
	int value = own_throws(frames);
	KEEP;
	return value;
}

FRAME static int does_not_throw(int frames) noexcept
{
	loud loud;
	int value = destroys(frames);
	KEEP;
	return value;
}

struct bad {
	~bad() noexcept(false)
	{
		throw std::logic_error("from a destructor");
	}
};

FRAME static int two_at_once(int frames)
{
	bad bad;
	int value = own_throws(frames);
	KEEP;
	return value;
}

/* Through C that nobody can unwind: as if nobody caught it. */
FRAME static int through_bare_c(int frames)
{
	try {
		return timed_bare_c_frame(3, own_throws, frames);
	} catch (const std::runtime_error &) {
		std::puts("caught");
		return 1;
	}
}

FRAME static int thrown_again(int)
{
	throw;
}

/* The frames that were thrown from are still there. */
static void on_terminate()
{
	std::puts("terminating");
	print_own_frames();
	try {
		throw;
	} catch (const std::exception &error) {
		std::puts(error.what());
	}
	std::fflush(stdout);
	_exit(3);
}

static void leave()
{
	std::exit(own_frames() ? 4 : 5);
}

static const struct {
	const char *name;
	int (*run)(int frames);
	void (*handler)();
} ends[] = {
	{ "uncaught", destroys, nullptr },
	{ "noexcept", does_not_throw, nullptr },
	{ "two", two_at_once, nullptr },
	{ "bare", through_bare_c, nullptr },
	{ "nothing", thrown_again, nullptr },
	{ "handler", destroys, on_terminate },
	{ "exits", does_not_throw, leave },
};

extern "C" FRAME int own_main(int (*run)(int))
{
	int value = run(5);
	KEEP;
	return value;
}

int main(int argc, char **argv)
{
	for (auto &end : ends) {
		if (argc < 2 || strcmp(argv[1], end.name))
			continue;
		if (end.handler)
			std::set_terminate(end.handler);
		return own_main(end.run);
	}
	return 1;
}
