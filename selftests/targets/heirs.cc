// SPDX-License-Identifier: GPL-2.0
/*
 * Children that leave the frames that their parents called: by exceptions, by jumps, by
 * returning, and from threads; and who end by exit().
 */
#include <csetjmp>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>

#include "unwinds.h"

enum leave { THROW, JUMP, RETURN, LEAVES };

static jmp_buf above;
static void (*volatile jump)(jmp_buf, int) = longjmp;
static int destroyed;

struct witness {
	~witness()
	{
		destroyed++;
	}
};

/* In the child: how many frames it was called through. */
FRAME static int fork_below(int frames, leave how, pid_t *child)
{
	int value;

	if (frames) {
		if (how == JUMP) {
			value = fork_below(frames - 1, how, child);
		} else {
			witness witness;

			value = fork_below(frames - 1, how, child);
		}
		KEEP;
		return value + 1;
	}
	*child = fork();
	if (!*child && how == THROW)
		throw std::runtime_error("child");
	if (!*child && how == JUMP)
		jump(above, 1);
	return 0;
}

/* 0: in the parent, too; 1: in the child, all is wrong; 2: it is right. */
FRAME static int leave_frames(int frames, leave how, pid_t *child)
{
	destroyed = 0;
	if (setjmp(above))
		return 2;
	try {
		int value = fork_below(frames, how, child);

		return *child ? 0 : 1 + (value == frames && destroyed == frames);
	} catch (const std::runtime_error &error) {
		return 1 + (error.what() == std::string("child") && destroyed == frames);
	}
}

static void child_ends_well(int frames, leave how)
{
	static pid_t child;
	int got = leave_frames(frames, how, &child), status;

	if (got) {
		/* Some more of it, now that there are other frames. */
		try {
			throw got;
		} catch (int value) {
			std::exit(40 + value);
		}
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

int main()
{
	static const int frames[] = { 1, 16, 1000 };
	const long times = scaled(20);

	for (long i = 0; i < times; i++)
		for (int nr : frames)
			for (int how = 0; how < LEAVES; how++)
				child_ends_well(nr, static_cast<leave>(how));
	for (int how = 0; how < LEAVES; how++)
		std::thread(child_ends_well, 100, static_cast<leave>(how)).join();
	std::puts("done");
	return unwinds_failed;
}
