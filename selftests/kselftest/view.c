// SPDX-License-Identifier: GPL-2.0
/* What one process sees of its text, and nobody else. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libinstr/emit.h>

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

/* ---- an annex ---------------------------------------------------------------------- */

/*
 * An overlay made by hand: a jump in probed_jump, and a trap in probed_trap, lead to
 * code in the annex, which counts each in a word, does what is displaced, and goes back.
 */
#define ANNEX_TRAP	256	/* byte of the annex */
#define ANNEX_COUNTERS	sizeof(struct instr_control)
#define DISPLACED	8	/* bytes of probed_jump: whole instructions */

struct annex {
	int fd;
	struct instr_file *file;
	uint64_t jump, trap;	/* where the functions lie in the file */
	struct instr_overlay_create overlay;	/* the last that was made */
};

/* What can't be read is nothing that anybody has: the module refuses it. */
static void file_bytes(const struct annex *annex, uint64_t offset, uint8_t *bytes,
		       size_t len)
{
	if (pread(instr_file_fd(annex->file), bytes, len, offset) != (ssize_t)len)
		memset(bytes, 0, len);
}

/* Reads a byte from the puppet's orders: it stays here until there is one. */
static void emit_wait(struct emit *emit)
{
	EMIT(emit, "\x57\x31\xff");		/* push %rdi; xor %edi,%edi */
	EMIT(emit, "\x6a\x00\x48\x89\xe6");	/* push $0; mov %rsp,%rsi */
	EMIT(emit, "\xba\x01\x00\x00\x00");	/* mov $1,%edx */
	EMIT(emit, "\x31\xc0\x0f\x05");	/* xor %eax,%eax; syscall */
	EMIT(emit, "\x5e\x5f");			/* pop %rsi; pop %rdi */
}

static void emit_count(struct emit *emit, const struct annex *annex, int counter)
{
	EMIT(emit, "\x48\xff\x05");		/* incq counter(%rip) */
	emit_relative(emit, annex->overlay.slab_start + annex->overlay.code_len +
		      ANNEX_COUNTERS + counter * sizeof(uint64_t), 0);
}

static void annex_emit(const struct annex *annex, uint8_t *bytes, bool waits)
{
	int64_t start = annex->overlay.annex_start;
	struct emit jump = { .bytes = bytes, .position = start };
	struct emit trap = { .bytes = bytes + ANNEX_TRAP, .position = start + ANNEX_TRAP };
	uint8_t old[DISPLACED];

	if (waits)
		emit_wait(&jump);
	emit_count(&jump, annex, 0);
	file_bytes(annex, annex->jump, old, sizeof(old));
	emit_bytes(&jump, old, sizeof(old));
	emit_jump(&jump, annex->jump + DISPLACED);

	emit_count(&trap, annex, 1);
	file_bytes(annex, annex->trap, old, 2);
	emit_bytes(&trap, old, 2);
	emit_jump(&trap, annex->trap + 2);
}

/* Makes what annex->overlay asks for, and publishes its sites; 0 or -errno. */
static int annex_create(struct annex *annex, bool waits)
{
	struct instr_overlay_create *overlay = &annex->overlay;
	struct instr_trap traps[] = {
		{ .offset = annex->trap, .target = overlay->annex_start + ANNEX_TRAP },
	};
	struct instr_site sites[2] = {
		{ .offset = annex->jump, .len = 5 }, { .offset = annex->trap, .len = 1 },
	};
	struct emit jump = { .bytes = sites[0].new, .position = annex->jump };
	uint8_t code[4096] = { 0 };
	struct instr_slab_io io = {
		.size = sizeof(io), .offset = overlay->code_len, .len = sizeof(code),
		.ptr = (uintptr_t)code,
	};
	struct instr_publish publish = {
		.size = sizeof(publish), .nr_sites = 2, .nr_traps = 1,
		.sites = (uintptr_t)sites, .traps = (uintptr_t)traps,
	};

	emit_jump(&jump, overlay->annex_start);
	sites[1].new[0] = 0xcc;
	for (int i = 0; i < 2; i++)
		file_bytes(annex, sites[i].offset, sites[i].old, sites[i].len);
	if (ioctl(annex->fd, INSTR_OVERLAY_CREATE, overlay))
		return -errno;
	io.overlay_id = publish.overlay_id = overlay->out_overlay_id;
	annex_emit(annex, code, waits);
	return ioctl(annex->fd, INSTR_SLAB_WRITE, &io) ||
	       ioctl(annex->fd, INSTR_PUBLISH, &publish) ? -errno : 0;
}

static struct instr_space_next annex_space(struct annex *annex)
{
	struct instr_space_next space = { .size = sizeof(space) };

	if (ioctl(annex->fd, INSTR_SPACE_NEXT, &space))
		space.space_id = 0;
	return space;
}

static uint64_t annex_count(struct annex *annex, int counter)
{
	uint64_t value = ~0ULL;
	struct instr_data_read arg = {
		.size = sizeof(arg), .overlay_id = annex->overlay.out_overlay_id, .nr = 1,
		.space_id = annex_space(annex).space_id, .ptr = (uintptr_t)&value,
		.offset = ANNEX_COUNTERS + counter * sizeof(uint64_t),
	};

	return ioctl(annex->fd, INSTR_DATA_READ, &arg) ? ~0ULL : value;
}

static void annex_reopen(struct annex *annex)
{
	if (annex->fd >= 0)
		close(annex->fd);
	annex->fd = open("/dev/instr", O_RDWR | O_CLOEXEC);
}

/* Of probes these use the session only. */
static int annex_attach(struct annex *annex, pid_t pid)
{
	return probes_attach(&(struct probes){ .fd = annex->fd }, pid);
}

static int annex_detach(struct annex *annex, pid_t pid)
{
	return probes_detach(&(struct probes){ .fd = annex->fd }, pid);
}

struct mapping {
	unsigned long start, end;
	char perms[8];
};

/* A process's mappings with @what in their lines; returns how many, of @max at most. */
static int find_mappings(pid_t pid, const char *what, struct mapping *ret, int max)
{
	char name[64], line[4500];
	FILE *maps;
	int nr = 0;

	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	maps = fopen(name, "r");
	while (maps && nr < max && fgets(line, sizeof(line), maps))
		nr += strstr(line, what) &&
		      sscanf(line, "%lx-%lx %7s", &ret[nr].start, &ret[nr].end,
			     ret[nr].perms) == 3;
	if (maps)
		fclose(maps);
	return nr;
}

static int count_slab_mappings(pid_t pid)
{
	struct mapping mapping[8];

	return find_mappings(pid, "instr-slab", mapping, 8);
}

FIXTURE(annex)
{
	struct annex annex;
	struct puppet puppet;
	uint64_t base;
};

FIXTURE_VARIANT(annex)
{
	const char *target;
	int64_t slab_start, annex_start;
};

FIXTURE_VARIANT_ADD(annex, pie) {
	.target = "puppet", .slab_start = -0x40000000, .annex_start = -0x60000000
};
FIXTURE_VARIANT_ADD(annex, fixed) {
	.target = "puppet-fixed", .slab_start = 0x60000000, .annex_start = 0x68000000
};

FIXTURE_SETUP(annex)
{
	struct annex *annex = &self->annex;

	ASSERT_EQ(0, instr_file_open(target_path(variant->target), &annex->file, NULL));
	annex->jump = function_offset(annex->file, "probed_jump");
	annex->trap = function_offset(annex->file, "probed_trap");
	annex->fd = -1;
	annex_reopen(annex);
	annex->overlay = (struct instr_overlay_create){
		.size = sizeof(annex->overlay), .file_fd = instr_file_fd(annex->file),
		.slab_start = variant->slab_start, .code_len = 4096, .data_len = 4096,
		.annex_start = variant->annex_start, .annex_len = 4096, .layout = 7,
	};
	puppet_start(&self->puppet, target_path(variant->target));
	self->base = text_base(self->puppet.pid, variant->target);
}

FIXTURE_TEARDOWN(annex)
{
	EXPECT_EQ(0, puppet_end(&self->puppet));
	close(self->annex.fd);
	instr_file_close(self->annex.file);
}

TEST_F(annex, jumps_lead_into_it)
{
	ASSERT_EQ(0, annex_create(&self->annex, false));
	ASSERT_EQ(1, annex_attach(&self->annex, self->puppet.pid));
	EXPECT_EQ(1000, puppet_number(&self->puppet, "call 1000"));
	EXPECT_EQ(1000, annex_count(&self->annex, 0));
	ASSERT_EQ(0, annex_detach(&self->annex, self->puppet.pid));
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
	EXPECT_EQ(1000, annex_count(&self->annex, 0));
}

/* Code and nothing else, as the other is, and for ever. */
TEST_F(annex, it_is_mapped_as_code)
{
	struct mapping mapping[8];
	int nr = 0;

	ASSERT_EQ(0, annex_create(&self->annex, false));
	ASSERT_EQ(1, annex_attach(&self->annex, self->puppet.pid));
	annex_reopen(&self->annex);
	ASSERT_EQ(3, find_mappings(self->puppet.pid, "instr-slab", mapping, 8));
	for (int i = 0; i < 3; i++)
		nr += mapping[i].start == self->base + variant->annex_start &&
		      mapping[i].end == mapping[i].start + 4096 &&
		      !strcmp(mapping[i].perms, "r-xp");
	EXPECT_EQ(1, nr);
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
}

TEST_F(annex, traps_lead_into_it)
{
	ASSERT_EQ(0, annex_create(&self->annex, false));
	ASSERT_EQ(1, annex_attach(&self->annex, self->puppet.pid));
	EXPECT_EQ(100, puppet_number(&self->puppet, "trap 100"));
	EXPECT_EQ(100, annex_count(&self->annex, 1));
	EXPECT_EQ(0, annex_count(&self->annex, 0));
}

/* Behind the heap nothing is mapped: it is only in the way. */
TEST_F(annex, where_its_place_is_taken_nothing_is_mapped)
{
	uint64_t places[] = { 0, 0x1000000 };
	struct mapping heap;

	ASSERT_EQ(1, find_mappings(self->puppet.pid, "[heap]", &heap, 1));
	places[1] += heap.end - self->base;
	for (int i = 0; i < 2; i++) {
		annex_reopen(&self->annex);
		self->annex.overlay.annex_start = places[i];
		ASSERT_EQ(0, annex_create(&self->annex, false));
		EXPECT_EQ(0, annex_attach(&self->annex, self->puppet.pid));
		EXPECT_EQ(EEXIST, annex_space(&self->annex).out_refused);
		EXPECT_EQ(0, annex_space(&self->annex).out_slabs);
		EXPECT_EQ(0, count_slab_mappings(self->puppet.pid));
		EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
	}
}

/* The alternative's slab has the place of the one that was given up. */
TEST_F(annex, where_its_place_is_taken_the_next_overlay_serves)
{
	self->annex.overlay.annex_start = 0;
	ASSERT_EQ(0, annex_create(&self->annex, false));
	self->annex.overlay.annex_start = variant->annex_start;
	ASSERT_EQ(0, annex_create(&self->annex, false));
	ASSERT_EQ(1, annex_attach(&self->annex, self->puppet.pid));
	EXPECT_EQ(3, count_slab_mappings(self->puppet.pid));
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
	EXPECT_EQ(10, puppet_number(&self->puppet, "trap 10"));
	EXPECT_EQ(10, annex_count(&self->annex, 0));
	EXPECT_EQ(10, annex_count(&self->annex, 1));
}

TEST_F(annex, the_next_session_finds_it)
{
	for (int i = 0; i < 3; i++) {
		annex_reopen(&self->annex);
		ASSERT_EQ(0, annex_create(&self->annex, false));
		ASSERT_EQ(1, annex_attach(&self->annex, self->puppet.pid));
		EXPECT_EQ(4, puppet_number(&self->puppet, "call 4"));
		EXPECT_EQ(4, annex_count(&self->annex, 0));
		EXPECT_EQ(3, count_slab_mappings(self->puppet.pid));
	}
	/* With an annex elsewhere, or a longer one, it is another slab. */
	annex_reopen(&self->annex);
	self->annex.overlay.annex_start += 0x100000;
	ASSERT_EQ(0, annex_create(&self->annex, false));
	EXPECT_EQ(0, annex_attach(&self->annex, self->puppet.pid));
	annex_reopen(&self->annex);
	self->annex.overlay.annex_start = variant->annex_start;
	self->annex.overlay.annex_len += 4096;
	ASSERT_EQ(0, annex_create(&self->annex, false));
	EXPECT_EQ(0, annex_attach(&self->annex, self->puppet.pid));
	EXPECT_EQ(EEXIST, annex_space(&self->annex).out_refused);
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
}

/* A slab whose annex the process has removed is none. */
TEST_F(annex, without_it_a_slab_is_not_taken_over)
{
	ASSERT_EQ(0, annex_create(&self->annex, false));
	ASSERT_EQ(1, annex_attach(&self->annex, self->puppet.pid));
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
	annex_reopen(&self->annex);
	ASSERT_EQ(0, puppet_number(&self->puppet, "unmap %ld",
				   (long)(self->base + variant->annex_start)));
	ASSERT_EQ(0, annex_create(&self->annex, false));
	EXPECT_EQ(0, annex_attach(&self->annex, self->puppet.pid));
	EXPECT_EQ(EEXIST, annex_space(&self->annex).out_refused);
	EXPECT_EQ(10, puppet_number(&self->puppet, "call 10"));
}

/* Makes the page the process's own, patched as it is, as a breakpoint would. */
static void copy_page(pid_t pid, uint64_t vaddr)
{
	long word;

	ptrace(PTRACE_ATTACH, pid, 0, 0);
	waitpid(pid, NULL, 0);
	word = ptrace(PTRACE_PEEKTEXT, pid, vaddr, 0);
	ptrace(PTRACE_POKETEXT, pid, vaddr, word);
	ptrace(PTRACE_DETACH, pid, 0, 0);
}

/* Where in its text the first child of a process waits in a system call. */
static uint64_t child_is_at(pid_t pid)
{
	char name[64];
	pid_t child = 0;
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%d/task/%d/children", pid, pid);
	file = fopen(name, "r");
	if (!file || fscanf(file, "%d", &child) != 1)
		child = 0;
	if (file)
		fclose(file);
	return waits_at(child);
}

/* A fork child that inherited a copied page is in the annex while the parent leaves. */
TEST_F(annex, a_fork_child_stays_in_it)
{
	uint64_t start = self->base + variant->annex_start, at = 0;
	char answer[128], patched[40];
	uint8_t bytes[16];

	ASSERT_EQ(0, annex_create(&self->annex, true));
	ASSERT_EQ(1, annex_attach(&self->annex, self->puppet.pid));
	copy_page(self->puppet.pid, self->base + self->annex.jump + 8);
	ASSERT_TRUE(peek(self->puppet.pid, self->base + self->annex.jump, bytes,
			 sizeof(bytes)));
	for (int i = 0; i < 16; i++)
		sprintf(patched + 2 * i, "%02x", bytes[i]);
	ASSERT_EQ(0, strncmp(patched, "e9", 2));
	fputs("fork 1\n", self->puppet.to);
	for (int i = 0; i < 500 && at - start >= 4096; i++) {
		usleep(10000);
		at = child_is_at(self->puppet.pid);
	}
	ASSERT_GT(4096, at - start);
	ASSERT_EQ(0, annex_detach(&self->annex, self->puppet.pid));
	EXPECT_EQ(0, annex_count(&self->annex, 0));
	annex_reopen(&self->annex);
	EXPECT_EQ(start, child_is_at(self->puppet.pid) & ~4095ULL);
	fputs("\n", self->puppet.to);
	ASSERT_NE(NULL, fgets(answer, sizeof(answer), self->puppet.from));
	EXPECT_EQ(0, strncmp(patched, answer, 32));
}

TEST_HARNESS_MAIN
