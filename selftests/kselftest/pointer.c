// SPDX-License-Identifier: GPL-2.0
/*
 * Pointers that lead into the slab: of imports, in tables that are read-only, in
 * variables. No text is changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"

static const char *const names[] = {
	"getppid@got", "table+8@ptr", "callback@ptr", NULL
};

FIXTURE(pointer)
{
	struct probes probes;
	struct puppet puppet;
};

FIXTURE_VARIANT(pointer)
{
	const char *target;
	const char *const *names;
	int nr_lazy;		/* not bound before their first call */
};

FIXTURE_VARIANT_ADD(pointer, lazy) {
	.target = "puppet", .names = names, .nr_lazy = 1
};
FIXTURE_VARIANT_ADD(pointer, now) { .target = "puppet-now", .names = names };
FIXTURE_VARIANT_ADD(pointer, static_) {
	.target = "puppet-static", .names = names + 1
};
FIXTURE_VARIANT_ADD(pointer, static_pie) {
	.target = "puppet-static-pie", .names = names + 1
};

FIXTURE_SETUP(pointer)
{
	const char *path = target_path(variant->target);

	probes_open(&self->probes, path, variant->names);
	puppet_start(&self->puppet, path);
}

FIXTURE_TEARDOWN(pointer)
{
	EXPECT_EQ(0, puppet_end(&self->puppet));
	probes_close(&self->probes);
}

static struct instr_space_next first_space(struct probes *probes)
{
	struct instr_space_next space = { .size = sizeof(space) };

	if (ioctl(probes->fd, INSTR_SPACE_NEXT, &space))
		space.space_id = 0;
	return space;
}

TEST_F(pointer, calls_are_counted_and_text_is_the_files)
{
	ASSERT_EQ(INSTR_HOW_POINTER, probes_how(&self->probes, "callback@ptr"));
	EXPECT_EQ(1, puppet_number(&self->puppet, "pointers"));
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	EXPECT_EQ(variant->nr_lazy, first_space(&self->probes).out_unset);
	EXPECT_EQ(0, puppet_number(&self->puppet, "pointers"));
	EXPECT_EQ(100, puppet_number(&self->puppet, "table 100"));
	EXPECT_EQ(20, puppet_number(&self->puppet, "callback 20"));
	EXPECT_EQ(100, probes_count(&self->probes, "table+8@ptr"));
	EXPECT_EQ(20, probes_count(&self->probes, "callback@ptr"));
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
	ASSERT_EQ(0, probes_detach(&self->probes, self->puppet.pid));
	EXPECT_EQ(1, puppet_number(&self->puppet, "pointers"));
	EXPECT_EQ(5, puppet_number(&self->puppet, "table 5"));
	EXPECT_EQ(100, probes_count(&self->probes, "table+8@ptr"));
}

TEST_F(pointer, imports_are_counted_once_they_are_bound)
{
	if (variant->names != names)
		SKIP(return, "a static program has no imports");
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	EXPECT_EQ(5, puppet_number(&self->puppet, "import 5"));
	EXPECT_EQ(variant->nr_lazy ? 0 : 5, probes_count(&self->probes, "getppid@got"));
	ASSERT_EQ(0, probes_detach(&self->probes, self->puppet.pid));
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	EXPECT_EQ(0, first_space(&self->probes).out_unset);
	EXPECT_EQ(7, puppet_number(&self->puppet, "import 7"));
	EXPECT_EQ(variant->nr_lazy ? 7 : 12, probes_count(&self->probes, "getppid@got"));
}

TEST_F(pointer, children_go_the_same_way_and_are_not_counted)
{
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	EXPECT_EQ(1, puppet_number(&self->puppet, "pfork 50"));
	EXPECT_EQ(3, puppet_number(&self->puppet, "table 3"));
	EXPECT_EQ(3, probes_count(&self->probes, "table+8@ptr"));
	EXPECT_EQ(0, probes_count(&self->probes, "callback@ptr"));
}

/* Whoever changes a pointer has the last word. */
TEST_F(pointer, two_hundred_times_under_threads)
{
	puppet_ask(&self->puppet, "busy 4");
	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
		ASSERT_EQ(0, probes_detach(&self->probes, self->puppet.pid));
	}
	EXPECT_LT(0, puppet_number(&self->puppet, "idle"));
	EXPECT_EQ(1, puppet_number(&self->puppet, "pointers"));
	EXPECT_LT(0, probes_count(&self->probes, "callback@ptr"));
}

TEST_F(pointer, whoever_dies_leaves_them_as_they_were)
{
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	EXPECT_EQ(0, puppet_number(&self->puppet, "pointers"));
	close(self->probes.fd);
	self->probes.fd = -1;
	EXPECT_EQ(1, puppet_number(&self->puppet, "pointers"));
	EXPECT_EQ(9, puppet_number(&self->puppet, "table 9"));
}

TEST_F(pointer, the_next_session_finds_the_slab)
{
	const char *path = target_path(variant->target);

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
		EXPECT_EQ(4, puppet_number(&self->puppet, "callback 4"));
		EXPECT_EQ(4, probes_count(&self->probes, "callback@ptr"));
		probes_close(&self->probes);
		probes_open(&self->probes, path, variant->names);
	}
}

TEST_F(pointer, requests_are_checked)
{
	const struct instr_plan *plan = self->probes.plan;
	struct instr_pointer pointer = plan->pointers[0];
	struct instr_pointers arg = {
		.size = sizeof(arg), .overlay_id = self->probes.overlay_id, .nr = 1,
		.pointers = (uintptr_t)&pointer,
	};

	/* The fixture has set them. */
	EXPECT_EQ(-1, ioctl(self->probes.fd, INSTR_POINTERS, &arg));
	EXPECT_EQ(EBUSY, errno);
	arg.flags = 1;
	EXPECT_EQ(-1, ioctl(self->probes.fd, INSTR_POINTERS, &arg));
	EXPECT_EQ(EOPNOTSUPP, errno);
	arg.flags = 0;
	arg.nr = 0;
	EXPECT_EQ(-1, ioctl(self->probes.fd, INSTR_POINTERS, &arg));
	EXPECT_EQ(EINVAL, errno);
	arg.nr = 1;
	arg.pointers = 1;
	EXPECT_EQ(-1, ioctl(self->probes.fd, INSTR_POINTERS, &arg));
	EXPECT_EQ(EFAULT, errno);
	arg.overlay_id += 1000;
	arg.pointers = (uintptr_t)&pointer;
	EXPECT_EQ(-1, ioctl(self->probes.fd, INSTR_POINTERS, &arg));
	EXPECT_EQ(ENOENT, errno);
}

TEST_HARNESS_MAIN
