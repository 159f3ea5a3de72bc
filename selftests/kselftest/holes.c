// SPDX-License-Identifier: GPL-2.0
/*
 * The ways that a scheme of this kind is known to fail in, one test each: copies
 * of patched bytes that outlive the view, huge pages, merged mappings, private
 * pages that are lost, uprobes on the same text, writable slabs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"

static const char *const names[] = { "probed_jump", "probed_trap", "far_function", NULL };
static const char *const lib_names[] = { "lib_function", NULL };

static bool nothing_is_left(void)
{
	int fd = open("/dev/instr", O_RDWR | O_CLOEXEC);
	struct instr_info info;

	for (int i = 0; i < 100; i++) {
		info = live_objects(fd);
		if (!info.out_overlays && !info.out_views && !info.out_spaces &&
		    !info.out_pages && !info.out_pinned)
			break;
		usleep(20000);
	}
	close(fd);
	return !info.out_overlays && !info.out_views && !info.out_spaces &&
	       !info.out_pages && !info.out_pinned;
}

FIXTURE(holes)
{
	struct probes probes;
	struct puppet puppet;
	const char *path;
};

FIXTURE_VARIANT(holes)
{
	const char *target;
};

FIXTURE_VARIANT_ADD(holes, pie) { .target = "puppet" };
FIXTURE_VARIANT_ADD(holes, fixed) { .target = "puppet-fixed" };

FIXTURE_SETUP(holes)
{
	self->path = target_path(variant->target);
	probes_open(&self->probes, self->path, names);
	puppet_start(&self->puppet, self->path);
	ASSERT_EQ(0, probes_publish(&self->probes));
}

FIXTURE_TEARDOWN(holes)
{
	EXPECT_EQ(0, puppet_end(&self->puppet));
	probes_close(&self->probes);
	EXPECT_TRUE(nothing_is_left());
}

/* ---- copies --------------------------------------------------------------------- */

static void set_byte(struct puppet *puppet, uint64_t vaddr, uint8_t byte, uint8_t *old)
{
	long word;

	ptrace(PTRACE_ATTACH, puppet->pid, 0, 0);
	waitpid(puppet->pid, NULL, 0);
	word = ptrace(PTRACE_PEEKTEXT, puppet->pid, vaddr, 0);
	*old = word;
	ptrace(PTRACE_POKETEXT, puppet->pid, vaddr, (word & ~0xffL) | byte);
	ptrace(PTRACE_DETACH, puppet->pid, 0, 0);
}

/*
 * A debugger's breakpoint at any old instruction boundary inside of a jump does
 * not change where it leads, when set in the patched page, and when taken back.
 */
TEST_F(holes, breakpoint_at_every_boundary_of_a_jump)
{
	uint64_t base = text_base(self->puppet.pid, variant->target);
	int tried = 0;

	ASSERT_NE(0, base);
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	puppet_ask(&self->puppet, "call 10");
	puppet_ask(&self->puppet, "far 10");
	for (size_t n = 0; n < self->probes.plan->nr; n++) {
		const struct instr_plan_site *site = &self->probes.plan->site[n];

		for (int i = 0; i < site->nr_moved; i++) {
			uint64_t at = site->moved[i].old_at;
			uint8_t old, ours;

			if (site->how != INSTR_HOW_JUMP || !at || at >= site->patch_len)
				continue;
			set_byte(&self->puppet, base + site->offset + at, 0xcc, &old);
			EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
			EXPECT_EQ(10, puppet_number(&self->puppet, "far 10"));
			set_byte(&self->puppet, base + site->offset + at, old, &ours);
			EXPECT_EQ(0xcc, ours);
			EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
			EXPECT_EQ(10, puppet_number(&self->puppet, "far 10"));
			tried++;
		}
	}
	EXPECT_LT(1, tried);
}

/* The copy still holds our bytes: its traps and its slab must outlive us. */
TEST_F(holes, copied_page_outlives_the_session)
{
	uint64_t base = text_base(self->puppet.pid, variant->target);
	uint8_t old;

	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	puppet_ask(&self->puppet, "call 10");
	set_byte(&self->puppet, base + self->probes.plan->site[0].offset + 300, 0xf4, &old);
	close(self->probes.fd);
	self->probes.fd = -1;
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
	EXPECT_EQ(10, puppet_number(&self->puppet, "trap 10"));
	EXPECT_EQ(20, puppet_number(&self->puppet, "forks 20 10"));
}

/* ---- private pages ----------------------------------------------------------------- */

TEST_F(holes, private_pages_survive_publishing)
{
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	EXPECT_EQ(0x5a, puppet_number(&self->puppet, "scribble"));
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, probes_withdraw(&self->probes));
		ASSERT_EQ(0, probes_publish(&self->probes));
		EXPECT_EQ(0x5a, puppet_number(&self->puppet, "scribbled"));
	}
	EXPECT_EQ(10, puppet_number(&self->puppet, "far 10"));
	ASSERT_EQ(0, probes_detach(&self->probes, self->puppet.pid));
	EXPECT_EQ(0x5a, puppet_number(&self->puppet, "scribbled"));
	EXPECT_EQ(10, puppet_number(&self->puppet, "far 10"));
}

/* ---- uprobes ------------------------------------------------------------------------ */

static int uprobe_open(const char *path, uint64_t offset, pid_t pid)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	FILE *type = fopen("/sys/bus/event_source/devices/uprobe/type", "r");
	int ret;

	ret = fscanf(type, "%u", &attr.type);
	fclose(type);
	if (ret != 1)
		return -EINVAL;
	attr.config1 = (uintptr_t)path;
	attr.config2 = offset;
	ret = syscall(SYS_perf_event_open, &attr, pid, pid < 0 ? 0 : -1, -1,
		      PERF_FLAG_FD_CLOEXEC);
	return ret < 0 ? -errno : ret;
}

static uint64_t uprobe_count(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : ~0ULL;
}

static uint64_t offset_of(struct probes *probes, const char *name)
{
	const struct instr_func *funcs;
	size_t nr;

	instr_file_funcs(probes->file, &funcs, &nr, NULL);
	for (size_t i = 0; i < nr; i++)
		if (!strcmp(funcs[i].name, name))
			return funcs[i].offset;
	return 0;
}

/* uprobes kills for an int3 that it does not know, once a process has any uprobe. */
TEST_F(holes, traps_beside_a_uprobe)
{
	int fd = uprobe_open(self->path, offset_of(&self->probes, "main"),
			     self->puppet.pid);

	ASSERT_LE(0, fd);
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	EXPECT_EQ(10, puppet_number(&self->puppet, "far 10"));
	EXPECT_EQ(10, puppet_number(&self->puppet, "trap 10"));
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
	close(fd);
	EXPECT_EQ(10, puppet_number(&self->puppet, "trap 10"));
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
}

/* Taking it back would write the file's byte over our jump. */
TEST_F(holes, uprobe_on_a_patched_page_is_refused)
{
	uint64_t offset = offset_of(&self->probes, "probed_jump");

	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	puppet_ask(&self->puppet, "call 10");
	EXPECT_EQ(-EBUSY, uprobe_open(self->path, offset, self->puppet.pid));
	EXPECT_EQ(-EBUSY, uprobe_open(self->path, offset, -1));
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
	EXPECT_EQ(20, probes_count(&self->probes, "probed_jump"));
	ASSERT_EQ(0, probes_withdraw(&self->probes));
}

/* One that was there first goes on; its page is its own. */
TEST_F(holes, uprobe_that_was_there_first)
{
	uint64_t offset = offset_of(&self->probes, "probed_jump");
	struct instr_space_next space = { .size = sizeof(space) };
	int fd;

	ASSERT_EQ(0, probes_withdraw(&self->probes));
	fd = uprobe_open(self->path, offset, self->puppet.pid);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, probes_publish(&self->probes));
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
	EXPECT_EQ(10, puppet_number(&self->puppet, "trap 10"));
	EXPECT_EQ(10, uprobe_count(fd));
	EXPECT_EQ(0, ioctl(self->probes.fd, INSTR_SPACE_NEXT, &space));
	EXPECT_LE(1, space.out_private);
	close(fd);
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
	EXPECT_EQ(10, puppet_number(&self->puppet, "forks 10 10"));
}

/* ---- slabs ---------------------------------------------------------------------------- */

TEST_F(holes, slab_of_a_hostile_process_is_its_own)
{
	uint64_t base = text_base(self->puppet.pid, variant->target);
	const struct instr_plan_site *site = &self->probes.plan->site[0];
	uint8_t before[64], after[64];
	struct puppet hostile;

	puppet_start(&hostile, self->path);
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	ASSERT_EQ(1, probes_attach(&self->probes, hostile.pid));
	puppet_ask(&self->puppet, "call 10");
	ASSERT_TRUE(peek(self->puppet.pid, base + site->block, before, sizeof(before)));
	/* It still can jump there, and dies of it: its own affair. */
	EXPECT_EQ(self->probes.plan->annex_len ? 3 : 2, puppet_number(&hostile, "attack"));
	ASSERT_TRUE(peek(self->puppet.pid, base + site->block, after, sizeof(after)));
	EXPECT_EQ(0, memcmp(before, after, sizeof(before)));
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
	EXPECT_EQ(0, puppet_end(&hostile));
	EXPECT_EQ(10, puppet_number(&self->puppet, "trap 10"));
}

/* ---- mappings --------------------------------------------------------------------------- */

FIXTURE(mappings)
{
	struct probes probes;
	struct puppet puppet;
};

FIXTURE_SETUP(mappings)
{
}

FIXTURE_TEARDOWN(mappings)
{
	EXPECT_EQ(0, puppet_end(&self->puppet));
	probes_close(&self->probes);
	EXPECT_TRUE(nothing_is_left());
}

/* Before 6.3 a merge could free a mapping without a word. */
TEST_F(mappings, text_that_is_no_code_for_a_while)
{
	const char *lib = target_path("lib3.so");

	probes_open(&self->probes, lib, lib_names);
	ASSERT_EQ(0, probes_publish(&self->probes));
	puppet_start(&self->puppet, target_path("puppet"));
	ASSERT_EQ(0, probes_attach(&self->probes, self->puppet.pid));
	for (int i = 0; i < 5; i++) {
		ASSERT_STREQ("opened", puppet_ask(&self->puppet, "open %s lib_function", lib));
		EXPECT_EQ(10, puppet_number(&self->puppet, "lib 10"));
		EXPECT_EQ(10, puppet_number(&self->puppet, "guard"));
		EXPECT_STREQ("0", puppet_ask(&self->puppet, "close"));
	}
	EXPECT_EQ(100, probes_count(&self->probes, "lib_function"));
}

/* A huge page may be mapped whole, patched pages and all, without asking us. */
TEST_F_TIMEOUT(mappings, huge_pages_of_tmpfs, 120)
{
	const char *path = "/tmp/instr-huge/puppet-huge";
	char command[4500];

	mkdir("/tmp/instr-huge", 0755);
	ASSERT_EQ(0, mount("none", "/tmp/instr-huge", "tmpfs", 0, "huge=always"));
	snprintf(command, sizeof(command), "cp %s %s", target_path("puppet-huge"), path);
	ASSERT_EQ(0, system(command));
	probes_open(&self->probes, path, names);
	puppet_start(&self->puppet, path);
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	ASSERT_EQ(0, probes_publish(&self->probes));
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
	EXPECT_EQ(10, puppet_number(&self->puppet, "far 10"));
	EXPECT_EQ(10, puppet_number(&self->puppet, "forks 10 10"));
	EXPECT_EQ(10, probes_count(&self->probes, "probed_jump"));
	ASSERT_EQ(0, probes_withdraw(&self->probes));
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
	ASSERT_EQ(0, probes_publish(&self->probes));
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
	EXPECT_EQ(20, probes_count(&self->probes, "probed_jump"));
	umount2("/tmp/instr-huge", MNT_DETACH);
}

TEST_HARNESS_MAIN
