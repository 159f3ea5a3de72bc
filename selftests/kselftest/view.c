// SPDX-License-Identifier: GPL-2.0
/* What one process sees of its text, and nobody else. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"

FIXTURE(view)
{
	struct probes probes;
	struct puppet puppet;
};

static const char *const names[] = { "probed_jump", "probed_trap", "far_function", NULL };

FIXTURE_VARIANT(view)
{
	const char *target;
};

FIXTURE_VARIANT_ADD(view, pie) { .target = "puppet" };
FIXTURE_VARIANT_ADD(view, fixed) { .target = "puppet-fixed" };
FIXTURE_VARIANT_ADD(view, static_) { .target = "puppet-static" };
FIXTURE_VARIANT_ADD(view, static_pie) { .target = "puppet-static-pie" };

FIXTURE_SETUP(view)
{
	const char *path = target_path(variant->target);

	probes_open(&self->probes, path, names);
	puppet_start(&self->puppet, path);
	ASSERT_EQ(INSTR_HOW_JUMP, probes_how(&self->probes, "probed_jump"));
	ASSERT_EQ(INSTR_HOW_TRAP, probes_how(&self->probes, "probed_trap"));
}

FIXTURE_TEARDOWN(view)
{
	struct instr_info info;
	int fd;

	EXPECT_EQ(0, puppet_end(&self->puppet));
	probes_close(&self->probes);
	/* Ends of views wait for a grace period. */
	fd = open("/dev/instr", O_RDWR);
	for (int i = 0; i < 100; i++) {
		info = live_objects(fd);
		if (!info.out_overlays && !info.out_views && !info.out_spaces &&
		    !info.out_pages)
			break;
		usleep(20000);
	}
	close(fd);
	EXPECT_EQ(0, info.out_overlays);
	EXPECT_EQ(0, info.out_spaces);
	EXPECT_EQ(0, info.out_views);
	EXPECT_EQ(0, info.out_pages);
	EXPECT_EQ(0, info.out_pinned);
}

TEST_F(view, counts_exactly)
{
	ASSERT_EQ(0, probes_publish(&self->probes));
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	EXPECT_EQ(1000, puppet_number(&self->puppet, "call 1000"));
	EXPECT_EQ(1000, probes_count(&self->probes, "probed_jump"));
	EXPECT_EQ(0, probes_count(&self->probes, "probed_trap"));
	EXPECT_EQ(100, puppet_number(&self->puppet, "trap 100"));
	EXPECT_EQ(100, probes_count(&self->probes, "probed_trap"));
	EXPECT_EQ(1000, probes_count(&self->probes, "probed_jump"));
}

TEST_F(view, eight_threads_count_exactly)
{
	ASSERT_EQ(0, probes_publish(&self->probes));
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	for (long threads = 1; threads <= 8; threads *= 2) {
		uint64_t before = probes_count(&self->probes, "probed_jump");

		EXPECT_EQ(threads * 20010,
			  puppet_number(&self->puppet, "threads %ld 20000", threads));
		EXPECT_EQ(before + threads * 20000,
			  probes_count(&self->probes, "probed_jump"));
	}
	EXPECT_EQ(15 * 10, probes_count(&self->probes, "probed_trap"));
}

/* In the control block, as the module tells the process. */
static uint64_t gate(struct probes *probes)
{
	struct instr_space_next space = { .size = sizeof(space) };
	uint64_t value = ~0ULL;
	struct instr_data_read arg = {
		.size = sizeof(arg), .overlay_id = probes->overlay_id, .nr = 1,
		.ptr = (uintptr_t)&value,
	};

	if (ioctl(probes->fd, INSTR_SPACE_NEXT, &space))
		return ~0ULL;
	arg.space_id = space.space_id;
	return ioctl(probes->fd, INSTR_DATA_READ, &arg) ? ~0ULL : value;
}

TEST_F(view, one_thread_counts_alone_until_there_are_more)
{
	ASSERT_EQ(0, probes_publish(&self->probes));
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	EXPECT_EQ(INSTR_GATE_SOLO, gate(&self->probes));
	puppet_ask(&self->puppet, "vforks 10 10");
	puppet_ask(&self->puppet, "fork 10");
	puppet_ask(&self->puppet, "spawns 3");
	EXPECT_EQ(INSTR_GATE_SOLO, gate(&self->probes));
	puppet_ask(&self->puppet, "threads 1 10");
	EXPECT_EQ(INSTR_GATE_MANY, gate(&self->probes));
}

TEST_F(view, threads_that_were_there_are_many)
{
	ASSERT_EQ(0, probes_publish(&self->probes));
	puppet_ask(&self->puppet, "busy 2");
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	EXPECT_EQ(INSTR_GATE_MANY, gate(&self->probes));
	puppet_ask(&self->puppet, "idle");
}

TEST_F(view, published_after_attach)
{
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	puppet_ask(&self->puppet, "call 10");
	ASSERT_EQ(0, probes_publish(&self->probes));
	puppet_ask(&self->puppet, "call 10");
	EXPECT_EQ(10, probes_count(&self->probes, "probed_jump"));
}

TEST_F(view, file_and_others_are_untouched)
{
	char file[40], patched[40], self_text[40], mem_text[40];
	struct puppet other;

	probes_bytes(&self->probes, "probed_jump", false, file, sizeof(file));
	probes_bytes(&self->probes, "probed_jump", true, patched, sizeof(patched));
	ASSERT_STRNE(file, patched);
	puppet_start(&other, target_path(variant->target));
	ASSERT_EQ(0, probes_publish(&self->probes));
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	EXPECT_EQ(2, sscanf(puppet_ask(&self->puppet, "text"), "%39s %39s", self_text,
			    mem_text));
	EXPECT_STREQ(patched, self_text);
	EXPECT_STREQ(patched, mem_text);
	EXPECT_EQ(2, sscanf(puppet_ask(&other, "text"), "%39s %39s", self_text, mem_text));
	EXPECT_STREQ(file, self_text);
	EXPECT_STREQ(file, mem_text);
	/* Read again: what a newcomer would run. */
	probes_bytes(&self->probes, "probed_jump", false, patched, sizeof(patched));
	EXPECT_STREQ(file, patched);
	puppet_ask(&other, "call 100");
	EXPECT_EQ(0, probes_count(&self->probes, "probed_jump"));
	EXPECT_EQ(0, puppet_end(&other));
}

TEST_F(view, detach_shows_the_file)
{
	char file[40], text[40];

	probes_bytes(&self->probes, "probed_jump", false, file, sizeof(file));
	ASSERT_EQ(0, probes_publish(&self->probes));
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	puppet_ask(&self->puppet, "call 10");
	ASSERT_EQ(0, probes_detach(&self->probes, self->puppet.pid));
	puppet_ask(&self->puppet, "call 10");
	puppet_ask(&self->puppet, "trap 10");
	EXPECT_EQ(1, sscanf(puppet_ask(&self->puppet, "text"), "%39s", text));
	EXPECT_STREQ(file, text);
	EXPECT_EQ(10, probes_count(&self->probes, "probed_jump"));
	/* And back. */
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	puppet_ask(&self->puppet, "call 10");
	EXPECT_EQ(20, probes_count(&self->probes, "probed_jump"));
}

TEST_F(view, close_undoes_all)
{
	char file[40], text[40];

	probes_bytes(&self->probes, "probed_jump", false, file, sizeof(file));
	ASSERT_EQ(0, probes_publish(&self->probes));
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	puppet_ask(&self->puppet, "call 10");
	puppet_ask(&self->puppet, "busy 4");
	close(self->probes.fd);
	self->probes.fd = -1;
	puppet_ask(&self->puppet, "idle");
	puppet_ask(&self->puppet, "call 10");
	EXPECT_EQ(1, sscanf(puppet_ask(&self->puppet, "text"), "%39s", text));
	EXPECT_STREQ(file, text);
}

/* Each finds the slab of the one before in its place, and takes it over. */
TEST_F(view, sessions_follow_each_other)
{
	static const char *const other_names[] = { "call", "probed_trap", "main", NULL };

	for (int i = 0; i < 6; i++) {
		const char *name = i % 2 ? "probed_trap" : "probed_jump";
		struct probes probes;

		close(self->probes.fd);
		self->probes.fd = -1;
		probes_open(&probes, target_path(variant->target),
			    i % 2 ? other_names : names);
		ASSERT_EQ(0, probes_publish(&probes));
		ASSERT_EQ(1, probes_attach(&probes, self->puppet.pid));
		puppet_ask(&self->puppet, "call 10");
		puppet_ask(&self->puppet, "trap 10");
		EXPECT_EQ(10, probes_count(&probes, name));
		probes_close(&probes);
	}
}

TEST_F(view, counters_outlive_the_process)
{
	struct puppet puppet;

	ASSERT_EQ(0, probes_publish(&self->probes));
	puppet_start(&puppet, target_path(variant->target));
	ASSERT_EQ(1, probes_attach(&self->probes, puppet.pid));
	puppet_ask(&puppet, "call 321");
	EXPECT_EQ(0, puppet_end(&puppet));
	EXPECT_EQ(321, probes_count(&self->probes, "probed_jump"));
}

TEST_F(view, moved_text_is_the_files_own)
{
	char file[40], text[40];
	long calls;

	probes_bytes(&self->probes, "far_function", false, file, sizeof(file));
	ASSERT_EQ(0, probes_publish(&self->probes));
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	EXPECT_EQ(5, puppet_number(&self->puppet, "far 5"));
	EXPECT_EQ(5, probes_count(&self->probes, "far_function"));
	EXPECT_EQ(2, sscanf(puppet_ask(&self->puppet, "move"), "%ld %39s", &calls, text));
	EXPECT_EQ(10, calls);
	EXPECT_STREQ(file, text);
	EXPECT_EQ(5, probes_count(&self->probes, "far_function"));
	puppet_ask(&self->puppet, "call 10");
	EXPECT_EQ(10, probes_count(&self->probes, "probed_jump"));
}

/* A page that the process writes becomes its own; whatever it holds must run. */
TEST_F(view, written_text_runs)
{
	ASSERT_EQ(0, probes_publish(&self->probes));
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	EXPECT_EQ(5, puppet_number(&self->puppet, "far 5"));
	EXPECT_EQ(10, puppet_number(&self->puppet, "protect"));
	EXPECT_EQ(5, puppet_number(&self->puppet, "far 5"));
	/* Even when we are gone. */
	close(self->probes.fd);
	self->probes.fd = -1;
	EXPECT_EQ(5, puppet_number(&self->puppet, "far 5"));
	EXPECT_EQ(10, puppet_number(&self->puppet, "protect"));
	puppet_ask(&self->puppet, "call 10");
}

TEST_F(view, private_pages_are_told)
{
	struct instr_space_next space = { .size = sizeof(space) };

	EXPECT_EQ(10, puppet_number(&self->puppet, "protect"));
	ASSERT_EQ(0, probes_publish(&self->probes));
	ASSERT_LE(1, probes_attach(&self->probes, self->puppet.pid));
	EXPECT_EQ(5, puppet_number(&self->puppet, "far 5"));
	EXPECT_EQ(0, probes_count(&self->probes, "far_function"));
	puppet_ask(&self->puppet, "call 10");
	EXPECT_EQ(10, probes_count(&self->probes, "probed_jump"));
	EXPECT_EQ(0, ioctl(self->probes.fd, INSTR_SPACE_NEXT, &space));
	EXPECT_EQ(1, space.out_private);
	EXPECT_EQ(self->puppet.pid, space.out_pid);
	EXPECT_EQ(1, space.out_live);
}

FIXTURE(library)
{
	struct probes probes;
	struct puppet puppet;
};

FIXTURE_SETUP(library)
{
	static const char *const lib_names[] = { "lib_function", NULL };

	probes_open(&self->probes, target_path("lib3.so"), lib_names);
	puppet_start(&self->puppet, target_path("puppet"));
}

FIXTURE_TEARDOWN(library)
{
	EXPECT_EQ(0, puppet_end(&self->puppet));
	probes_close(&self->probes);
}

TEST_F(library, opened_later_is_counted_from_its_first_call)
{
	ASSERT_EQ(0, probes_publish(&self->probes));
	ASSERT_EQ(0, probes_attach(&self->probes, self->puppet.pid));
	ASSERT_STREQ("opened", puppet_ask(&self->puppet, "open %s lib_function",
					  target_path("lib3.so")));
	EXPECT_EQ(50, puppet_number(&self->puppet, "lib 50"));
	EXPECT_EQ(50, probes_count(&self->probes, "lib_function"));
	/* And when it comes again, at the same place or another. */
	for (int i = 0; i < 20; i++) {
		EXPECT_STREQ("0", puppet_ask(&self->puppet, "close"));
		EXPECT_STREQ("opened", puppet_ask(&self->puppet, "open %s lib_function",
						  target_path("lib3.so")));
		EXPECT_EQ(5, puppet_number(&self->puppet, "lib 5"));
	}
	EXPECT_EQ(150, probes_count(&self->probes, "lib_function"));
	EXPECT_STREQ("0", puppet_ask(&self->puppet, "close"));
}

TEST_HARNESS_MAIN
