// SPDX-License-Identifier: GPL-2.0
/* Children run the file's own text, and are not counted. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/instr.h>

#include "fixture.h"
#include "kselftest_harness.h"

FIXTURE(fork)
{
	struct probes probes;
	struct puppet puppet;
	char file[40];
	int ends;		/* the puppet's status */
};

static const char *const names[] = { "probed_jump", "probed_trap", "far_function", NULL };

FIXTURE_VARIANT(fork)
{
	const char *target;
};

FIXTURE_VARIANT_ADD(fork, pie) { .target = "puppet" };
FIXTURE_VARIANT_ADD(fork, fixed) { .target = "puppet-fixed" };

FIXTURE_SETUP(fork)
{
	const char *path = target_path(variant->target);

	probes_open(&self->probes, path, names);
	probes_bytes(&self->probes, "probed_jump", false, self->file, sizeof(self->file));
	puppet_start(&self->puppet, path);
	ASSERT_EQ(0, probes_publish(&self->probes));
	ASSERT_EQ(1, probes_attach(&self->probes, self->puppet.pid));
	puppet_ask(&self->puppet, "call 10");
	puppet_ask(&self->puppet, "trap 10");
}

FIXTURE_TEARDOWN(fork)
{
	EXPECT_EQ(self->ends, puppet_end(&self->puppet));
	probes_close(&self->probes);
}

TEST_F(fork, child_is_pristine_and_not_counted)
{
	char self_text[40], mem_text[40];

	EXPECT_EQ(2, sscanf(puppet_ask(&self->puppet, "fork 1000"), "%39s %39s",
			    self_text, mem_text));
	EXPECT_STREQ(self->file, self_text);
	EXPECT_STREQ(self->file, mem_text);
	EXPECT_EQ(10, probes_count(&self->probes, "probed_jump"));
	EXPECT_EQ(10, probes_count(&self->probes, "probed_trap"));
	puppet_ask(&self->puppet, "call 5");
	EXPECT_EQ(15, probes_count(&self->probes, "probed_jump"));
}

TEST_F(fork, child_of_a_child)
{
	char self_text[40], mem_text[40];

	EXPECT_EQ(2, sscanf(puppet_ask(&self->puppet, "nested 100"), "%39s %39s",
			    self_text, mem_text));
	EXPECT_STREQ(self->file, self_text);
	EXPECT_STREQ(self->file, mem_text);
	EXPECT_EQ(10, probes_count(&self->probes, "probed_jump"));
}

TEST_F_TIMEOUT(fork, from_many_threads_at_once, 120)
{
	EXPECT_EQ(4 * 25, puppet_number(&self->puppet, "tfork 4 25"));
	EXPECT_EQ(10, probes_count(&self->probes, "probed_jump"));
	puppet_ask(&self->puppet, "call 5");
	EXPECT_EQ(15, probes_count(&self->probes, "probed_jump"));
}

TEST_F_TIMEOUT(fork, a_thousand_under_load, 300)
{
	uint64_t before;
	long calls;

	puppet_ask(&self->puppet, "busy 3");
	EXPECT_EQ(1000, puppet_number(&self->puppet, "forks 1000 3"));
	calls = puppet_number(&self->puppet, "idle");
	EXPECT_EQ(10 + calls, probes_count(&self->probes, "probed_jump"));
	before = probes_count(&self->probes, "probed_jump");
	puppet_ask(&self->puppet, "call 5");
	EXPECT_EQ(before + 5, probes_count(&self->probes, "probed_jump"));
}

/*
 * A debugger's breakpoint makes the page a private copy, patched bytes included,
 * which the child inherits: it must run right, uncounted, also when we are gone.
 */
TEST_F(fork, with_a_breakpoint_on_the_page)
{
	uint64_t base = text_base(self->puppet.pid, variant->target);
	const struct instr_plan *plan = self->probes.plan;
	uint64_t vaddr = base + plan->site[0].offset + 48;
	long word, nr;

	ASSERT_NE(0, base);
	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, self->puppet.pid, 0, 0));
	waitpid(self->puppet.pid, NULL, 0);
	word = ptrace(PTRACE_PEEKTEXT, self->puppet.pid, vaddr, 0);
	ASSERT_EQ(0, ptrace(PTRACE_POKETEXT, self->puppet.pid, vaddr, ~word));
	ASSERT_EQ(0, ptrace(PTRACE_POKETEXT, self->puppet.pid, vaddr, word));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, self->puppet.pid, 0, 0));
	EXPECT_EQ(100, puppet_number(&self->puppet, "call 100"));
	nr = probes_count(&self->probes, "probed_jump");
	EXPECT_NE(0, strncmp(puppet_ask(&self->puppet, "fork 100"), "died", 4));
	EXPECT_EQ(50, puppet_number(&self->puppet, "forks 50 10"));
	EXPECT_NE(0, strncmp(puppet_ask(&self->puppet, "nested 100"), "died", 4));
	EXPECT_EQ(nr, (long)probes_count(&self->probes, "probed_jump"));
	EXPECT_EQ(100, puppet_number(&self->puppet, "call 100"));
	close(self->probes.fd);
	self->probes.fd = -1;
	EXPECT_EQ(100, puppet_number(&self->puppet, "call 100"));
	EXPECT_EQ(100, puppet_number(&self->puppet, "trap 100"));
	EXPECT_NE(0, strncmp(puppet_ask(&self->puppet, "fork 100"), "died", 4));
}

/* ---- children in the parent's address space ---------------------------------------- */

TEST_F(fork, vfork_child_is_not_counted)
{
	EXPECT_EQ(30, puppet_number(&self->puppet, "vforks 30 100"));
	EXPECT_EQ(10, probes_count(&self->probes, "probed_jump"));
	EXPECT_EQ(10, probes_count(&self->probes, "probed_trap"));
	/* The parent is, from its first instruction on. */
	puppet_ask(&self->puppet, "call 5");
	puppet_ask(&self->puppet, "trap 5");
	EXPECT_EQ(15, probes_count(&self->probes, "probed_jump"));
	EXPECT_EQ(15, probes_count(&self->probes, "probed_trap"));
}

TEST_F(fork, vfork_child_of_a_vfork_child)
{
	EXPECT_EQ(1, puppet_number(&self->puppet, "vnested 100"));
	EXPECT_EQ(10, probes_count(&self->probes, "probed_jump"));
	puppet_ask(&self->puppet, "call 5");
	EXPECT_EQ(15, probes_count(&self->probes, "probed_jump"));
}

/* Like a thread: it is the same memory, and nobody sleeps meanwhile. */
TEST_F(fork, child_that_shares_all_memory_is_counted)
{
	for (int i = 0; i < 10; i++) {
		uint64_t before = probes_count(&self->probes, "probed_jump");

		EXPECT_EQ(20000, puppet_number(&self->puppet, "share 10000"));
		EXPECT_EQ(before + 20000, probes_count(&self->probes, "probed_jump"));
	}
}

TEST_F_TIMEOUT(fork, vfork_beside_threads_that_are_counted, 120)
{
	long calls;

	puppet_ask(&self->puppet, "busy 2");
	EXPECT_EQ(100, puppet_number(&self->puppet, "vforks 100 50"));
	EXPECT_EQ(60, puppet_number(&self->puppet, "tvfork 3 20"));
	EXPECT_EQ(50, puppet_number(&self->puppet, "spawns 50"));
	calls = puppet_number(&self->puppet, "idle");
	EXPECT_EQ(10 + calls, probes_count(&self->probes, "probed_jump"));
	puppet_ask(&self->puppet, "call 5");
	EXPECT_EQ(15 + calls, probes_count(&self->probes, "probed_jump"));
}

/* More than what is prepared for those that are under way, in all processes. */
TEST_F_TIMEOUT(fork, many_vfork_children_at_once, 120)
{
	struct puppet other;

	puppet_start(&other, target_path(variant->target));
	ASSERT_EQ(1, probes_attach(&self->probes, other.pid));
	EXPECT_EQ(50, puppet_number(&self->puppet, "vhold 50"));
	EXPECT_EQ(50, puppet_number(&other, "vhold 50"));
	EXPECT_EQ(50, puppet_number(&self->puppet, "vgo 10"));
	EXPECT_EQ(50, puppet_number(&other, "vgo 10"));
	EXPECT_EQ(10, probes_count(&self->probes, "probed_jump"));
	EXPECT_EQ(10, probes_count(&self->probes, "probed_trap"));
	puppet_ask(&other, "call 5");
	EXPECT_EQ(15, probes_count(&self->probes, "probed_jump"));
	EXPECT_EQ(0, puppet_end(&other));
}

TEST_F_TIMEOUT(fork, vfork_children_that_are_there_before, 120)
{
	struct puppet other;

	puppet_start(&other, target_path(variant->target));
	EXPECT_EQ(20, puppet_number(&other, "vhold 20"));
	ASSERT_EQ(1, probes_attach(&self->probes, other.pid));
	puppet_ask(&other, "call 5");
	EXPECT_EQ(15, probes_count(&self->probes, "probed_jump"));
	EXPECT_EQ(20, puppet_number(&other, "vgo 10"));
	EXPECT_EQ(15, probes_count(&self->probes, "probed_jump"));
	EXPECT_EQ(10, probes_count(&self->probes, "probed_trap"));
	/* Nobody is taken for one that waits any more: these have the same memory. */
	puppet_ask(&other, "threads 20 10");
	EXPECT_EQ(215, probes_count(&self->probes, "probed_jump"));
	EXPECT_EQ(0, puppet_end(&other));
}

/* It runs in the memory of a parent that nobody waits in any more. */
TEST_F(fork, vfork_child_that_killed_its_parent_is_not_counted)
{
	EXPECT_STREQ("orphan", puppet_ask(&self->puppet, "orphan %x 100", CLONE_VFORK));
	EXPECT_EQ(10, probes_count(&self->probes, "probed_jump"));
	EXPECT_EQ(10, probes_count(&self->probes, "probed_trap"));
	self->ends = SIGKILL;
}

TEST_F(fork, child_that_killed_who_it_shares_all_memory_with_is_counted)
{
	EXPECT_STREQ("orphan", puppet_ask(&self->puppet, "orphan 0 100"));
	EXPECT_EQ(110, probes_count(&self->probes, "probed_jump"));
	EXPECT_EQ(110, probes_count(&self->probes, "probed_trap"));
	self->ends = SIGKILL;
}

/* ---- storms -------------------------------------------------------------------------- */

/* Children of each kind; INSTR_STORM=10000 for an hour's. */
static long storm_size(void)
{
	const char *size = getenv("INSTR_STORM");

	return size ? atol(size) : 32;
}

struct churn {
	struct probes *probes;
	atomic_bool stop;
	long rounds, failed;
};

static void *churn(void *arg)
{
	struct churn *churn = arg;

	for (; !churn->stop; churn->rounds++)
		churn->failed += probes_withdraw(churn->probes) || probes_publish(churn->probes);
	return NULL;
}

static void storm(struct __test_metadata *_metadata, struct puppet *puppet,
		  struct probes *probes)
{
	struct churn churning = { .probes = probes };
	time_t start = time(NULL);
	long nr = storm_size();
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, churn, &churning));
	puppet_ask(puppet, "busy 2");
	EXPECT_EQ(nr / 8 * 8, puppet_number(puppet, "tfork 8 %ld", nr / 8));
	EXPECT_EQ(nr / 8 * 8, puppet_number(puppet, "tvfork 8 %ld", nr / 8));
	EXPECT_EQ(nr, puppet_number(puppet, "spawns %ld", nr));
	puppet_ask(puppet, "idle");
	EXPECT_EQ(nr, puppet_number(puppet, "vforks %ld 10", nr));
	churning.stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(0, churning.failed);
	EXPECT_LT(0, churning.rounds);
	TH_LOG("%ld children, probes came and went %ld times, %ld s",
	       nr / 8 * 16 + 2 * nr, churning.rounds, (long)(time(NULL) - start));
}

/* Probes come and go meanwhile; whatever becomes of children, nobody is stuck. */
TEST_F_TIMEOUT(fork, storms_while_probes_come_and_go, 3600)
{
	static const uint32_t flags[] = {
		0, INSTR_ATTACH_FOLLOW, INSTR_ATTACH_FOLLOW | INSTR_ATTACH_FOLLOW_EXEC,
		INSTR_ATTACH_EXACT,
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		uint64_t before;

		ASSERT_EQ(0, probes_detach(&self->probes, self->puppet.pid));
		ASSERT_EQ(1, probes_attach_with(&self->probes, self->puppet.pid, flags[i]));
		storm(_metadata, &self->puppet, &self->probes);
		before = probes_count(&self->probes, "probed_jump");
		puppet_ask(&self->puppet, "call 5");
		EXPECT_EQ(before + 5, probes_count(&self->probes, "probed_jump"));
	}
}

TEST_HARNESS_MAIN
