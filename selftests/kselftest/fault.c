// SPDX-License-Identifier: GPL-2.0
/*
 * Faults of instructions that were moved, as handlers see them: an overlay made by hand,
 * with a trap at the instruction that faults, and its copy in the slab or its annex.
 */
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

#define PAGE		4096
#define COUNTERS	sizeof(struct instr_control)
#define BLOCK		64	/* bytes of code for each */

/* An instruction that is moved: @len bytes at @at in a function. */
struct moved {
	const char *name;
	unsigned int at, len;
	uint64_t offset;	/* in the file */
};

enum { READ, DIVIDE, ILLEGAL, WAIT, NR };

struct faults {
	struct moved moved[NR];
	int nr;
	struct instr_overlay_create overlay;
	struct instr_file *file;
	struct puppet puppet;
	uint64_t base;
	int64_t code;		/* position of the first block */
	int fd;
};

FIXTURE(fault)
{
	struct faults faults;
};

FIXTURE_VARIANT(fault)
{
	bool annex;
};

FIXTURE_VARIANT_ADD(fault, slab) { .annex = false };
FIXTURE_VARIANT_ADD(fault, annex) { .annex = true };

static const struct moved instructions[NR] = {
	[READ] = { .name = "fault_read", .at = 0, .len = 3 },
	[DIVIDE] = { .name = "fault_divide", .at = 5, .len = 3 },
	[ILLEGAL] = { .name = "fault_illegal", .at = 0, .len = 2 },
	[WAIT] = { .name = "fault_wait", .at = 5, .len = 2 },
};

/* Counts, does what was moved, and goes back. Returns where the copy is. */
static int64_t emit_block(uint8_t *bytes, int64_t position, int64_t counter,
			  const struct moved *moved, const uint8_t *old)
{
	struct emit emit = { .bytes = bytes, .position = position };
	int64_t copy;

	EMIT(&emit, "\x48\xff\x05");		/* incq counter(%rip) */
	emit_relative(&emit, counter, 0);
	copy = emit.position + emit.len;
	emit_bytes(&emit, old, moved->len);
	emit_jump(&emit, moved->offset + moved->len);
	return copy;
}

static int faults_publish(struct faults *self)
{
	struct instr_overlay_create *overlay = &self->overlay;
	int64_t data = overlay->slab_start + overlay->code_len;
	struct instr_origin origins[NR + 1];
	struct instr_site sites[NR] = { 0 };
	struct instr_trap traps[NR];
	int nr = self->nr;
	uint8_t code[PAGE] = { 0 };
	struct instr_slab_io io = {
		.size = sizeof(io), .offset = overlay->annex_len ? overlay->code_len : 0,
		.len = sizeof(code), .ptr = (uintptr_t)code,
	};
	struct instr_publish publish = {
		.size = sizeof(publish), .nr_sites = nr, .nr_traps = nr,
		.nr_origins = nr, .sites = (uintptr_t)sites,
		.traps = (uintptr_t)traps, .origins = (uintptr_t)origins,
	};

	if (ioctl(self->fd, INSTR_OVERLAY_CREATE, overlay))
		return -errno;
	io.overlay_id = publish.overlay_id = overlay->out_overlay_id;
	for (int i = 0; i < nr; i++) {
		const struct moved *moved = &self->moved[i];
		int64_t block = self->code + i * BLOCK;
		uint8_t old[16];

		if (pread(instr_file_fd(self->file), old, sizeof(old), moved->offset) !=
		    sizeof(old))
			return -EIO;
		sites[i] = (struct instr_site){ .offset = moved->offset, .len = 1,
						.old = { old[0] }, .new = { 0xcc } };
		traps[i] = (struct instr_trap){ .offset = moved->offset, .target = block };
		origins[i] = (struct instr_origin){
			.code = emit_block(code + i * BLOCK, block,
					   data + COUNTERS + i * sizeof(uint64_t),
					   moved, old),
			.offset = moved->offset,
		};
	}
	/* The way back from a system call stands for what is behind it. */
	if (nr > WAIT)
		origins[publish.nr_origins++] = (struct instr_origin){
			origins[WAIT].code + 2, origins[WAIT].offset + 2,
		};
	return ioctl(self->fd, INSTR_SLAB_WRITE, &io) ||
	       ioctl(self->fd, INSTR_PUBLISH, &publish) ? -errno : 0;
}

/* Of a program, with @nr of @moved, and the slab at @start. 0 or -errno. */
static int faults_begin(struct faults *self, const char *target, const struct moved *moved,
			int nr, int64_t start, bool annex)
{
	const char *path = target_path(target);
	int err;

	if (instr_file_open(path, &self->file, NULL))
		return -ENOENT;
	self->nr = nr;
	for (int i = 0; i < nr; i++) {
		self->moved[i] = moved[i];
		self->moved[i].offset = function_offset(self->file, moved[i].name) +
					moved[i].at;
	}
	self->overlay = (struct instr_overlay_create){
		.size = sizeof(self->overlay), .file_fd = instr_file_fd(self->file),
		.slab_start = start, .code_len = PAGE, .data_len = PAGE,
		.annex_start = annex ? start + 0x8000000 : 0, .annex_len = annex ? PAGE : 0,
	};
	self->code = annex ? self->overlay.annex_start : self->overlay.slab_start;
	self->fd = open("/dev/instr", O_RDWR | O_CLOEXEC);
	err = faults_publish(self);
	puppet_start(&self->puppet, path);
	self->base = text_base(self->puppet.pid, path);
	return err;
}

static int faults_attach(struct faults *self)
{
	return probes_attach(&(struct probes){ .fd = self->fd }, self->puppet.pid);
}

static void faults_end(struct faults *self)
{
	close(self->fd);
	instr_file_close(self->file);
}

static uint64_t faults_counter(struct faults *self, int which)
{
	struct instr_space_next space = { .size = sizeof(space) };
	uint64_t value = ~0ULL;
	struct instr_data_read arg = {
		.size = sizeof(arg), .overlay_id = self->overlay.out_overlay_id, .nr = 1,
		.ptr = (uintptr_t)&value, .offset = COUNTERS + which * sizeof(uint64_t),
	};

	if (ioctl(self->fd, INSTR_SPACE_NEXT, &space))
		return ~0ULL;
	arg.space_id = space.space_id;
	return ioctl(self->fd, INSTR_DATA_READ, &arg) ? ~0ULL : value;
}

FIXTURE_SETUP(fault)
{
	ASSERT_EQ(0, faults_begin(&self->faults, "faults", instructions, NR,
				  -0x60000000, variant->annex));
	ASSERT_EQ(1, faults_attach(&self->faults));
}

FIXTURE_TEARDOWN(fault)
{
	EXPECT_EQ(0, puppet_end(&self->faults.puppet));
	faults_end(&self->faults);
}

/* What a handler was told. */
struct told {
	int sig, code;
	uint64_t ip, address;
	long result;
};

static struct told parse(const char *answer)
{
	struct told told = { 0 };

	if (sscanf(answer, "%d %d %lx %lx %ld", &told.sig, &told.code, &told.ip,
		   &told.address, &told.result) != 5)
		printf("# %s\n", answer);
	return told;
}

#define TEXT(which)	(self->faults.base + self->faults.moved[which].offset)

TEST_F(fault, data_that_is_not_there)
{
	struct told told = parse(puppet_ask(&self->faults.puppet, "read"));

	EXPECT_EQ(SIGSEGV, told.sig);
	EXPECT_EQ(SEGV_MAPERR, told.code);
	EXPECT_EQ(TEXT(READ), told.ip);
	EXPECT_EQ(0, told.address);
	EXPECT_EQ(5, told.result);
	/* It went on in the text, from there into the slab again. */
	EXPECT_EQ(2, faults_counter(&self->faults, READ));
}

TEST_F(fault, a_handler_that_jumps)
{
	for (int i = 1; i <= 100; i++) {
		struct told told = parse(puppet_ask(&self->faults.puppet, "jump"));

		ASSERT_EQ(TEXT(READ), told.ip);
		ASSERT_EQ(5, told.result);
		ASSERT_EQ(i, faults_counter(&self->faults, READ));
	}
}

TEST_F(fault, arithmetic)
{
	struct told told = parse(puppet_ask(&self->faults.puppet, "divide"));

	EXPECT_EQ(SIGFPE, told.sig);
	EXPECT_EQ(FPE_INTDIV, told.code);
	EXPECT_EQ(TEXT(DIVIDE), told.ip);
	EXPECT_EQ(told.ip, told.address);
	EXPECT_EQ(5, told.result);
	EXPECT_EQ(2, faults_counter(&self->faults, DIVIDE));
}

TEST_F(fault, no_instruction)
{
	struct told told = parse(puppet_ask(&self->faults.puppet, "illegal"));

	EXPECT_EQ(SIGILL, told.sig);
	EXPECT_EQ(TEXT(ILLEGAL), told.ip);
	EXPECT_EQ(told.ip, told.address);
	EXPECT_EQ(5, told.result);
	EXPECT_EQ(1, faults_counter(&self->faults, ILLEGAL));
}

/* Others' signals come between any two instructions: they have nothing to do with them. */
TEST_F(fault, a_signal_of_somebody_else)
{
	uint64_t start = self->faults.base + self->faults.code, at = 0;
	char answer[128] = "";
	struct told told;

	fputs("wait\n", self->faults.puppet.to);
	for (int i = 0; i < 500 && at - start >= PAGE; i++) {
		usleep(10000);
		at = waits_at(self->faults.puppet.pid);
	}
	ASSERT_GT(PAGE, at - start);
	ASSERT_EQ(0, kill(self->faults.puppet.pid, SIGSEGV));
	ASSERT_NE(NULL, fgets(answer, sizeof(answer), self->faults.puppet.from));
	told = parse(answer);
	EXPECT_EQ(SIGSEGV, told.sig);
	EXPECT_EQ(SI_USER, told.code);
	EXPECT_EQ(at, told.ip);
	EXPECT_EQ(5, told.result);
}

TEST_F(fault, a_fork_child_runs_its_own_text)
{
	struct told told = parse(puppet_ask(&self->faults.puppet, "child"));

	EXPECT_EQ(SIGSEGV, told.sig);
	EXPECT_EQ(TEXT(READ), told.ip);
	EXPECT_EQ(5, told.result);
	EXPECT_EQ(0, faults_counter(&self->faults, READ));
}

/* It inherits the page that a debugger made its parent's own. */
TEST_F(fault, a_fork_child_with_a_private_copy)
{
	struct told told;
	long word;

	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, self->faults.puppet.pid, 0, 0));
	waitpid(self->faults.puppet.pid, NULL, 0);
	word = ptrace(PTRACE_PEEKTEXT, self->faults.puppet.pid, TEXT(READ), 0);
	EXPECT_EQ(0xcc, word & 0xff);
	ASSERT_EQ(0, ptrace(PTRACE_POKETEXT, self->faults.puppet.pid, TEXT(READ), word));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, self->faults.puppet.pid, 0, 0));
	told = parse(puppet_ask(&self->faults.puppet, "child"));
	EXPECT_EQ(SIGSEGV, told.sig);
	EXPECT_EQ(TEXT(READ), told.ip);
	EXPECT_EQ(5, told.result);
	EXPECT_EQ(0, faults_counter(&self->faults, READ));
}

TEST_F(fault, after_detach_it_is_the_text)
{
	struct told told;

	ASSERT_EQ(0, probes_detach(&(struct probes){ .fd = self->faults.fd }, self->faults.puppet.pid));
	told = parse(puppet_ask(&self->faults.puppet, "divide"));
	EXPECT_EQ(TEXT(DIVIDE), told.ip);
	EXPECT_EQ(0, faults_counter(&self->faults, DIVIDE));
}

/* ---- Go, which looks the instruction up ------------------------------------------- */

FIXTURE(go)
{
	struct faults faults;
};

FIXTURE_SETUP(go)
{
	static const struct moved deref = { .name = "main.Deref", .len = 3 };

	ASSERT_EQ(0, faults_begin(&self->faults, "nil", &deref, 1, 0x60000000,
				  false));
	ASSERT_EQ(1, faults_attach(&self->faults));
}

FIXTURE_TEARDOWN(go)
{
	EXPECT_EQ(0, puppet_end(&self->faults.puppet));
	faults_end(&self->faults);
}

TEST_F(go, recovers_from_nil_dereferences)
{
	EXPECT_EQ(1000, puppet_number(&self->faults.puppet, "nil 1000"));
	EXPECT_EQ(1000, faults_counter(&self->faults, 0));
}

TEST_HARNESS_MAIN
