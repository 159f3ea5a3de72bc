// SPDX-License-Identifier: GPL-2.0
/* /dev/instr as a hostile or careless program uses it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"

#define EXPECT_ERRNO(expected, call) do {	\
	errno = 0;				\
	EXPECT_EQ(-1, (call));			\
	EXPECT_EQ(expected, errno);		\
} while (0)

FIXTURE(session)
{
	int fd;
	int file;
};

FIXTURE_SETUP(session)
{
	self->fd = open("/dev/instr", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->file = open(target_path("puppet"), O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->file);
}

FIXTURE_TEARDOWN(session)
{
	close(self->file);
	close(self->fd);
}

static struct instr_overlay_create some_overlay(int file)
{
	return (struct instr_overlay_create){
		.size = sizeof(struct instr_overlay_create), .file_fd = file,
		.slab_start = -0x40000000LL, .code_len = 8192, .data_len = 4096,
	};
}

TEST_F(session, info_is_of_this_abi)
{
	struct instr_info info = live_objects(self->fd);

	EXPECT_EQ(INSTR_ABI, info.out_abi);
	EXPECT_EQ(1, info.out_sessions);
	EXPECT_EQ(0, info.out_overlays);
	EXPECT_EQ(0, info.out_views);
	EXPECT_NE(0, info.out_session_id);
}

TEST_F(session, unknown_commands)
{
	EXPECT_ERRNO(ENOTTY, ioctl(self->fd, _IO(INSTR_IOC, 0x7f), 0));
	EXPECT_ERRNO(ENOTTY, ioctl(self->fd, _IO('x', 0), 0));
}

TEST_F(session, lengths)
{
	struct { struct instr_info cmd; __u8 extra[8]; } arg = {
		.cmd = { .size = sizeof(arg.cmd) - 1 },
	};

	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_INFO, &arg));
	arg.cmd.size = 0;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_INFO, &arg));
	arg.cmd.size = sizeof(arg);
	EXPECT_EQ(0, ioctl(self->fd, INSTR_INFO, &arg));
	arg.extra[3] = 1;
	arg.cmd = (struct instr_info){ .size = sizeof(arg) };
	EXPECT_ERRNO(E2BIG, ioctl(self->fd, INSTR_INFO, &arg));
	arg.cmd.size = ~0U;
	EXPECT_ERRNO(E2BIG, ioctl(self->fd, INSTR_INFO, &arg));
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, INSTR_INFO, NULL));
}

TEST_F(session, unknown_flags)
{
	struct instr_overlay_create overlay = some_overlay(self->file);
	struct instr_attach attach = { .size = sizeof(attach), .flags = 1U << 31 };
	struct instr_info info = { .size = sizeof(info), .flags = 1 };

	overlay.flags = 1;
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->fd, INSTR_OVERLAY_CREATE, &overlay));
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->fd, INSTR_ATTACH, &attach));
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->fd, INSTR_INFO, &info));
}

TEST_F(session, overlay_geometry)
{
	struct instr_overlay_create good = some_overlay(self->file), arg;

	arg = good, arg.code_len = 0;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.code_len = 4095;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.code_len = ~0ULL << 12;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.data_len = 0;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.slab_start += 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.slab_start = 1ULL << 62;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.file_fd = -1;
	EXPECT_ERRNO(EBADF, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.file_fd = self->fd;
	EXPECT_ERRNO(ENOEXEC, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	EXPECT_EQ(0, live_objects(self->fd).out_overlays);
	EXPECT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &good));
	EXPECT_EQ(1, live_objects(self->fd).out_overlays);
}

static struct instr_overlay_create some_annex(int file)
{
	struct instr_overlay_create overlay = some_overlay(file);

	overlay.annex_start = 0x10000000;
	overlay.annex_len = 8192;
	return overlay;
}

TEST_F(session, annex_geometry)
{
	struct instr_overlay_create good = some_annex(self->file), arg;
	__u64 slab_end = good.slab_start + good.code_len + good.data_len + 4096;

	good.kept_len = 4096;
	arg = good, arg.annex_start += 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.annex_len += 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.annex_len = 0;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.annex_start = 1ULL << 62;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.annex_len = INSTR_CODE_MAX - good.code_len + 4096;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.annex_len = ~0ULL << 12;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.annex_start = slab_end - 4096;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.annex_start = good.slab_start - 4096;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.annex_start = good.slab_start + 4096;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	/* As it was before there was an annex. */
	arg = good, arg.size -= 16;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	EXPECT_EQ(0, live_objects(self->fd).out_overlays);
	arg = good, arg.annex_start = slab_end;
	EXPECT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.annex_start = good.slab_start - good.annex_len;
	EXPECT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.annex_len = INSTR_CODE_MAX - good.code_len;
	EXPECT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	EXPECT_EQ(3, live_objects(self->fd).out_overlays);
}

static struct instr_overlay_create some_slots(int file)
{
	struct instr_overlay_create overlay = some_overlay(file);

	overlay.kept_len = 4096;
	overlay.times_len = 4096;
	overlay.frames_len = INSTR_STACK_PAGES_AT +
			     INSTR_STACK_PAGES * sizeof(struct instr_stack_page);
	overlay.slots_start = overlay.slab_start + 4096;
	overlay.nr_slots = 4096 / INSTR_SLOT_LEN;
	return overlay;
}

TEST_F(session, slot_geometry)
{
	struct instr_overlay_create good = some_slots(self->file), arg;

	arg = good, arg.slots_start += INSTR_SLOT_LEN;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.slots_start += 4096;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.slots_start = good.slab_start - 4096;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.slots_start = 0;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.nr_slots++;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.nr_slots = 1ULL << 59;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.nr_slots = 0;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	/* In the annex there are none. */
	arg = good, arg.annex_start = 0x10000000, arg.annex_len = 8192;
	arg.slots_start = arg.annex_start;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.slots_start = good.slab_start, arg.nr_slots++;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.kept_len = 0;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.frames_len -= 4096;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg = good, arg.times_len = arg.frames_len = 0;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	EXPECT_EQ(0, live_objects(self->fd).out_overlays);
	EXPECT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &good));
	arg = good, arg.slots_start = 0, arg.nr_slots = 0;
	EXPECT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
}

TEST_F(session, special_files)
{
	struct instr_overlay_create arg = some_overlay(self->file);
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	arg.file_fd = pipes[0];
	EXPECT_ERRNO(ENOEXEC, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg.file_fd = open("/", O_RDONLY | O_DIRECTORY);
	EXPECT_ERRNO(ENOEXEC, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg.file_fd = open(target_path("puppet"), O_PATH);
	EXPECT_ERRNO(EBADF, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	arg.file_fd = open("/tmp/instr-write-only", O_WRONLY | O_CREAT, 0600);
	EXPECT_ERRNO(EBADF, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	unlink("/tmp/instr-write-only");
}

TEST_F(session, a_file_has_one_session)
{
	struct instr_overlay_create arg = some_overlay(self->file);
	int other = open("/dev/instr", O_RDWR | O_CLOEXEC);

	ASSERT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	EXPECT_ERRNO(EBUSY, ioctl(other, INSTR_OVERLAY_CREATE, &arg));
	/* Alternatives within the same one. */
	EXPECT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &arg));
	close(self->fd);
	EXPECT_EQ(0, ioctl(other, INSTR_OVERLAY_CREATE, &arg));
	self->fd = other;
}

static int publish(int fd, __u32 overlay_id, const struct instr_site *sites, __u32 nr,
		   const struct instr_trap *traps, __u32 nr_traps)
{
	struct instr_publish arg = {
		.size = sizeof(arg), .overlay_id = overlay_id, .nr_sites = nr,
		.nr_traps = nr_traps, .sites = (uintptr_t)sites,
		.traps = (uintptr_t)traps,
	};

	return ioctl(fd, INSTR_PUBLISH, &arg) ? -errno : 0;
}

static int publish_origins(int fd, __u32 overlay_id, const struct instr_origin *origins,
			   __u32 nr, __u32 pad, __u32 *bad)
{
	struct instr_publish arg = {
		.size = sizeof(arg), .overlay_id = overlay_id, .nr_origins = nr,
		.origins = (uintptr_t)origins, .pad = pad, .out_bad = ~0U,
	};
	int err = ioctl(fd, INSTR_PUBLISH, &arg) ? -errno : 0;

	*bad = arg.out_bad;
	return err;
}

TEST_F(session, origins_are_checked)
{
	struct instr_overlay_create overlay = some_annex(self->file);
	const __u64 slab = overlay.slab_start, annex = overlay.annex_start;
	struct instr_origin good[] = {
		{ slab, 5 }, { slab + 8191, 5 }, { annex, 0 }, { annex + 8191, 1 },
	}, bad[4];
	__u32 at, id;

	ASSERT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &overlay));
	id = overlay.out_overlay_id;
#define ORIGINS(change) ({ memcpy(bad, good, sizeof(bad)); change; \
	publish_origins(self->fd, id, bad, 4, 0, &at); })
	EXPECT_EQ(-ERANGE, ORIGINS(bad[0].code = slab - 1));
	EXPECT_EQ(0, at);
	EXPECT_EQ(-ERANGE, ORIGINS(bad[1].code = slab + 8192));
	EXPECT_EQ(1, at);
	EXPECT_EQ(-ERANGE, ORIGINS(bad[1].code = slab));
	EXPECT_EQ(1, at);
	EXPECT_EQ(-ERANGE, ORIGINS(bad[2].code = annex - 1));
	EXPECT_EQ(2, at);
	EXPECT_EQ(-ERANGE, ORIGINS(bad[3].code = annex + 8192));
	EXPECT_EQ(3, at);
	EXPECT_EQ(-ERANGE, ORIGINS(bad[2].offset = 1ULL << 46));
	EXPECT_EQ(2, at);
	EXPECT_EQ(-ERANGE, ORIGINS(bad[2].offset = -1));
	EXPECT_EQ(-EINVAL, publish_origins(self->fd, id, good, 4, 1, &at));
	EXPECT_EQ(-EINVAL, publish_origins(self->fd, id, good, INSTR_TRAPS_MAX + 1, 0, &at));
	EXPECT_EQ(-EFAULT, publish_origins(self->fd, id, NULL, 1, 0, &at));
	EXPECT_EQ(0, publish_origins(self->fd, id, good + 1, 2, 0, &at));
	/* They are immortal; more come between. */
	EXPECT_EQ(-EEXIST, ORIGINS(bad[2].offset++));
	EXPECT_EQ(2, at);
	EXPECT_EQ(0, ORIGINS(at = 0));
	EXPECT_EQ(0, publish_origins(self->fd, id, NULL, 0, 0, &at));
	EXPECT_EQ(-EEXIST, ORIGINS(bad[0].offset++));
	EXPECT_EQ(-EEXIST, ORIGINS(bad[3].offset++));
	EXPECT_EQ(3, at);
}

static int publish_rewinds(int fd, __u32 overlay_id, const struct instr_rewind *rewinds,
			   __u32 nr, const struct instr_shape *shapes, __u32 nr_shapes,
			   __u32 *bad)
{
	struct instr_publish arg = {
		.size = sizeof(arg), .overlay_id = overlay_id, .nr_rewinds = nr,
		.rewinds = (uintptr_t)rewinds, .shapes = (uintptr_t)shapes,
		.nr_shapes = nr_shapes, .out_bad = ~0U,
	};
	int err = ioctl(fd, INSTR_PUBLISH, &arg) ? -errno : 0;

	*bad = arg.out_bad;
	return err;
}

TEST_F(session, rewinds_are_checked)
{
	struct instr_overlay_create overlay = some_annex(self->file);
	const struct instr_shape shape = {
		.nr = 2, .row = { { 0 }, { .at = 5, .depth = 17, .ax = 17, .counted = 1 } },
	};
	const __u64 slab = overlay.slab_start;
	const __u32 counter = sizeof(struct instr_control), data = overlay.data_len;
	const struct instr_rewind good[] = {
		{ .code = slab, .offset = 5, .counter = counter },
		{ .code = slab + 64, .offset = 7, .flags = INSTR_REWIND_CALL },
		{ .code = slab + 128, .flags = INSTR_REWIND_ROUTINE },
	};
	struct instr_rewind bad[3];
	struct instr_shape odd, many[INSTR_SHAPES_MAX];
	__u32 at, id;

	ASSERT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &overlay));
	id = overlay.out_overlay_id;
#define REWINDS(change) ({ memcpy(bad, good, sizeof(bad)); change; \
	publish_rewinds(self->fd, id, bad, 3, &shape, 1, &at); })
#define SHAPE(change) ({ odd = shape; change; \
	publish_rewinds(self->fd, id, good, 3, &odd, 1, &at); })
	EXPECT_EQ(-ERANGE, REWINDS(bad[0].code = slab - 1));
	EXPECT_EQ(0, at);
	EXPECT_EQ(-ERANGE, REWINDS(bad[1].code = slab));
	EXPECT_EQ(1, at);
	EXPECT_EQ(-ERANGE, REWINDS(bad[2].code = slab + overlay.code_len));
	EXPECT_EQ(2, at);
	EXPECT_EQ(-ERANGE, REWINDS(bad[1].offset = -1));
	EXPECT_EQ(-ERANGE, REWINDS(bad[2].offset = 8));
	EXPECT_EQ(-ERANGE, REWINDS(bad[0].counter = 8));
	EXPECT_EQ(-ERANGE, REWINDS(bad[0].counter++));
	EXPECT_EQ(-ERANGE, REWINDS(bad[0].counter = data));
	EXPECT_EQ(-ERANGE, REWINDS(bad[2].counter = counter));
	EXPECT_EQ(-ERANGE, REWINDS(bad[1].shape = 1));
	EXPECT_EQ(-ERANGE, REWINDS(bad[1].flags = 8));
	EXPECT_EQ(-ERANGE, REWINDS(bad[1].flags = INSTR_REWIND_CALL | INSTR_REWIND_POINTER));
	/* Nothing is kept. */
	EXPECT_EQ(-ERANGE, REWINDS(bad[1].flags = INSTR_REWIND_POINTER));
	EXPECT_EQ(1, at);
	EXPECT_EQ(-ERANGE, SHAPE(odd.nr = 0));
	EXPECT_EQ(0, at);
	EXPECT_EQ(-ERANGE, SHAPE(odd.nr = INSTR_ROWS_MAX + 1));
	EXPECT_EQ(-ERANGE, SHAPE(odd.nr = 1));
	EXPECT_EQ(-ERANGE, SHAPE(odd.pad[6] = 1));
	EXPECT_EQ(-ERANGE, SHAPE(odd.row[0].at = 1));
	EXPECT_EQ(-ERANGE, SHAPE(odd.row[1].at = 0));
	EXPECT_EQ(-ERANGE, SHAPE(odd.row[1].ax = 18));
	EXPECT_EQ(-ERANGE, SHAPE(odd.row[1].cx = 18));
	EXPECT_EQ(-ERANGE, SHAPE(odd.row[1].flags_at = 1));
	EXPECT_EQ(-ERANGE, SHAPE(odd.row[1].flags = 3));
	EXPECT_EQ(-ERANGE, SHAPE(odd.row[1].counted = 2));
	EXPECT_EQ(-ERANGE, SHAPE(odd.row[1].pad = 1));
	EXPECT_EQ(-EINVAL, publish_rewinds(self->fd, id, good, 3, &shape,
					   INSTR_SHAPES_MAX + 1, &at));
	EXPECT_EQ(-EINVAL, publish_rewinds(self->fd, id, good, INSTR_TRAPS_MAX + 1, &shape, 1,
					   &at));
	EXPECT_EQ(-EFAULT, publish_rewinds(self->fd, id, NULL, 1, &shape, 1, &at));
	EXPECT_EQ(0, publish_rewinds(self->fd, id, good + 1, 1, &shape, 1, &at));
	/* They are immortal; more come between, and the same shape is the same. */
	EXPECT_EQ(-EEXIST, REWINDS(bad[1].offset++));
	EXPECT_EQ(1, at);
	EXPECT_EQ(-EEXIST, SHAPE(odd.row[1].depth++));
	EXPECT_EQ(0, REWINDS(at = 0));
	for (int i = 0; i < INSTR_SHAPES_MAX; i++) {
		many[i] = shape;
		many[i].row[1].depth += i;
	}
	EXPECT_EQ(0, publish_rewinds(self->fd, id, good, 3, many, INSTR_SHAPES_MAX, &at));
	many[1].row[1].depth = 200;
	EXPECT_EQ(-ENOSPC, publish_rewinds(self->fd, id, good, 3, many, INSTR_SHAPES_MAX, &at));
}

TEST_F(session, sites_are_checked)
{
	struct instr_overlay_create overlay = some_overlay(self->file);
	struct instr_site good = { .offset = 0, .len = 4, .old = "\177ELF",
				   .new = "\xcc\xcc\xcc\xcc" };
	struct instr_trap trap = { .offset = 0, .target = -0x40000000LL };
	struct instr_site bad[2];

	ASSERT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &overlay));
#define SITE(change) ({ bad[0] = good; bad[0].change; \
	publish(self->fd, overlay.out_overlay_id, bad, 1, &trap, 1); })
	EXPECT_EQ(-ESTALE, SITE(old[1] = 'X'));
	EXPECT_EQ(-ERANGE, SITE(len = 0));
	EXPECT_EQ(-ERANGE, SITE(len = 9));
	EXPECT_EQ(-ERANGE, SITE(flags = 0x80));
	EXPECT_EQ(-ERANGE, SITE(pad[2] = 1));
	EXPECT_EQ(-ERANGE, SITE(offset = 4093));
	EXPECT_EQ(-ERANGE, SITE(offset = ~0ULL));
	bad[0] = bad[1] = good;
	EXPECT_EQ(-ERANGE, publish(self->fd, overlay.out_overlay_id, bad, 2, &trap, 1));
	/* Far beyond the end of the file there are only zeros. */
	EXPECT_EQ(-ESTALE, SITE(offset = 1ULL << 40));
	EXPECT_EQ(-ENOENT, publish(self->fd, ~0U, &good, 1, &trap, 1));
	EXPECT_EQ(-EFAULT, publish(self->fd, overlay.out_overlay_id, NULL, 1, NULL, 0));
	EXPECT_EQ(-EINVAL, publish(self->fd, overlay.out_overlay_id, &good, ~0U, NULL, 0));
	EXPECT_EQ(0, live_objects(self->fd).out_pages);
	EXPECT_EQ(0, publish(self->fd, overlay.out_overlay_id, &good, 1, &trap, 1));
	EXPECT_EQ(1, live_objects(self->fd).out_pages);
	EXPECT_EQ(0, publish(self->fd, overlay.out_overlay_id, NULL, 0, NULL, 0));
}

TEST_F(session, traps_are_immortal)
{
	struct instr_overlay_create overlay = some_overlay(self->file);
	struct instr_trap trap = { .offset = 64, .target = -0x40000000LL };
	struct instr_trap two[2] = { trap, { .offset = 65, .target = -0x40000000LL } };
	struct instr_site fragile = { .offset = 0, .len = 4, .old = "\177ELF",
				      .flags = INSTR_SITE_FRAGILE };
	__u32 id;

	ASSERT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &overlay));
	id = overlay.out_overlay_id;
	EXPECT_EQ(0, publish(self->fd, id, NULL, 0, &trap, 1));
	EXPECT_EQ(0, publish(self->fd, id, NULL, 0, two, 2));
	trap.target++;
	EXPECT_EQ(-EEXIST, publish(self->fd, id, NULL, 0, &trap, 1));
	trap.offset = 70;
	trap.target = -0x40000000LL - 1;
	EXPECT_EQ(-ERANGE, publish(self->fd, id, NULL, 0, &trap, 1));
	trap.target = -0x40000000LL + 8192;
	EXPECT_EQ(-ERANGE, publish(self->fd, id, NULL, 0, &trap, 1));
	two[1].offset = 64;
	EXPECT_EQ(-ERANGE, publish(self->fd, id, NULL, 0, two, 2));
	EXPECT_EQ(-ERANGE, publish(self->fd, id, &fragile, 1, NULL, 0));
}

TEST_F(session, traps_lead_to_code_or_annex)
{
	struct instr_overlay_create overlay = some_annex(self->file);
	const __u64 slab = overlay.slab_start, annex = overlay.annex_start;
	const __u64 good[] = { slab, slab + 8191, annex, annex + 8191 };
	const __u64 bad[] = { slab - 1, slab + 8192, annex - 1, annex + 8192 };
	struct instr_trap trap = { 0 };

	ASSERT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &overlay));
	for (int i = 0; i < 4; i++) {
		trap.offset = i;
		trap.target = bad[i];
		EXPECT_EQ(-ERANGE, publish(self->fd, overlay.out_overlay_id, NULL, 0,
					   &trap, 1));
		trap.target = good[i];
		EXPECT_EQ(0, publish(self->fd, overlay.out_overlay_id, NULL, 0, &trap, 1));
	}
}

TEST_F(session, pointers_do_not_lead_to_the_annex)
{
	struct instr_overlay_create overlay = some_annex(self->file);
	struct instr_pointer pointer = { .target = overlay.annex_start };
	struct instr_pointers arg = {
		.size = sizeof(arg), .nr = 1, .pointers = (uintptr_t)&pointer,
	};

	overlay.kept_len = 4096;
	ASSERT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &overlay));
	arg.overlay_id = overlay.out_overlay_id;
	EXPECT_ERRNO(ERANGE, ioctl(self->fd, INSTR_POINTERS, &arg));
	pointer.target = overlay.slab_start;
	EXPECT_EQ(0, ioctl(self->fd, INSTR_POINTERS, &arg));
}

TEST_F(session, code_is_immortal)
{
	struct instr_overlay_create overlay = some_overlay(self->file);
	char code[8192] = "first";
	struct instr_slab_io arg = {
		.size = sizeof(arg), .offset = 4094, .len = 5, .ptr = (uintptr_t)code,
	};

	ASSERT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &overlay));
	arg.overlay_id = overlay.out_overlay_id;
	EXPECT_EQ(0, ioctl(self->fd, INSTR_SLAB_WRITE, &arg));
	EXPECT_EQ(0, ioctl(self->fd, INSTR_SLAB_WRITE, &arg));
	code[4] = 'T';
	EXPECT_ERRNO(EEXIST, ioctl(self->fd, INSTR_SLAB_WRITE, &arg));
	arg.len = 0;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_SLAB_WRITE, &arg));
	arg.offset = 8192;
	arg.len = 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_SLAB_WRITE, &arg));
	arg.offset = ~0ULL;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_SLAB_WRITE, &arg));
	arg.offset = 0;
	arg.ptr = 1;
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, INSTR_SLAB_WRITE, &arg));
}

TEST_F(session, code_can_be_read)
{
	struct instr_overlay_create overlay = some_overlay(self->file);
	char code[] = "code", back[8192], zero[8192] = "";
	struct instr_slab_io arg = {
		.size = sizeof(arg), .offset = 4094, .len = 4, .ptr = (uintptr_t)code,
	};

	ASSERT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &overlay));
	arg.overlay_id = overlay.out_overlay_id;
	ASSERT_EQ(0, ioctl(self->fd, INSTR_SLAB_WRITE, &arg));
	arg.offset = 0;
	arg.len = sizeof(back);
	arg.ptr = (uintptr_t)back;
	memset(back, 'x', sizeof(back));
	ASSERT_EQ(0, ioctl(self->fd, INSTR_SLAB_READ, &arg));
	EXPECT_EQ(0, memcmp(back, zero, 4094));
	EXPECT_EQ(0, memcmp(back + 4094, "code", 4));
	EXPECT_EQ(0, memcmp(back + 4098, zero, 4094));
	arg.offset = 4095;
	arg.len = 2;
	memset(back, 'x', sizeof(back));
	ASSERT_EQ(0, ioctl(self->fd, INSTR_SLAB_READ, &arg));
	EXPECT_EQ(0, memcmp(back, "odx", 3));
	arg.len = 8192;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_SLAB_READ, &arg));
	arg.len = 2;
	arg.flags = 1;
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->fd, INSTR_SLAB_READ, &arg));
	arg.flags = 0;
	arg.overlay_id++;
	EXPECT_ERRNO(ENOENT, ioctl(self->fd, INSTR_SLAB_READ, &arg));
	arg.overlay_id--;
	arg.ptr = 1;
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, INSTR_SLAB_READ, &arg));
}

/* What crosses into the annex is one piece of code, for all that is behind it. */
TEST_F(session, annex_follows_the_code)
{
	struct instr_overlay_create overlay = some_annex(self->file);
	char code[] = "border", back[16384], zero[16384] = "";
	struct instr_slab_io arg = {
		.size = sizeof(arg), .offset = 8189, .len = 6, .ptr = (uintptr_t)code,
	};

	ASSERT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &overlay));
	arg.overlay_id = overlay.out_overlay_id;
	ASSERT_EQ(0, ioctl(self->fd, INSTR_SLAB_WRITE, &arg));
	/* Half of it would be new. */
	memcpy(code, "xborDe", 6);
	arg.offset = 8188;
	EXPECT_ERRNO(EEXIST, ioctl(self->fd, INSTR_SLAB_WRITE, &arg));
	arg.offset = 0;
	arg.len = sizeof(back);
	arg.ptr = (uintptr_t)back;
	memset(back, 'x', sizeof(back));
	ASSERT_EQ(0, ioctl(self->fd, INSTR_SLAB_READ, &arg));
	EXPECT_EQ(0, memcmp(back, zero, 8189));
	EXPECT_EQ(0, memcmp(back + 8189, "border", 6));
	EXPECT_EQ(0, memcmp(back + 8195, zero, 16384 - 8195));
	arg.offset = 8191;
	arg.len = 3;
	ASSERT_EQ(0, ioctl(self->fd, INSTR_SLAB_READ, &arg));
	EXPECT_EQ(0, memcmp(back, "rde", 3));
	arg.offset = 16383;
	arg.len = 2;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_SLAB_READ, &arg));
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_SLAB_WRITE, &arg));
}

TEST_F(session, processes_that_cannot_be)
{
	struct instr_attach arg = { .size = sizeof(arg), .pid = 2 };

	EXPECT_ERRNO(EPERM, ioctl(self->fd, INSTR_ATTACH, &arg));
	arg.pid = 0x3fffffff;
	EXPECT_ERRNO(ESRCH, ioctl(self->fd, INSTR_ATTACH, &arg));
	arg.pid = -1;
	EXPECT_ERRNO(ESRCH, ioctl(self->fd, INSTR_ATTACH, &arg));
	arg.pid = getpid();
	EXPECT_EQ(0, ioctl(self->fd, INSTR_ATTACH, &arg));
	EXPECT_ERRNO(EEXIST, ioctl(self->fd, INSTR_ATTACH, &arg));
	EXPECT_EQ(-ESRCH, probes_detach(&(struct probes){ .fd = self->fd }, getppid()));
	EXPECT_EQ(0, probes_detach(&(struct probes){ .fd = self->fd }, getpid()));
	arg.flags = INSTR_ATTACH_FOLLOW_EXEC;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_ATTACH, &arg));
	arg.flags = INSTR_ATTACH_FOLLOW | INSTR_ATTACH_FOLLOW_EXEC | INSTR_ATTACH_EXACT;
	EXPECT_EQ(0, ioctl(self->fd, INSTR_ATTACH, &arg));
	EXPECT_ERRNO(EEXIST, ioctl(self->fd, INSTR_ATTACH, &arg));
	/* All of them. */
	EXPECT_EQ(0, probes_detach(&(struct probes){ .fd = self->fd }, 0));
	EXPECT_EQ(-ESRCH, probes_detach(&(struct probes){ .fd = self->fd }, getpid()));
}

/* A child is known, and can be attached; who has ended is not, reaped or not. */
TEST_F(session, children_of_the_attached)
{
	struct instr_attach arg = { .size = sizeof(arg), .pid = getpid() };
	pid_t child;

	ASSERT_EQ(0, ioctl(self->fd, INSTR_ATTACH, &arg));
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	EXPECT_EQ(-ESRCH, probes_detach(&(struct probes){ .fd = self->fd }, child));
	arg.pid = child;
	EXPECT_EQ(0, ioctl(self->fd, INSTR_ATTACH, &arg));
	EXPECT_ERRNO(EEXIST, ioctl(self->fd, INSTR_ATTACH, &arg));
	kill(child, SIGKILL);
	waitid(P_PID, (id_t)child, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	EXPECT_EQ(-ESRCH, probes_detach(&(struct probes){ .fd = self->fd }, child));
	EXPECT_ERRNO(ESRCH, ioctl(self->fd, INSTR_ATTACH, &arg));
	waitpid(child, NULL, 0);
}

/* With no overlay it changes nothing: what is asked for is told right from wrong. */
TEST_F(session, all_processes)
{
	struct instr_attach_all arg = { .size = sizeof(arg), .flags = 1U << 31 };
	struct probes probes = { .fd = self->fd };

	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->fd, INSTR_ATTACH_ALL, &arg));
	arg.flags = INSTR_ATTACH_FOLLOW_EXEC;
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->fd, INSTR_ATTACH_ALL, &arg));
	arg.flags = INSTR_ATTACH_ON_EXEC;
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(self->fd, INSTR_ATTACH_ALL, &arg));
	arg.flags = INSTR_ATTACH_FOLLOW;
	arg.pad = 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_ATTACH_ALL, &arg));
	arg.pad = 0;
	arg.uid = 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_ATTACH_ALL, &arg));
	arg.flags |= INSTR_ALL_UID;
	arg.uid = -1;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_ATTACH_ALL, &arg));
	arg.uid = 0;
	arg.cgroup_fd = self->file;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_ATTACH_ALL, &arg));
	arg.flags |= INSTR_ALL_CGROUP;
	EXPECT_ERRNO(EBADF, ioctl(self->fd, INSTR_ATTACH_ALL, &arg));
	arg.cgroup_fd = -1;
	EXPECT_ERRNO(EBADF, ioctl(self->fd, INSTR_ATTACH_ALL, &arg));
	arg.flags &= ~INSTR_ALL_CGROUP;
	arg.cgroup_fd = 0;
	arg.comm[1] = 'x';
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_ATTACH_ALL, &arg));
	arg.flags |= INSTR_ALL_COMM;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_ATTACH_ALL, &arg));
	memset(arg.comm, '*', sizeof(arg.comm));
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, INSTR_ATTACH_ALL, &arg));
	arg.comm[sizeof(arg.comm) - 1] = 0;
	EXPECT_EQ(0, ioctl(self->fd, INSTR_ATTACH_ALL, &arg));
	EXPECT_ERRNO(EEXIST, ioctl(self->fd, INSTR_ATTACH_ALL, &arg));
	/* None of them is known by itself. */
	EXPECT_EQ(-ESRCH, probes_detach(&probes, getpid()));
	EXPECT_EQ(0, probes_detach(&probes, 0));
	EXPECT_EQ(0, ioctl(self->fd, INSTR_ATTACH_ALL, &arg));
}

TEST_F(session, spaces_that_are_forgotten)
{
	static const char *const names[] = { "probed_jump", NULL };
	struct instr_space_forget arg = { .size = sizeof(arg) };
	struct instr_space_next next = { .size = sizeof(next) };
	struct instr_space_next gone = { .size = sizeof(gone), .flags = INSTR_SPACE_GONE };
	struct puppet puppet;
	struct probes probes;

	probes_open(&probes, target_path("puppet"), names);
	ASSERT_EQ(0, probes_publish(&probes));
	puppet_start(&puppet, target_path("puppet"));
	ASSERT_EQ(1, probes_attach(&probes, puppet.pid));
	ASSERT_EQ(0, ioctl(probes.fd, INSTR_SPACE_NEXT, &next));
	EXPECT_EQ(0, next.out_gone);
	EXPECT_ERRNO(ENOENT, ioctl(probes.fd, INSTR_SPACE_NEXT, &gone));
	gone.flags = 2;
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(probes.fd, INSTR_SPACE_NEXT, &gone));
	EXPECT_ERRNO(ENOENT, ioctl(probes.fd, INSTR_SPACE_FORGET, &arg));
	arg.space_id = next.space_id;
	EXPECT_ERRNO(EBUSY, ioctl(probes.fd, INSTR_SPACE_FORGET, &arg));
	arg.flags = 1;
	EXPECT_ERRNO(EOPNOTSUPP, ioctl(probes.fd, INSTR_SPACE_FORGET, &arg));
	arg.flags = 0;
	arg.pad = 1;
	EXPECT_ERRNO(EINVAL, ioctl(probes.fd, INSTR_SPACE_FORGET, &arg));
	arg.pad = 0;
	puppet_ask(&puppet, "call 7");
	EXPECT_EQ(0, puppet_end(&puppet));
	EXPECT_EQ(7, probes_count(&probes, "probed_jump"));
	next.space_id = 0;
	ASSERT_EQ(0, ioctl(probes.fd, INSTR_SPACE_NEXT, &next));
	EXPECT_EQ(1, next.out_gone);
	next = (struct instr_space_next){ .size = sizeof(next), .flags = INSTR_SPACE_GONE };
	EXPECT_EQ(0, ioctl(probes.fd, INSTR_SPACE_NEXT, &next));
	EXPECT_EQ(arg.space_id, next.space_id);
	EXPECT_EQ(0, ioctl(probes.fd, INSTR_SPACE_FORGET, &arg));
	EXPECT_ERRNO(ENOENT, ioctl(probes.fd, INSTR_SPACE_FORGET, &arg));
	EXPECT_EQ(0, probes_count(&probes, "probed_jump"));
	probes_close(&probes);
}

TEST_F(session, removed_by_another)
{
	struct instr_overlay_create overlay = some_overlay(self->file);
	int other = open("/dev/instr", O_RDWR | O_CLOEXEC);
	struct instr_remove arg = { .size = sizeof(arg) };

	ASSERT_EQ(0, ioctl(self->fd, INSTR_OVERLAY_CREATE, &overlay));
	arg.session_id = 0x7fffffff;
	EXPECT_ERRNO(ENOENT, ioctl(other, INSTR_REMOVE, &arg));
	arg.session_id = live_objects(self->fd).out_session_id;
	EXPECT_EQ(0, ioctl(other, INSTR_REMOVE, &arg));
	EXPECT_EQ(1, arg.out_removed);
	EXPECT_ERRNO(ESHUTDOWN, ioctl(self->fd, INSTR_OVERLAY_CREATE, &overlay));
	/* The file is free again. */
	EXPECT_EQ(0, ioctl(other, INSTR_OVERLAY_CREATE, &overlay));
	close(other);
}

TEST_F(session, only_root_may_open)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (setuid(65534))
			_exit(1);
		_exit(open("/dev/instr", O_RDWR) < 0 && errno == EACCES ? 0 : 2);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
