// SPDX-License-Identifier: GPL-2.0
/*
 * Times and threads: a slab made by hand, whose code does what the test writes into its
 * data (struct orders).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libinstr/emit.h>

#include "fixture.h"
#include "kselftest_harness.h"

#define EXPECT_ERRNO(expected, call) do {	\
	errno = 0;				\
	EXPECT_EQ(-1, (call));			\
	EXPECT_EQ(expected, errno);		\
} while (0)

#define PAGE		4096
#define KEPT_LEN	PAGE
#define TIMES_LEN	(1ULL << 30)
#define FRAMES_LEN	(1ULL << 24)
#define MARK		0x5eed
#define DISPLACED	2	/* bytes of probed_trap: an instruction */

/* Behind struct instr_control in the slab's data. */
struct orders {
	uint64_t calls;
	uint64_t entry;		/* to ask for; 1: its own, by the FS base; 0: none */
	uint64_t touch;		/* an address to be made present, or 0 */
	uint64_t wait;		/* for a byte of the puppet's orders, before it asks */
	uint64_t answer;	/* RAX behind the trap */
};

/*
 * The slab as the linker sees it: code, data and kept data are a page each, then come
 * the times. The code marks the first word of times; the thread's own entry gets the
 * stack pointer, as an offset of 40 in it says.
 */
__asm__(".pushsection .rodata, \"a\"\n"
	".p2align 4\n"
	"stub:\n"
	"	push %rax\n"
	"	push %rdi\n"
	"	push %rsi\n"
	"	push %rdx\n"
	"	push %rcx\n"
	"	push %r11\n"
	"	pushfq\n"
	"	lock incq stub + 4096 + 512(%rip)\n"
	"	movq $0x5eed, stub + 3 * 4096(%rip)\n"
	"	mov stub + 4096 + 512 + 8(%rip), %rdi\n"
	"	test %rdi, %rdi\n"
	"	jz 9f\n"
	"	cmp $1, %rdi\n"
	"	jne 1f\n"
	/* Its own: INSTR_THREAD_HASH(). */
	"	mov stub + 4096 + 504(%rip), %rdi\n"
	"	and $-2, %rdi\n"
	"	jz 9f\n"
	"	rdfsbase %rax\n"
	"	mov %rax, %rdx\n"
	"	shr $6, %rax\n"
	"	imul $0x9e3779b1, %eax, %eax\n"
	"	shr $20, %eax\n"
	"	shl $6, %eax\n"
	"	add %rax, %rdi\n"
	"	cmp %rdx, (%rdi)\n"
	"	je 8f\n"
	"	lock orb $0, (%rdi)\n"
	"1:	mov stub + 4096 + 512 + 16(%rip), %rax\n"
	"	test %rax, %rax\n"
	"	jz 2f\n"
	"	lock orb $0, (%rax)\n"
	"2:	cmpq $0, stub + 4096 + 512 + 24(%rip)\n"
	"	je 3f\n"
	/* read(0, stack, 1) */
	"	push %rdi\n"
	"	xor %edi, %edi\n"
	"	push $0\n"
	"	mov %rsp, %rsi\n"
	"	mov $1, %edx\n"
	"	xor %eax, %eax\n"
	"	syscall\n"
	"	pop %rsi\n"
	"	pop %rdi\n"
	"3:	mov $1, %eax\n"
	"	call stub_trap\n"
	"	mov %rax, stub + 4096 + 512 + 32(%rip)\n"
	"	cmpq $1, stub + 4096 + 512 + 8(%rip)\n"
	"	jne 9f\n"
	"	test %rax, %rax\n"
	"	jnz 9f\n"
	"8:	mov %rsp, 40(%rdi)\n"
	"9:	popfq\n"
	"	pop %r11\n"
	"	pop %rcx\n"
	"	pop %rdx\n"
	"	pop %rsi\n"
	"	pop %rdi\n"
	"	pop %rax\n"
	"stub_end:\n"
	"	.org stub + 0xff0, 0\n"
	"stub_trap:\n"
	"	int3\n"
	"	ret\n"
	"	.org stub + 4096, 0\n"
	".popsection\n");

extern const uint8_t stub[], stub_end[];

/* ---- a session ------------------------------------------------------------------- */

struct slab {
	int fd;
	struct instr_file *file;
	uint64_t site;
	struct instr_overlay_create overlay;	/* the last that was made */
};

static struct instr_overlay_create some_overlay(struct instr_file *file, int64_t start)
{
	return (struct instr_overlay_create){
		.size = sizeof(struct instr_overlay_create),
		.file_fd = instr_file_fd(file), .slab_start = start,
		.code_len = PAGE, .data_len = PAGE, .kept_len = KEPT_LEN, .layout = 7,
		.times_len = TIMES_LEN, .frames_len = FRAMES_LEN,
	};
}

static int write_code(const struct slab *slab)
{
	int64_t start = slab->overlay.slab_start;
	uint8_t code[PAGE], old[DISPLACED];
	struct emit emit = {
		.bytes = code + (stub_end - stub), .position = start + (stub_end - stub),
	};
	struct instr_slab_io io = {
		.size = sizeof(io), .overlay_id = slab->overlay.out_overlay_id,
		.len = sizeof(code), .ptr = (uintptr_t)code,
	};

	memcpy(code, stub, sizeof(code));
	if (pread(instr_file_fd(slab->file), old, sizeof(old), slab->site) != sizeof(old))
		return -1;
	emit_bytes(&emit, old, sizeof(old));
	emit_jump(&emit, slab->site + DISPLACED);
	return ioctl(slab->fd, INSTR_SLAB_WRITE, &io);
}

static int publish_site(const struct slab *slab)
{
	struct instr_site site = { .offset = slab->site, .len = 1, .new = { 0xcc } };
	struct instr_trap trap = {
		.offset = slab->site, .target = slab->overlay.slab_start,
	};
	struct instr_publish publish = {
		.size = sizeof(publish), .overlay_id = slab->overlay.out_overlay_id,
		.nr_sites = 1, .sites = (uintptr_t)&site,
		.nr_traps = 1, .traps = (uintptr_t)&trap,
	};

	if (pread(instr_file_fd(slab->file), site.old, site.len, slab->site) != site.len)
		return -1;
	return ioctl(slab->fd, INSTR_PUBLISH, &publish);
}

/* Makes what slab->overlay asks for; 0 or -errno. */
static int slab_create(struct slab *slab)
{
	if (ioctl(slab->fd, INSTR_OVERLAY_CREATE, &slab->overlay) || write_code(slab) ||
	    publish_site(slab))
		return -errno;
	return 0;
}

static void slab_reopen(struct slab *slab)
{
	if (slab->fd >= 0)
		close(slab->fd);
	slab->fd = open("/dev/instr", O_RDWR | O_CLOEXEC);
}

/* Of probes these use the session only. */
static int slab_attach(struct slab *slab, pid_t pid)
{
	return probes_attach(&(struct probes){ .fd = slab->fd }, pid);
}

static int slab_detach(struct slab *slab, pid_t pid)
{
	return probes_detach(&(struct probes){ .fd = slab->fd }, pid);
}

static struct instr_space_next space_behind(const struct slab *slab, uint32_t id)
{
	struct instr_space_next space = { .size = sizeof(space), .space_id = id };

	if (ioctl(slab->fd, INSTR_SPACE_NEXT, &space))
		space.space_id = 0;
	return space;
}

static struct instr_space_next first_space(const struct slab *slab)
{
	return space_behind(slab, 0);
}

static struct instr_times_read read_args(const struct slab *slab, void *to, uint64_t len)
{
	return (struct instr_times_read){
		.size = sizeof(struct instr_times_read), .len = len,
		.space_id = first_space(slab).space_id, .ptr = (uintptr_t)to,
		.overlay_id = slab->overlay.out_overlay_id,
	};
}

/* A word of the times, as the module has it. */
static uint64_t times_word(const struct slab *slab, uint64_t offset)
{
	uint64_t word = ~0ULL;
	struct instr_times_read arg = read_args(slab, &word, sizeof(word));

	arg.offset = offset;
	return ioctl(slab->fd, INSTR_TIMES_READ, &arg) ? ~0ULL : word;
}

/* The whole table of threads; where it is, or 0. */
static uint64_t read_table(const struct slab *slab, struct instr_thread *table)
{
	struct instr_times_read arg = read_args(slab, table, INSTR_THREADS_LEN);

	arg.overlay_id = 0;
	return ioctl(slab->fd, INSTR_TIMES_READ, &arg) ? 0 : arg.out_address;
}

static uint64_t control_frames(const struct slab *slab)
{
	uint64_t value = ~0ULL;
	struct instr_data_read arg = {
		.size = sizeof(arg), .overlay_id = slab->overlay.out_overlay_id, .nr = 1,
		.space_id = first_space(slab).space_id, .ptr = (uintptr_t)&value,
		.offset = offsetof(struct instr_control, frames),
	};

	return ioctl(slab->fd, INSTR_DATA_READ, &arg) ? ~0ULL : value;
}

/* Where frames are while the gate is open; all others as the word is. */
static uint64_t shown_frames(const struct slab *slab)
{
	uint64_t value = control_frames(slab);

	return value != ~0ULL && value & INSTR_FRAMES_OPEN ? value - INSTR_FRAMES_OPEN : value;
}

static int threads(const struct slab *slab, uint64_t *fs_base, uint32_t nr)
{
	struct instr_threads_read arg = {
		.size = sizeof(arg), .space_id = first_space(slab).space_id, .nr = nr,
		.ptr = (uintptr_t)fs_base,
	};

	return ioctl(slab->fd, INSTR_THREADS_READ, &arg) ? -errno : (int)arg.out_nr;
}

/* ---- the process ----------------------------------------------------------------- */

/* A mapping of the process, as /proc/PID/smaps has it. */
struct mapping {
	unsigned long start, end, rss;
	char perms[8], flags[128];
};

/* The @nr-th one with @what in its line, from 0 on. */
static bool find_mapping(pid_t pid, const char *what, int nr, struct mapping *ret)
{
	char name[64], line[4500], perms[8];
	unsigned long start, end;
	bool in = false, found = false;
	FILE *smaps;

	snprintf(name, sizeof(name), "/proc/%d/smaps", pid);
	smaps = fopen(name, "r");
	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx %7s", &start, &end, perms) == 3) {
			in = strstr(line, what) && !nr--;
			if (!in)
				continue;
			*ret = (struct mapping){ .start = start, .end = end };
			strcpy(ret->perms, perms);
			found = true;
		} else if (in) {
			sscanf(line, "Rss: %lu", &ret->rss);
			if (!strncmp(line, "VmFlags:", 8))
				snprintf(ret->flags, sizeof(ret->flags), "%.120s", line + 8);
		}
	}
	if (smaps)
		fclose(smaps);
	return found;
}

static int count_mappings(pid_t pid, const char *what)
{
	struct mapping mapping;
	int nr = 0;

	while (find_mapping(pid, what, nr, &mapping))
		nr++;
	return nr;
}

static bool find_mapping_at(pid_t pid, const char *what, uint64_t start,
			    struct mapping *ret)
{
	for (int nr = 0; find_mapping(pid, what, nr, ret); nr++)
		if (ret->start == start)
			return true;
	return false;
}

/* ---- the tests ------------------------------------------------------------------- */

FIXTURE(times)
{
	struct slab slab;
	struct puppet puppet;
	uint64_t base, orders, times;
	struct instr_thread *table;
};

FIXTURE_VARIANT(times)
{
	const char *target;
	int64_t start;
};

FIXTURE_VARIANT_ADD(times, pie) { .target = "puppet", .start = -0x70000000 };
FIXTURE_VARIANT_ADD(times, static_) { .target = "puppet-static", .start = 0x60000000 };

FIXTURE_SETUP(times)
{
	struct slab *slab = &self->slab;

	ASSERT_EQ(0, instr_file_open(target_path(variant->target), &slab->file, NULL));
	slab->site = function_offset(slab->file, "probed_trap");
	slab->overlay = some_overlay(slab->file, variant->start);
	slab->fd = -1;
	slab_reopen(slab);
	puppet_start(&self->puppet, target_path(variant->target));
	self->base = text_base(self->puppet.pid, variant->target);
	self->orders = self->base + variant->start + PAGE + sizeof(struct instr_control);
	self->times = self->base + variant->start + 3 * PAGE;
	self->table = mmap(NULL, INSTR_THREADS_LEN, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

FIXTURE_TEARDOWN(times)
{
	struct instr_info info;

	if (self->puppet.pid)
		EXPECT_EQ(0, puppet_end(&self->puppet));
	slab_reopen(&self->slab);
	info = live_objects(self->slab.fd);
	EXPECT_EQ(1, info.out_sessions);
	EXPECT_EQ(0, info.out_overlays);
	EXPECT_EQ(0, info.out_spaces);
	EXPECT_EQ(0, info.out_views);
	EXPECT_EQ(0, info.out_pages);
	EXPECT_EQ(0, info.out_pinned);
	close(self->slab.fd);
	instr_file_close(self->slab.file);
	munmap(self->table, INSTR_THREADS_LEN);
}

#define START() do {							\
	ASSERT_EQ(0, slab_create(&self->slab));				\
	ASSERT_EQ(1, slab_attach(&self->slab, self->puppet.pid));	\
} while (0)

#define ORDER(what, value) do {								\
	uint64_t __value = (value);							\
	ASSERT_TRUE(poke(self->puppet.pid, self->orders + offsetof(struct orders, what),	\
			 &__value, sizeof(__value)));					\
} while (0)

#define ORDERED(what) \
	word_at(self->puppet.pid, self->orders + offsetof(struct orders, what))

/* What the process gets for asking for that entry. */
#define ASK(address) ({						\
	ORDER(answer, 77);					\
	ORDER(entry, (address));				\
	EXPECT_EQ(1, puppet_number(&self->puppet, "trap 1"));	\
	ORDER(entry, 0);					\
	ORDERED(answer);					\
})

TEST_F(times, the_machine_has_a_counter)
{
	struct instr_info info = live_objects(self->slab.fd);

	EXPECT_LT(100000, info.out_tsc_khz);
	EXPECT_GT(10000000, info.out_tsc_khz);
	EXPECT_EQ(0, info.pad);
}

TEST_F(times, geometry)
{
	struct instr_overlay_create good = self->slab.overlay, arg;
	int fd = self->slab.fd;

	arg = good, arg.times_len += 1;
	EXPECT_ERRNO(EINVAL, ioctl(fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.times_len = INSTR_TIMES_MAX + PAGE;
	EXPECT_ERRNO(EINVAL, ioctl(fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.times_len = ~0ULL << 12;
	EXPECT_ERRNO(EINVAL, ioctl(fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.times_len = 0;
	EXPECT_ERRNO(EINVAL, ioctl(fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.frames_len = 0;
	EXPECT_ERRNO(EINVAL, ioctl(fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.frames_len += 1;
	EXPECT_ERRNO(EINVAL, ioctl(fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.frames_len = INSTR_THREADS_LEN - PAGE;
	EXPECT_ERRNO(EINVAL, ioctl(fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.frames_len = INSTR_TIMES_MAX + PAGE;
	EXPECT_ERRNO(EINVAL, ioctl(fd, INSTR_OVERLAY_CREATE, &arg));
	/* The annex in the middle of the times, and right behind them. */
	arg = good, arg.annex_start = good.slab_start + TIMES_LEN, arg.annex_len = PAGE;
	EXPECT_ERRNO(EINVAL, ioctl(fd, INSTR_OVERLAY_CREATE, &arg));
	EXPECT_EQ(0, live_objects(fd).out_overlays);
	arg.annex_start += 3 * PAGE;
	EXPECT_EQ(0, ioctl(fd, INSTR_OVERLAY_CREATE, &arg));
	/* All that have frames have the same. */
	arg = good, arg.frames_len += PAGE;
	EXPECT_ERRNO(EINVAL, ioctl(fd, INSTR_OVERLAY_CREATE, &arg));
	EXPECT_EQ(0, ioctl(fd, INSTR_OVERLAY_CREATE, &good));
	arg = good, arg.times_len = arg.frames_len = 0;
	EXPECT_EQ(0, ioctl(fd, INSTR_OVERLAY_CREATE, &arg));
	EXPECT_EQ(3, live_objects(fd).out_overlays);
}

TEST_F(times, wrong_arguments_of_reading)
{
	struct instr_times_read good, arg;
	uint64_t word;

	START();
	good = read_args(&self->slab, &word, sizeof(word));
#define READ(change) ({ arg = good; arg.change; \
	ioctl(self->slab.fd, INSTR_TIMES_READ, &arg); })
	EXPECT_EQ(0, READ(flags = 0));
	EXPECT_ERRNO(EINVAL, READ(size -= 8));
	EXPECT_ERRNO(EOPNOTSUPP, READ(flags = 1));
	EXPECT_ERRNO(EINVAL, READ(pad = 1));
	EXPECT_ERRNO(EINVAL, READ(len = (64 << 20) + 1));
	EXPECT_ERRNO(EINVAL, READ(offset = TIMES_LEN - 7));
	EXPECT_ERRNO(EINVAL, READ(offset = ~0ULL - 3));
	EXPECT_EQ(0, READ(offset = TIMES_LEN - 8));
	EXPECT_ERRNO(ENOENT, READ(space_id += 1000));
	EXPECT_ERRNO(ENOENT, READ(overlay_id += 1000));
	EXPECT_ERRNO(ENXIO, READ(slab = 1));
	EXPECT_ERRNO(EFAULT, READ(ptr = 1));
	good.overlay_id = 0;
	EXPECT_EQ(0, READ(flags = 0));
	EXPECT_ERRNO(ENXIO, READ(slab = 1));
	EXPECT_ERRNO(EINVAL, READ(offset = FRAMES_LEN - 7));
	EXPECT_EQ(0, READ(offset = FRAMES_LEN - 8));
}

TEST_F(times, wrong_arguments_of_threads)
{
	uint64_t fs_base;
	struct instr_threads_read good = {
		.size = sizeof(good), .nr = 1, .ptr = (uintptr_t)&fs_base,
	}, arg;

	START();
	good.space_id = first_space(&self->slab).space_id;
#define THREADS(change) ({ arg = good; arg.change; \
	ioctl(self->slab.fd, INSTR_THREADS_READ, &arg); })
	EXPECT_EQ(0, THREADS(nr = 1));
	EXPECT_EQ(0, THREADS(nr = ~0U));
	EXPECT_EQ(~0U, arg.nr);
	EXPECT_ERRNO(EINVAL, THREADS(size -= 8));
	EXPECT_ERRNO(EOPNOTSUPP, THREADS(flags = 1));
	EXPECT_ERRNO(EINVAL, THREADS(pad = 1));
	EXPECT_ERRNO(ENOENT, THREADS(space_id += 1000));
	EXPECT_ERRNO(EFAULT, THREADS(ptr = 1));
}

/* What was not asked for is not there. */
TEST_F(times, without_times_there_are_no_frames)
{
	self->slab.overlay.times_len = self->slab.overlay.frames_len = 0;
	START();
	EXPECT_EQ(0, shown_frames(&self->slab));
	EXPECT_EQ(0, count_mappings(self->puppet.pid, "instr-frames"));
	EXPECT_EQ(3, count_mappings(self->puppet.pid, "instr-slab"));
	EXPECT_EQ(~0ULL, times_word(&self->slab, 0));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(0, read_table(&self->slab, self->table));
	EXPECT_EQ(ENXIO, errno);
}

#define EXPECT_MAPPED(mapping, len) do {			\
	EXPECT_EQ(len, (mapping).end - (mapping).start);	\
	EXPECT_STREQ("rw-p", (mapping).perms);			\
	EXPECT_NE(NULL, strstr((mapping).flags, " wf"));	\
	EXPECT_NE(NULL, strstr((mapping).flags, " dd"));	\
} while (0)

TEST_F(times, are_private_zero_and_take_memory_where_written)
{
	char *buffer = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct instr_times_read arg;
	struct mapping mapping;
	uint64_t pinned;

	START();
	pinned = live_objects(self->slab.fd).out_pinned;
	ASSERT_EQ(4, count_mappings(self->puppet.pid, "instr-slab"));
	ASSERT_TRUE(find_mapping_at(self->puppet.pid, "instr-slab", self->times, &mapping));
	EXPECT_MAPPED(mapping, TIMES_LEN);
	EXPECT_EQ(0, mapping.rss);
	ASSERT_TRUE(find_mapping(self->puppet.pid, "instr-frames", 0, &mapping));
	EXPECT_MAPPED(mapping, FRAMES_LEN);
	/* The page that says which slabs there are. */
	EXPECT_EQ(4, mapping.rss);
	EXPECT_EQ(mapping.start, shown_frames(&self->slab));
	EXPECT_EQ(0, times_word(&self->slab, 0));

	EXPECT_EQ(5, puppet_number(&self->puppet, "trap 5"));
	EXPECT_EQ(MARK, times_word(&self->slab, 0));
	EXPECT_EQ(0, times_word(&self->slab, 8));
	/* Reading it makes nothing of it. */
	memset(buffer, 'x', 64 << 20);
	arg = read_args(&self->slab, buffer, 64 << 20);
	ASSERT_EQ(0, ioctl(self->slab.fd, INSTR_TIMES_READ, &arg));
	EXPECT_EQ(self->times, arg.out_address);
	EXPECT_EQ(MARK, *(uint64_t *)buffer);
	EXPECT_EQ(0, memcmp(buffer + 8, buffer + 9, (64 << 20) - 9));
	EXPECT_EQ(0, buffer[8]);
	arg = read_args(&self->slab, buffer, 4);
	arg.offset = 1;
	ASSERT_EQ(0, ioctl(self->slab.fd, INSTR_TIMES_READ, &arg));
	EXPECT_EQ(0x5e, buffer[0]);
	ASSERT_TRUE(find_mapping_at(self->puppet.pid, "instr-slab", self->times, &mapping));
	EXPECT_EQ(4, mapping.rss);
	EXPECT_EQ(pinned, live_objects(self->slab.fd).out_pinned);
	munmap(buffer, 64 << 20);
}

/* Far into them, over holes of all sizes. */
TEST_F(times, are_read_wherever_they_were_written)
{
	const uint64_t at[] = { 0, PAGE - 8, 2 * PAGE, 2 << 20, (600ULL << 20) + 24,
				TIMES_LEN - 8 };

	START();
	for (int i = 0; i < 6; i++) {
		uint64_t word = i + 1;

		ASSERT_TRUE(poke(self->puppet.pid, self->times + at[i], &word, 8));
	}
	for (int i = 0; i < 6; i++)
		EXPECT_EQ(i + 1, times_word(&self->slab, at[i]));
	EXPECT_EQ(0, times_word(&self->slab, PAGE));
	EXPECT_EQ(0, puppet_end(&self->puppet));
	self->puppet.pid = 0;
	for (int i = 0; i < 6; i++)
		EXPECT_EQ(i + 1, times_word(&self->slab, at[i]));
	EXPECT_EQ(0, times_word(&self->slab, PAGE));
	/* A page of data, one of frames, one each of times; the first two share theirs. */
	EXPECT_EQ(1 + 1 + 5, live_objects(self->slab.fd).out_pinned);
}

TEST_F(times, a_fork_child_begins_with_zeros)
{
	uint64_t frames, kept = self->times - PAGE, word = 3;
	struct mapping mapping;
	pid_t child;

	START();
	frames = shown_frames(&self->slab);
	ORDER(entry, 1);
	puppet_ask(&self->puppet, "trap 2");
	ASSERT_TRUE(poke(self->puppet.pid, kept, &word, sizeof(word)));
	ASSERT_TRUE(poke(self->puppet.pid, frames, &word, sizeof(word)));
	child = puppet_number(&self->puppet, "child");
	EXPECT_EQ(0, word_at(child, self->times));
	EXPECT_EQ(0, word_at(child, frames));
	EXPECT_EQ(0, word_at(child, self->orders));
	EXPECT_EQ(0, word_at(child, self->orders - 8));
	EXPECT_EQ(3, word_at(child, kept));
	ASSERT_TRUE(find_mapping_at(child, "instr-slab", self->times, &mapping));
	EXPECT_MAPPED(mapping, TIMES_LEN);
	ASSERT_TRUE(find_mapping(child, "instr-frames", 0, &mapping));
	EXPECT_MAPPED(mapping, FRAMES_LEN);
	EXPECT_EQ(MARK, word_at(self->puppet.pid, self->times));
	EXPECT_EQ(3, word_at(self->puppet.pid, frames));
	/* It gets its own when it is attached. */
	ASSERT_EQ(1, slab_attach(&self->slab, child));
	EXPECT_EQ(frames | INSTR_FRAMES_OPEN, word_at(child, self->orders - 8));
	EXPECT_EQ(1, puppet_number(&self->puppet, "reap"));
}

TEST_F(times, are_kept_after_detach)
{
	uint64_t frames;

	START();
	frames = shown_frames(&self->slab);
	EXPECT_NE(0, frames);
	puppet_ask(&self->puppet, "trap 1");
	puppet_ask(&self->puppet, "threads 1 1");
	EXPECT_EQ(frames, shown_frames(&self->slab));
	puppet_ask(&self->puppet, "vforks 3 1");
	EXPECT_EQ(frames, shown_frames(&self->slab));
	ASSERT_EQ(0, slab_detach(&self->slab, self->puppet.pid));
	EXPECT_EQ(0, shown_frames(&self->slab));
	EXPECT_EQ(MARK, times_word(&self->slab, 0));
	/* And back. */
	ASSERT_EQ(1, slab_attach(&self->slab, self->puppet.pid));
	EXPECT_EQ(1, first_space(&self->slab).out_live);
	EXPECT_EQ(frames, shown_frames(&self->slab));
	EXPECT_EQ(MARK, times_word(&self->slab, 0));
	EXPECT_EQ(1, count_mappings(self->puppet.pid, "instr-frames"));
	ASSERT_EQ(0, slab_detach(&self->slab, self->puppet.pid));
	EXPECT_EQ(0, puppet_end(&self->puppet));
	self->puppet.pid = 0;
	EXPECT_EQ(MARK, times_word(&self->slab, 0));
}

TEST_F(times, are_kept_after_the_end)
{
	START();
	puppet_ask(&self->puppet, "trap 1");
	EXPECT_EQ(0, puppet_end(&self->puppet));
	self->puppet.pid = 0;
	EXPECT_EQ(MARK, times_word(&self->slab, 0));
	EXPECT_EQ(0, times_word(&self->slab, 8));
	EXPECT_EQ(0, first_space(&self->slab).out_live);
	EXPECT_EQ(0, first_space(&self->slab).out_exec);
	/* Of data, of times, of frames: what was pinned is kept. */
	EXPECT_EQ(3, live_objects(self->slab.fd).out_pinned);
	EXPECT_EQ(0, threads(&self->slab, NULL, 0));
}

TEST_F(times, frames_are_kept_after_the_end)
{
	uint64_t frames, word = 9;

	START();
	frames = shown_frames(&self->slab);
	ASSERT_TRUE(poke(self->puppet.pid, frames + INSTR_THREADS_LEN - 8, &word, 8));
	EXPECT_EQ(0, puppet_end(&self->puppet));
	self->puppet.pid = 0;
	EXPECT_EQ(frames, read_table(&self->slab, self->table));
	EXPECT_EQ(9, self->table[INSTR_THREADS - 1].slab[2]);
	EXPECT_EQ(0, self->table[0].fs_base);
}

/* Who unwinds a stack in the process looks there. */
TEST_F(times, frames_say_which_slabs_there_are)
{
	struct instr_slabs slabs;

	for (int i = 0; i < 2; i++) {
		struct instr_times_read arg = { 0 };

		START();
		arg = read_args(&self->slab, &slabs, sizeof(slabs));
		arg.overlay_id = 0;
		arg.offset = INSTR_THREADS_LEN;
		ASSERT_EQ(0, ioctl(self->slab.fd, INSTR_TIMES_READ, &arg));
		EXPECT_EQ(self->times - 3 * PAGE, slabs.slab[0].start);
		EXPECT_EQ(PAGE, slabs.slab[0].len);
		EXPECT_EQ(0, slabs.slab[1].start | slabs.slab[1].len);
		slab_reopen(&self->slab);
	}
}

TEST_F(times, are_kept_after_a_violent_end)
{
	START();
	puppet_ask(&self->puppet, "busy 3");
	puppet_ask(&self->puppet, "trap 1");
	kill(self->puppet.pid, SIGKILL);
	EXPECT_EQ(SIGKILL, puppet_end(&self->puppet));
	self->puppet.pid = 0;
	EXPECT_EQ(MARK, times_word(&self->slab, 0));
}

TEST_F(times, are_kept_after_exec)
{
	struct instr_space_next space;

	START();
	puppet_ask(&self->puppet, "trap 1");
	EXPECT_EQ(0, first_space(&self->slab).out_exec);
	EXPECT_STREQ("exec", puppet_ask(&self->puppet, "exec"));
	EXPECT_EQ(1, puppet_number(&self->puppet, "trap 1"));
	space = first_space(&self->slab);
	EXPECT_EQ(1, space.out_exec);
	EXPECT_EQ(0, space.out_live);
	EXPECT_EQ(MARK, times_word(&self->slab, 0));
	EXPECT_EQ(0, threads(&self->slab, NULL, 0));
	space = space_behind(&self->slab, space.space_id);
	ASSERT_NE(0, space.space_id);
	EXPECT_EQ(0, space.out_exec);
	EXPECT_EQ(1, space.out_live);
	EXPECT_EQ(1, count_mappings(self->puppet.pid, "instr-frames"));
}

TEST_F(times, begin_at_zero_in_the_next_session)
{
	uint64_t frames = 0, word = 9;
	struct mapping mapping;

	for (int i = 0; i < 3; i++) {
		START();
		EXPECT_EQ(0, times_word(&self->slab, 0));
		EXPECT_EQ(0, times_word(&self->slab, TIMES_LEN - 8));
		EXPECT_TRUE(!i || frames == shown_frames(&self->slab));
		frames = shown_frames(&self->slab);
		EXPECT_EQ(frames, read_table(&self->slab, self->table));
		puppet_ask(&self->puppet, "threads 1 1");
		puppet_ask(&self->puppet, "vforks 3 1");
		EXPECT_EQ(frames, shown_frames(&self->slab));
		EXPECT_EQ(0, self->table[0].fs_base);
		puppet_ask(&self->puppet, "trap 1");
		EXPECT_EQ(MARK, times_word(&self->slab, 0));
		ASSERT_TRUE(poke(self->puppet.pid, self->times + TIMES_LEN - 8, &word, 8));
		ASSERT_TRUE(poke(self->puppet.pid, frames, &word, 8));
		EXPECT_EQ(4, count_mappings(self->puppet.pid, "instr-slab"));
		EXPECT_EQ(1, count_mappings(self->puppet.pid, "instr-frames"));
		ASSERT_TRUE(find_mapping_at(self->puppet.pid, "instr-slab", self->times,
					    &mapping));
		EXPECT_MAPPED(mapping, TIMES_LEN);
		ASSERT_TRUE(find_mapping_at(self->puppet.pid, "instr-slab",
					    self->times - PAGE, &mapping));
		EXPECT_EQ(NULL, strstr(mapping.flags, " wf"));
		slab_reopen(&self->slab);
		EXPECT_EQ(0, word_at(self->puppet.pid, self->orders - 8));
	}
	/* Other times are another slab; other frames are others. */
	self->slab.overlay.times_len -= PAGE;
	ASSERT_EQ(0, slab_create(&self->slab));
	EXPECT_EQ(0, slab_attach(&self->slab, self->puppet.pid));
	EXPECT_EQ(EEXIST, first_space(&self->slab).out_refused);
	slab_reopen(&self->slab);
	self->slab.overlay.times_len = TIMES_LEN;
	self->slab.overlay.frames_len += PAGE;
	START();
	EXPECT_NE(frames, shown_frames(&self->slab));
	EXPECT_EQ(2, count_mappings(self->puppet.pid, "instr-frames"));
}

/* Threads are in the slab's code all the time. */
TEST_F_TIMEOUT(times, are_replaced_under_running_threads, 120)
{
	START();
	puppet_ask(&self->puppet, "busy 3");
	for (int i = 0; i < 10; i++) {
		slab_reopen(&self->slab);
		START();
		ORDER(entry, 1);
		puppet_ask(&self->puppet, "trap 1");
		EXPECT_EQ(MARK, times_word(&self->slab, 0));
	}
	EXPECT_LT(0, puppet_number(&self->puppet, "idle"));
}

/* mlockall() takes no memory for them, and where all new mappings get some, none is made. */
TEST_F(times, locked_processes)
{
	struct mapping mapping;

	START();
	ASSERT_EQ(0, puppet_number(&self->puppet, "lock %d", MCL_CURRENT));
	puppet_ask(&self->puppet, "trap 1");
	ASSERT_TRUE(find_mapping_at(self->puppet.pid, "instr-slab", self->times, &mapping));
	EXPECT_EQ(4, mapping.rss);
	slab_reopen(&self->slab);
	ASSERT_EQ(0, puppet_number(&self->puppet, "lock %d", MCL_FUTURE));
	ASSERT_EQ(0, slab_create(&self->slab));
	EXPECT_EQ(0, slab_attach(&self->slab, self->puppet.pid));
	EXPECT_EQ(EAGAIN, first_space(&self->slab).out_refused);
	EXPECT_EQ(1, puppet_number(&self->puppet, "trap 1"));
}

/* Each has frames of its own. */
TEST_F(times, two_sessions_in_a_process)
{
	struct slab other = { .fd = -1 };

	if (!strcmp(variant->target, "puppet-static"))
		SKIP(return, "it loads no library");
	ASSERT_EQ(0, instr_file_open(target_path("lib3.so"), &other.file, NULL));
	other.overlay = some_overlay(other.file, -0x70000000);
	for (int i = 0; i < 2; i++) {
		slab_reopen(&other);
		slab_reopen(&self->slab);
		START();
		EXPECT_STREQ("opened", puppet_ask(&self->puppet, "open %s lib_function",
						  target_path("lib3.so")));
		ASSERT_EQ(0, ioctl(other.fd, INSTR_OVERLAY_CREATE, &other.overlay));
		ASSERT_EQ(1, slab_attach(&other, self->puppet.pid));
		EXPECT_NE(0, shown_frames(&other));
		EXPECT_NE(~0ULL, shown_frames(&other));
		EXPECT_NE(shown_frames(&other), shown_frames(&self->slab));
		EXPECT_EQ(2, count_mappings(self->puppet.pid, "instr-frames"));
	}
	close(other.fd);
	instr_file_close(other.file);
}

/* ---- threads --------------------------------------------------------------------- */

static bool is_entry(const struct instr_thread *thread)
{
	return thread->fs_base && !(thread->fs_base & INSTR_THREAD_LEFT);
}

/* Entries of threads in the table; waits until there are @nr. */
static int wait_entries(const struct slab *slab, struct instr_thread *table, int nr)
{
	int found = -1;

	for (int tries = 0; tries < 500 && found < nr; tries++) {
		if (tries)
			usleep(10000);
		if (!read_table(slab, table))
			return -1;
		found = 0;
		for (int i = 0; i < INSTR_THREADS; i++)
			found += is_entry(&table[i]) && table[i].slab[0];
	}
	return found;
}

static int wait_threads(const struct slab *slab, uint64_t *fs_base, int max, int nr)
{
	int found = -1;

	for (int tries = 0; tries < 500 && found != nr; tries++) {
		if (tries)
			usleep(10000);
		found = threads(slab, fs_base, max);
	}
	return found;
}

TEST_F(times, threads_are_listed)
{
	uint64_t fs_base[8] = { 0 };

	START();
	EXPECT_EQ(1, threads(&self->slab, fs_base, 8));
	EXPECT_NE(0, fs_base[0]);
	EXPECT_EQ(0, fs_base[1]);
	puppet_ask(&self->puppet, "busy 3");
	EXPECT_EQ(4, threads(&self->slab, fs_base, 8));
	for (int i = 0; i < 4; i++)
		for (int j = 0; j <= i; j++)
			EXPECT_TRUE(fs_base[i] && (i == j || fs_base[i] != fs_base[j]));
	EXPECT_EQ(0, fs_base[4]);
	memset(fs_base, 0, sizeof(fs_base));
	EXPECT_EQ(4, threads(&self->slab, fs_base, 2));
	EXPECT_NE(0, fs_base[1]);
	EXPECT_EQ(0, fs_base[2]);
	puppet_ask(&self->puppet, "idle");
	EXPECT_EQ(1, wait_threads(&self->slab, fs_base, 8, 1));
}

static bool is_listed(const uint64_t *fs_base, int nr, uint64_t value)
{
	while (nr--)
		if (fs_base[nr] == value)
			return true;
	return false;
}

TEST_F(times, threads_get_entries)
{
	uint64_t fs_base[8], lanes = 0, stacks[3], now;
	struct mapping stack;
	int n = 0;

	START();
	ORDER(entry, 1);
	puppet_ask(&self->puppet, "busy 2");
	puppet_ask(&self->puppet, "trap 2");
	ASSERT_EQ(3, wait_entries(&self->slab, self->table, 3));
	ASSERT_EQ(3, threads(&self->slab, fs_base, 8));
	now = __builtin_ia32_rdtsc();
	for (int i = 0; i < INSTR_THREADS; i++) {
		const struct instr_thread *thread = &self->table[i];

		if (!thread->fs_base)
			continue;
		EXPECT_EQ(i, INSTR_THREAD_HASH(thread->fs_base));
		EXPECT_TRUE(is_listed(fs_base, 3, thread->fs_base));
		EXPECT_TRUE(thread->lane > 0 && thread->lane < INSTR_LANES);
		EXPECT_EQ(0, lanes & 1ULL << thread->lane);
		lanes |= 1ULL << thread->lane;
		EXPECT_LE(thread->stack_start, thread->slab[0]);
		EXPECT_GT(thread->stack_end, thread->slab[0]);
		EXPECT_TRUE(thread->born && thread->born < now);
		EXPECT_TRUE(!thread->slab[1] && !thread->slab[2]);
		stacks[n++] = thread->stack_start;
	}
	ASSERT_EQ(3, n);
	EXPECT_TRUE(stacks[0] != stacks[1] && stacks[1] != stacks[2]);
	/* One is the first thread's. */
	ASSERT_TRUE(find_mapping(self->puppet.pid, "[stack]", 0, &stack));
	for (int i = n = 0; i < INSTR_THREADS; i++)
		n += self->table[i].fs_base && self->table[i].stack_start <= stack.start &&
		     self->table[i].stack_end <= stack.end &&
		     self->table[i].stack_end > stack.start;
	EXPECT_EQ(1, n);
	puppet_ask(&self->puppet, "idle");
}

/* Lanes come back, and the last is not given to two. */
TEST_F(times, lanes_of_many_threads)
{
	START();
	ORDER(entry, 1);
	for (int round = 0; round < 4; round++) {
		uint64_t fs_base[64], lanes = 0;
		int own = 0, none = 0;

		puppet_ask(&self->puppet, "busy 20");
		puppet_ask(&self->puppet, "trap 1");
		ASSERT_EQ(21, threads(&self->slab, fs_base, 64));
		/* Two may want the same entry: one of them has none, here. */
		wait_entries(&self->slab, self->table, 20);
		for (int i = 0; i < INSTR_THREADS; i++) {
			uint64_t lane = self->table[i].lane;

			if (!is_listed(fs_base, 21, self->table[i].fs_base))
				continue;
			none += !lane;
			own += lane != 0;
			EXPECT_TRUE(!lane || !(lanes & 1ULL << lane));
			lanes |= 1ULL << lane;
		}
		EXPECT_EQ(INSTR_LANES - 1, own);
		EXPECT_TRUE(own + none >= 18 && own + none <= 21);
		puppet_ask(&self->puppet, "idle");
		ASSERT_EQ(1, wait_threads(&self->slab, fs_base, 64, 1));
	}
}

/* C libraries use stacks again, and with them FS bases. */
TEST_F(times, entries_of_ended_threads_are_left)
{
	uint64_t before[8], after[8], again = 0;
	struct instr_thread *old = mmap(NULL, INSTR_THREADS_LEN, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	START();
	ORDER(entry, 1);
	puppet_ask(&self->puppet, "busy 2");
	ASSERT_LE(2, wait_entries(&self->slab, self->table, 2));
	ASSERT_EQ(3, threads(&self->slab, before, 8));
	puppet_ask(&self->puppet, "idle");
	ASSERT_EQ(1, wait_threads(&self->slab, after, 8, 1));
	/* Nobody else has it: it stays. */
	read_table(&self->slab, old);
	for (int i = 0; i < INSTR_THREADS; i++)
		EXPECT_EQ(self->table[i].fs_base, old[i].fs_base);
	ORDER(entry, 0);
	puppet_ask(&self->puppet, "busy 2");
	ASSERT_EQ(3, threads(&self->slab, after, 8));
	read_table(&self->slab, self->table);
	for (int i = 0; i < INSTR_THREADS; i++) {
		if (!is_entry(&old[i]) || old[i].fs_base == before[0])
			continue;
		if (is_listed(after, 3, old[i].fs_base)) {
			again++;
			EXPECT_EQ(old[i].fs_base | INSTR_THREAD_LEFT, self->table[i].fs_base);
			EXPECT_EQ(0, self->table[i].lane);
		} else {
			EXPECT_EQ(old[i].fs_base, self->table[i].fs_base);
		}
	}
	EXPECT_LT(0, again);
	/* And it is taken again. */
	ORDER(entry, 1);
	ASSERT_LE(2, wait_entries(&self->slab, self->table, 2));
	for (int i = 0; i < INSTR_THREADS; i++)
		if (is_entry(&self->table[i]) && self->table[i].fs_base != before[0])
			EXPECT_LT(old[i].born, self->table[i].born);
	puppet_ask(&self->puppet, "idle");
	munmap(old, INSTR_THREADS_LEN);
}

TEST_F(times, entries_that_cannot_be)
{
	const uint64_t last = INSTR_THREADS_LEN - sizeof(struct instr_thread);
	uint64_t frames, word;

	START();
	frames = shown_frames(&self->slab);
	ORDER(touch, frames);
	EXPECT_EQ(1, ASK(frames + 8));
	EXPECT_EQ(1, ASK(frames - sizeof(struct instr_thread)));
	word = word_at(self->puppet.pid, frames + INSTR_THREADS_LEN);
	EXPECT_EQ(1, ASK(frames + INSTR_THREADS_LEN));
	EXPECT_EQ(word, word_at(self->puppet.pid, frames + INSTR_THREADS_LEN));
	EXPECT_EQ(1, ASK(64));
	EXPECT_EQ(1, ASK(~0ULL << 6));
	EXPECT_EQ(1, ASK(0xffffffff81000000ULL));
	word = word_at(self->puppet.pid, self->times);
	EXPECT_EQ(1, ASK(self->times));
	EXPECT_EQ(word, word_at(self->puppet.pid, self->times));
	/* A page that is not there, and is. */
	ORDER(touch, 0);
	EXPECT_EQ(1, ASK(frames + last));
	read_table(&self->slab, self->table);
	EXPECT_EQ(0, memcmp(self->table, (char *)self->table + 1, INSTR_THREADS_LEN - 1));
	EXPECT_EQ(0, self->table[0].fs_base & 0xff);
	ORDER(touch, frames + last);
	EXPECT_EQ(0, ASK(frames + last));
	read_table(&self->slab, self->table);
	EXPECT_LT(1, self->table[INSTR_THREADS - 1].fs_base);
}

/* The table says what it likes. */
TEST_F(times, entries_that_are_not_what_they_were)
{
	const uint64_t other = 0x123456780, zero = 0;
	uint64_t frames, fs_base;
	pid_t pid = self->puppet.pid;

	START();
	frames = shown_frames(&self->slab);
	ORDER(touch, frames);
	ASSERT_EQ(1, threads(&self->slab, &fs_base, 1));
	EXPECT_EQ(0, ASK(frames));
	EXPECT_EQ(fs_base, word_at(pid, frames));
	EXPECT_EQ(1, word_at(pid, frames + 8));
	/* It has one. */
	EXPECT_EQ(0, ASK(frames + 64));
	EXPECT_EQ(0, word_at(pid, frames + 64));
	/* It has none any more. */
	ASSERT_TRUE(poke(pid, frames, &other, 8));
	EXPECT_EQ(0, ASK(frames + 64));
	EXPECT_EQ(fs_base, word_at(pid, frames + 64));
	EXPECT_EQ(1, word_at(pid, frames + 64 + 8));
	/* That one is somebody's. */
	ASSERT_TRUE(poke(pid, frames + 64, &zero, 8));
	EXPECT_EQ(0, ASK(frames));
	EXPECT_EQ(other, word_at(pid, frames));
	EXPECT_EQ(0, word_at(pid, frames + 64));
	/* The same once more. */
	EXPECT_EQ(0, ASK(frames + 64));
	EXPECT_EQ(fs_base, word_at(pid, frames + 64));
	EXPECT_EQ(1, word_at(pid, frames + 64 + 8));
	/* One that was left is as good as a free one; what is in it goes. */
	ASSERT_TRUE(poke(pid, frames + 64, &(uint64_t){ fs_base | INSTR_THREAD_LEFT }, 8));
	ASSERT_TRUE(poke(pid, frames + 64 + 40, &other, 8));
	EXPECT_EQ(0, ASK(frames + 64));
	EXPECT_EQ(fs_base, word_at(pid, frames + 64));
	EXPECT_EQ(0, word_at(pid, frames + 64 + 40));
	/* But not another's. */
	ASSERT_TRUE(poke(pid, frames + 64, &(uint64_t){ other | INSTR_THREAD_LEFT }, 8));
	EXPECT_EQ(0, ASK(frames + 64));
	EXPECT_EQ(other | INSTR_THREAD_LEFT, word_at(pid, frames + 64));
}

/* It has its parent's FS base, and ends before it. */
TEST_F(times, a_vfork_child_gets_none)
{
	uint64_t frames;

	START();
	frames = shown_frames(&self->slab);
	ORDER(touch, frames);
	ORDER(answer, 77);
	ORDER(entry, frames);
	puppet_ask(&self->puppet, "vforks 1 3");
	EXPECT_EQ(3, ORDERED(calls));
	EXPECT_EQ(1, ORDERED(answer));
	EXPECT_EQ(0, word_at(self->puppet.pid, frames));
	EXPECT_EQ(0, ASK(frames));
	EXPECT_NE(0, word_at(self->puppet.pid, frames));
}

/* ---- traps that nobody waits for any more ---------------------------------------- */

#define WAIT_BEFORE_THE_TRAP() do {						\
	uint64_t __calls = ORDERED(calls);					\
	ORDER(touch, shown_frames(&self->slab));				\
	ORDER(answer, 77);							\
	ORDER(wait, 1);								\
	ORDER(entry, shown_frames(&self->slab));				\
	fputs("trap 1\n", self->puppet.to);					\
	for (int i = 0; i < 500 && ORDERED(calls) == __calls; i++)		\
		usleep(10000);							\
	usleep(100000);								\
	ASSERT_EQ(__calls + 1, ORDERED(calls));					\
	EXPECT_EQ(77, ORDERED(answer));						\
} while (0)

#define GO_ON() do {								\
	char __line[64] = "";							\
	fputs("\n", self->puppet.to);						\
	EXPECT_NE(NULL, fgets(__line, sizeof(__line), self->puppet.from));	\
	EXPECT_STREQ("1\n", __line);						\
} while (0)

TEST_F(times, a_trap_that_waits)
{
	START();
	WAIT_BEFORE_THE_TRAP();
	GO_ON();
	EXPECT_EQ(0, ORDERED(answer));
}

TEST_F(times, a_trap_after_detach)
{
	START();
	WAIT_BEFORE_THE_TRAP();
	ASSERT_EQ(0, slab_detach(&self->slab, self->puppet.pid));
	GO_ON();
	EXPECT_EQ(1, ORDERED(answer));
}

TEST_F(times, a_trap_after_the_session)
{
	START();
	WAIT_BEFORE_THE_TRAP();
	slab_reopen(&self->slab);
	GO_ON();
	EXPECT_EQ(1, ORDERED(answer));
}

/* With no layout nobody comes back to the code. */
TEST_F(times, a_trap_after_the_code)
{
	uint8_t trap = 0;
	uint32_t left;

	self->slab.overlay.layout = 0;
	START();
	WAIT_BEFORE_THE_TRAP();
	EXPECT_TRUE(peek(self->puppet.pid, self->base + variant->start + INSTR_THREAD_TRAP,
			 &trap, 1));
	EXPECT_EQ(0xcc, trap);
	slab_reopen(&self->slab);
	/* Private copies keep a view, and with it the code, and who answers. */
	left = live_objects(self->slab.fd).out_overlays;
	EXPECT_TRUE(!left || !strcmp(variant->target, "puppet-static"));
	EXPECT_TRUE(peek(self->puppet.pid, self->base + variant->start + INSTR_THREAD_TRAP,
			 &trap, 1));
	EXPECT_EQ(left ? 0xcc : 0x90, trap);
	GO_ON();
	EXPECT_EQ(1, ORDERED(answer));
}

/* The next session has the frames where they were: none of their pages is there. */
TEST_F(times, a_trap_of_another_session)
{
	START();
	WAIT_BEFORE_THE_TRAP();
	slab_reopen(&self->slab);
	START();
	GO_ON();
	EXPECT_EQ(1, ORDERED(answer));
	ORDER(touch, shown_frames(&self->slab));
	EXPECT_EQ(0, ASK(shown_frames(&self->slab)));
}

TEST_HARNESS_MAIN
