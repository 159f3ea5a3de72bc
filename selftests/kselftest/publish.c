// SPDX-License-Identifier: GPL-2.0
/* Changing the text under running threads, and dying in the middle of it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"

static const char *const names[] = { "probed_jump", "probed_trap", NULL };

FIXTURE(publish)
{
	struct puppet puppet;
	const char *path;
};

FIXTURE_VARIANT(publish)
{
	const char *target;
};

FIXTURE_VARIANT_ADD(publish, pie) { .target = "puppet" };
FIXTURE_VARIANT_ADD(publish, fixed) { .target = "puppet-fixed" };

FIXTURE_SETUP(publish)
{
	self->path = target_path(variant->target);
	puppet_start(&self->puppet, self->path);
}

FIXTURE_TEARDOWN(publish)
{
	EXPECT_EQ(0, puppet_end(&self->puppet));
}

TEST_F_TIMEOUT(publish, a_thousand_times_under_four_threads, 300)
{
	struct probes probes;
	uint64_t before;
	long calls;

	probes_open(&probes, self->path, names);
	ASSERT_LE(0, probes_attach(&probes, self->puppet.pid));
	puppet_ask(&self->puppet, "busy 4");
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, probes_publish(&probes));
		ASSERT_EQ(0, probes_withdraw(&probes));
	}
	calls = puppet_number(&self->puppet, "idle");
	EXPECT_LT(0, calls);
	EXPECT_GE(calls, (long)probes_count(&probes, "probed_jump"));
	/* Off is off, on is on. */
	before = probes_count(&probes, "probed_jump");
	puppet_ask(&self->puppet, "call 1000");
	EXPECT_EQ(before, probes_count(&probes, "probed_jump"));
	ASSERT_EQ(0, probes_publish(&probes));
	EXPECT_EQ(40040, puppet_number(&self->puppet, "threads 4 10000"));
	EXPECT_EQ(before + 40000, probes_count(&probes, "probed_jump"));
	probes_close(&probes);
}

TEST_F_TIMEOUT(publish, attach_and_detach_under_four_threads, 300)
{
	struct probes probes;

	probes_open(&probes, self->path, names);
	ASSERT_EQ(0, probes_publish(&probes));
	puppet_ask(&self->puppet, "busy 4");
	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(1, probes_attach(&probes, self->puppet.pid));
		ASSERT_EQ(0, probes_detach(&probes, self->puppet.pid));
	}
	EXPECT_LT(0, puppet_number(&self->puppet, "idle"));
	probes_close(&probes);
}

/* The owner of a session, until it is killed. */
static void controller(const char *path, pid_t pid)
{
	for (;;) {
		struct probes probes;

		probes_open(&probes, path, names);
		probes_publish(&probes);
		probes_attach(&probes, pid);
		probes_withdraw(&probes);
		probes_publish(&probes);
		probes_detach(&probes, pid);
		probes_attach(&probes, pid);
		probes_close(&probes);
	}
}

TEST_F_TIMEOUT(publish, controller_is_killed_at_fifty_moments, 300)
{
	char file[40], text[40];
	struct probes probes;
	struct instr_info info;

	puppet_ask(&self->puppet, "busy 2");
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			controller(self->path, self->puppet.pid);
			_exit(0);
		}
		/* Moments spread evenly over a few rounds of the loop. */
		usleep(20000 + i * 3000);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		ASSERT_TRUE(WIFSIGNALED(status));
	}
	EXPECT_LT(0, puppet_number(&self->puppet, "idle"));
	EXPECT_EQ(1000, puppet_number(&self->puppet, "call 1000"));
	EXPECT_EQ(1000, puppet_number(&self->puppet, "trap 1000"));
	probes_open(&probes, self->path, names);
	probes_bytes(&probes, "probed_jump", false, file, sizeof(file));
	EXPECT_EQ(1, sscanf(puppet_ask(&self->puppet, "text"), "%39s", text));
	EXPECT_STREQ(file, text);
	for (int i = 0; i < 100; i++) {
		info = live_objects(probes.fd);
		if (info.out_sessions == 1 && !info.out_views)
			break;
		usleep(20000);
	}
	EXPECT_EQ(1, info.out_sessions);
	EXPECT_EQ(0, info.out_views);
	EXPECT_EQ(0, info.out_pinned);
	probes_close(&probes);
}

TEST_HARNESS_MAIN
