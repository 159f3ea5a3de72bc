// SPDX-License-Identifier: GPL-2.0
/*
 * Return slots: words of a process that lead to some become what they stand for when it
 * leaves the scope, and in its fork children. There is no code in these slots: what would
 * be on a stack is written there, and into the tables, as a debugger would.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libinstr/emit.h>

#include "fixture.h"
#include "kselftest_harness.h"

#define PAGE		4096ULL
#define NR_SLOTS	(2 * PAGE / INSTR_SLOT_LEN)
#define KEPT_LEN	(2 * PAGE)
#define TIMES_LEN	(16 * PAGE)
#define FRAMES_LEN	(INSTR_STACK_PAGES_AT + \
			 INSTR_STACK_PAGES * sizeof(struct instr_stack_page))
#define DISPLACED	2	/* bytes of probed_trap: an instruction */

FIXTURE(slot)
{
	struct instr_overlay_create overlay;
	struct instr_file *file;
	struct puppet puppet;
	uint64_t site;		/* in the file */
	uint64_t slots, returns, frames, stack;
	int fd;
};

FIXTURE_VARIANT(slot)
{
	const char *target;
	int64_t start;
};

FIXTURE_VARIANT_ADD(slot, pie) { .target = "puppet", .start = -0x70000000 };
FIXTURE_VARIANT_ADD(slot, static_) { .target = "puppet-static", .start = 0x60000000 };

/* ---- a session ------------------------------------------------------------------- */

/* A function that is a trap, and does nothing else in the slab than in the text. */
static int slot_publish(FIXTURE_DATA(slot) *self)
{
	struct instr_overlay_create *overlay = &self->overlay;
	struct instr_site site = { .offset = self->site, .len = 1, .new = { 0xcc } };
	struct instr_trap trap = { .offset = self->site, .target = overlay->slab_start };
	uint8_t code[32], old[DISPLACED];
	struct emit emit = { .bytes = code, .position = overlay->slab_start };
	struct instr_slab_io io = { .size = sizeof(io), .ptr = (uintptr_t)code };
	struct instr_publish publish = {
		.size = sizeof(publish), .nr_sites = 1, .sites = (uintptr_t)&site,
		.nr_traps = 1, .traps = (uintptr_t)&trap,
	};

	if (pread(instr_file_fd(self->file), old, sizeof(old), self->site) != sizeof(old))
		return -EIO;
	site.old[0] = old[0];
	emit_bytes(&emit, old, sizeof(old));
	emit_jump(&emit, self->site + DISPLACED);
	if (ioctl(self->fd, INSTR_OVERLAY_CREATE, overlay))
		return -errno;
	io.overlay_id = publish.overlay_id = overlay->out_overlay_id;
	io.len = emit.len;
	return ioctl(self->fd, INSTR_SLAB_WRITE, &io) ||
	       ioctl(self->fd, INSTR_PUBLISH, &publish) ? -errno : 0;
}

static int attach(FIXTURE_DATA(slot) *self)
{
	return probes_attach(&(struct probes){ .fd = self->fd }, self->puppet.pid);
}

static int detach(FIXTURE_DATA(slot) *self)
{
	return probes_detach(&(struct probes){ .fd = self->fd }, self->puppet.pid);
}

static uint64_t frames_address(FIXTURE_DATA(slot) *self)
{
	struct instr_space_next space = { .size = sizeof(space) };
	uint64_t word;
	struct instr_times_read arg = {
		.size = sizeof(arg), .len = sizeof(word), .ptr = (uintptr_t)&word,
	};

	if (ioctl(self->fd, INSTR_SPACE_NEXT, &space))
		return 0;
	arg.space_id = space.space_id;
	return ioctl(self->fd, INSTR_TIMES_READ, &arg) ? 0 : arg.out_address;
}

/* ---- the process ----------------------------------------------------------------- */

/* The first mapping with @what in its line; false: there is none. */
static bool find_mapping(pid_t pid, const char *what, uint64_t *start, uint64_t *end)
{
	char name[64], line[4500];
	bool found = false;
	FILE *maps;

	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	maps = fopen(name, "r");
	while (maps && !found && fgets(line, sizeof(line), maps))
		found = strstr(line, what) && sscanf(line, "%lx-%lx", start, end) == 2;
	if (maps)
		fclose(maps);
	return found;
}

/* How many pages of it are there. */
static long resident(pid_t pid)
{
	char name[64];
	long total, pages = -1;
	FILE *statm;

	snprintf(name, sizeof(name), "/proc/%d/statm", pid);
	statm = fopen(name, "r");
	if (statm && fscanf(statm, "%ld %ld", &total, &pages) != 2)
		pages = -1;
	if (statm)
		fclose(statm);
	return pages;
}

/* ---- the tests ------------------------------------------------------------------- */

FIXTURE_SETUP(slot)
{
	uint64_t end;

	ASSERT_EQ(0, instr_file_open(target_path(variant->target), &self->file, NULL));
	self->site = function_offset(self->file, "probed_trap");
	self->overlay = (struct instr_overlay_create){
		.size = sizeof(self->overlay), .file_fd = instr_file_fd(self->file),
		.slab_start = variant->start, .code_len = 4 * PAGE, .data_len = PAGE,
		.kept_len = KEPT_LEN, .times_len = TIMES_LEN, .frames_len = FRAMES_LEN,
		.layout = 7, .slots_start = variant->start + PAGE, .nr_slots = NR_SLOTS,
	};
	self->fd = open("/dev/instr", O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, slot_publish(self));
	puppet_start(&self->puppet, target_path(variant->target));
	ASSERT_EQ(1, attach(self));
	self->slots = text_base(self->puppet.pid, variant->target) + variant->start + PAGE;
	self->returns = self->slots + 4 * PAGE;
	self->frames = frames_address(self);
	ASSERT_NE(0, self->frames);
	/* Far below where it runs. */
	ASSERT_TRUE(find_mapping(self->puppet.pid, "[stack]", &self->stack, &end));
}

FIXTURE_TEARDOWN(slot)
{
	struct instr_info info;

	if (self->puppet.pid)
		EXPECT_EQ(0, puppet_end(&self->puppet));
	/* Whoever closes a session waits until all that was given up is gone. */
	if (self->fd < 0)
		self->fd = open("/dev/instr", O_RDWR | O_CLOEXEC);
	close(self->fd);
	self->fd = open("/dev/instr", O_RDWR | O_CLOEXEC);
	info = live_objects(self->fd);
	EXPECT_EQ(1, info.out_sessions);
	EXPECT_EQ(0, info.out_spaces);
	EXPECT_EQ(0, info.out_views);
	EXPECT_EQ(0, info.out_pinned);
	close(self->fd);
	instr_file_close(self->file);
}

#define WRITE(vaddr, word) do {						\
	const uint64_t __word = (word);					\
	ASSERT_TRUE(poke(self->puppet.pid, vaddr, &__word, sizeof(__word)));	\
} while (0)
#define WORD(vaddr)		word_at(self->puppet.pid, vaddr)

/* Slot @n is for functions that return to @to. */
#define SLOT(n, to_) \
	WRITE(self->returns + (n) * sizeof(struct instr_return), to_)
#define START_OF(n)	(self->slots + (n) * INSTR_SLOT_LEN)
#define RETURN_OF(n)	(START_OF(n) + INSTR_SLOT_RETURN)

/* Entry @n of the table of stacks' pages. */
#define STACK(n, address) \
	WRITE(self->frames + INSTR_STACK_PAGES_AT + \
	      (n) * sizeof(struct instr_stack_page), address)

#define TO(n)	(0x1000 + (n))

#define SLOTS() do {				\
	SLOT(0, TO(0));				\
	SLOT(1, TO(1));				\
	SLOT(NR_SLOTS - 1, TO(NR_SLOTS - 1));	\
} while (0)

/* What becomes of words: each pair is one, and what it is afterwards; 0: as it was. */
#define NR_WORDS	15
#define WORDS	{								\
	{ RETURN_OF(0), TO(0) }, { RETURN_OF(1), TO(1) },			\
	{ RETURN_OF(0), TO(0) }, { START_OF(1), 0 },			\
	{ RETURN_OF(NR_SLOTS - 1), TO(NR_SLOTS - 1) },				\
	/* Not taken, beyond, before, in the middle. */				\
	{ RETURN_OF(2), 0 }, { START_OF(2), 0 }, { RETURN_OF(NR_SLOTS), 0 },	\
	{ START_OF(NR_SLOTS), 0 }, { RETURN_OF(-1), 0 }, { RETURN_OF(0) + 1, 0 },	\
	{ START_OF(1) + 5, 0 }, { START_OF(1) - 1, 0 }, { TO(1), 0 },		\
	{ RETURN_OF(1) - (1ULL << 32), 0 },					\
}

#define WRITE_WORDS(at) do {						\
	const uint64_t __words[NR_WORDS][2] = WORDS;			\
	for (int __i = 0; __i < NR_WORDS; __i++)			\
		WRITE((at) + 8 * __i, __words[__i][0]);			\
} while (0)

#define EXPECT_WORDS(pid, at, restored) do {						\
	const uint64_t __words[NR_WORDS][2] = WORDS;					\
	for (int __i = 0; __i < NR_WORDS; __i++)					\
		EXPECT_EQ((restored) && __words[__i][1] ? __words[__i][1] : __words[__i][0],	\
			  word_at(pid, (at) + 8 * __i));			\
} while (0)

TEST_F(slot, words_are_put_back_at_detach)
{
	SLOTS();
	STACK(0, self->stack);
	STACK(INSTR_STACK_PAGES - 1, self->stack + 2 * PAGE);
	WRITE_WORDS(self->stack);
	WRITE_WORDS(self->stack + PAGE);
	WRITE_WORDS(self->stack + 3 * PAGE - 8 * NR_WORDS);
	ASSERT_EQ(0, detach(self));
	EXPECT_WORDS(self->puppet.pid, self->stack, true);
	EXPECT_WORDS(self->puppet.pid, self->stack + PAGE, false);
	EXPECT_WORDS(self->puppet.pid, self->stack + 3 * PAGE - 8 * NR_WORDS, true);
	EXPECT_EQ(10, puppet_number(&self->puppet, "trap 10"));
}

TEST_F(slot, whoever_comes_back_finds_others)
{
	SLOTS();
	STACK(0, self->stack);
	for (int i = 0; i < 20; i++) {
		WRITE_WORDS(self->stack);
		ASSERT_EQ(0, detach(self));
		EXPECT_WORDS(self->puppet.pid, self->stack, true);
		ASSERT_EQ(1, attach(self));
	}
}

TEST_F(slot, words_are_put_back_at_the_end_of_the_session)
{
	SLOTS();
	STACK(7, self->stack);
	WRITE_WORDS(self->stack);
	close(self->fd);
	EXPECT_WORDS(self->puppet.pid, self->stack, true);
	self->fd = -1;
}

TEST_F(slot, words_are_put_back_when_it_is_removed)
{
	struct instr_remove arg = { .size = sizeof(arg) };
	int other = open("/dev/instr", O_RDWR | O_CLOEXEC);

	SLOTS();
	STACK(7, self->stack);
	WRITE_WORDS(self->stack);
	ASSERT_EQ(0, ioctl(other, INSTR_REMOVE, &arg));
	EXPECT_EQ(1, arg.out_removed);
	EXPECT_WORDS(self->puppet.pid, self->stack, true);
	close(other);
}

/* The session is its only owner's, who is killed. */
TEST_F(slot, words_are_put_back_when_the_tool_is_killed)
{
	pid_t owner;

	SLOTS();
	STACK(7, self->stack);
	WRITE_WORDS(self->stack);
	owner = fork();
	if (!owner)
		for (;;)
			pause();
	close(self->fd);
	self->fd = -1;
	EXPECT_WORDS(self->puppet.pid, self->stack, false);
	kill(owner, SIGKILL);
	waitpid(owner, NULL, 0);
	EXPECT_WORDS(self->puppet.pid, self->stack, true);
}

TEST_F(slot, slots_that_return_to_slots)
{
	SLOTS();
	STACK(0, self->stack);
	SLOT(5, RETURN_OF(1));
	SLOT(6, RETURN_OF(5));
	WRITE(self->stack, RETURN_OF(6));
	ASSERT_EQ(0, detach(self));
	EXPECT_EQ(TO(1), WORD(self->stack));
}

/* Nothing of what the tables say hurts anybody else. */
TEST_F(slot, hostile_tables)
{
	uint64_t text = text_base(self->puppet.pid, variant->target) + self->site;
	const uint64_t bad[] = {
		1, self->stack + 8, ~0ULL, ~0ULL << 12, 1ULL << 63, 0xffffffff81000000,
		0xffffffffff600000, 0x7ffffffff000, PAGE, self->stack - PAGE,
		self->slots, self->slots + 3 * PAGE, self->returns, self->frames,
		self->frames + INSTR_STACK_PAGES_AT, text & ~(PAGE - 1),
	};
	long pages;

	SLOTS();
	SLOT(3, RETURN_OF(4));
	SLOT(4, RETURN_OF(3));
	for (int i = 0; i < (int)(sizeof(bad) / sizeof(bad[0])); i++)
		STACK(i, bad[i]);
	for (int i = 100; i < 2000; i++)
		STACK(i, self->stack);
	/* Nothing is there. */
	for (int i = 2000; i < 2020; i++)
		STACK(i, self->stack + (i - 1999) * PAGE);
	WRITE(self->stack + 8, RETURN_OF(3));
	WRITE(self->returns + 8, RETURN_OF(0));
	WRITE(self->frames + 24, RETURN_OF(0));
	pages = resident(self->puppet.pid);
	ASSERT_EQ(0, detach(self));
	EXPECT_GE(pages + 8, resident(self->puppet.pid));
	EXPECT_EQ(RETURN_OF(0), WORD(self->returns + 8));
	EXPECT_EQ(10, puppet_number(&self->puppet, "trap 10"));
}

TEST_F(slot, without_frames)
{
	SLOTS();
	STACK(0, self->stack);
	WRITE_WORDS(self->stack);
	for (uint64_t at = 0; at < FRAMES_LEN; at += PAGE)
		ASSERT_EQ(0, puppet_number(&self->puppet, "unmap %ld",
					   (long)(self->frames + at)));
	ASSERT_EQ(0, detach(self));
	EXPECT_WORDS(self->puppet.pid, self->stack, false);
}

TEST_F(slot, without_the_table_of_returns)
{
	SLOTS();
	STACK(0, self->stack);
	WRITE_WORDS(self->stack);
	for (uint64_t at = 0; at < KEPT_LEN; at += PAGE)
		ASSERT_EQ(0, puppet_number(&self->puppet, "unmap %ld",
					   (long)(self->returns + at)));
	ASSERT_EQ(0, detach(self));
	EXPECT_WORDS(self->puppet.pid, self->stack, false);
}

/* The word is a slot's half of the time. */
TEST_F(slot, a_thread_that_changes_it_meanwhile)
{
	SLOTS();
	STACK(0, self->stack);
	puppet_ask(&self->puppet, "flip %lx %lx", self->stack + 64, RETURN_OF(0));
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, detach(self));
		ASSERT_EQ(1, attach(self));
		STACK(0, self->stack);
	}
	EXPECT_EQ(0, puppet_number(&self->puppet, "flop"));
}

/* ---- children -------------------------------------------------------------------- */

TEST_F(slot, a_fork_child_has_none)
{
	pid_t child;

	SLOTS();
	STACK(0, self->stack);
	WRITE_WORDS(self->stack);
	WRITE_WORDS(self->stack + PAGE);
	child = puppet_number(&self->puppet, "child");
	/* It has begun when it sleeps. */
	usleep(200000);
	EXPECT_WORDS(child, self->stack, true);
	EXPECT_WORDS(child, self->stack + PAGE, false);
	EXPECT_WORDS(self->puppet.pid, self->stack, false);
	EXPECT_EQ(1, puppet_number(&self->puppet, "reap"));
	/* The page is still shared, as far as the parent knows. */
	ASSERT_EQ(0, detach(self));
	EXPECT_WORDS(self->puppet.pid, self->stack, true);
}

TEST_F(slot, a_fork_child_has_none_from_the_beginning)
{
	SLOTS();
	STACK(0, self->stack);
	WRITE(self->stack, RETURN_OF(1));
	EXPECT_EQ(100, puppet_number(&self->puppet, "find %lx %lx 100", self->stack,
				     (unsigned long)TO(1)));
	EXPECT_EQ(RETURN_OF(1), WORD(self->stack));
}

TEST_F(slot, a_child_whose_parent_is_gone)
{
	pid_t child;

	SLOTS();
	STACK(0, self->stack);
	WRITE_WORDS(self->stack);
	child = puppet_number(&self->puppet, "leave");
	EXPECT_EQ(0, puppet_end(&self->puppet));
	self->puppet.pid = 0;
	usleep(200000);
	EXPECT_WORDS(child, self->stack, true);
	kill(child, SIGKILL);
}

TEST_F(slot, a_vfork_child_shares_them)
{
	SLOTS();
	STACK(0, self->stack);
	WRITE_WORDS(self->stack);
	EXPECT_EQ(30, puppet_number(&self->puppet, "vforks 30 10"));
	EXPECT_EQ(10, puppet_number(&self->puppet, "spawns 10"));
	EXPECT_WORDS(self->puppet.pid, self->stack, false);
}

TEST_F(slot, a_child_after_detach)
{
	pid_t child;

	SLOTS();
	STACK(0, self->stack);
	ASSERT_EQ(0, detach(self));
	/* As one that was left. */
	WRITE(self->stack, RETURN_OF(1));
	child = puppet_number(&self->puppet, "child");
	usleep(200000);
	EXPECT_EQ(TO(1), word_at(child, self->stack));
	EXPECT_EQ(RETURN_OF(1), WORD(self->stack));
	EXPECT_EQ(1, puppet_number(&self->puppet, "reap"));
}

TEST_F_TIMEOUT(slot, hundreds_of_children_while_sessions_come_and_go, 240)
{
	SLOTS();
	STACK(0, self->stack);
	WRITE_WORDS(self->stack);
	fputs("tfork 3 60\n", self->puppet.to);
	for (int i = 0; i < 10; i++) {
		close(self->fd);
		self->fd = open("/dev/instr", O_RDWR | O_CLOEXEC);
		ASSERT_EQ(0, slot_publish(self));
		ASSERT_EQ(1, attach(self));
		self->frames = frames_address(self);
		STACK(0, self->stack);
	}
	EXPECT_STREQ("180", ({ static char line[64]; EXPECT_NE(NULL,
		     fgets(line, sizeof(line), self->puppet.from));
		     line[strcspn(line, "\n")] = 0; line; }));
	EXPECT_EQ(10, puppet_number(&self->puppet, "trap 10"));
}

TEST_HARNESS_MAIN
