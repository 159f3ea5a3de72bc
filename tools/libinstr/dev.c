// SPDX-License-Identifier: GPL-2.0
/*
 * The device: the only place of the tools that knows ioctl(2).
 *
 * The descriptor is closed on exec, so that a program started by us can't keep
 * our session alive.
 */

#include "dev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clean.h"
#include "err.h"

/* What INSTR_SLAB_WRITE takes at once. */
#define WRITE_MAX	(64ULL << 20)

struct instr_dev {
	int fd;
	uint32_t session_id;
};

static int dev_call(const struct instr_dev *dev, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(dev->fd, request, arg);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

/* The sentence for the errors that mean the same in all calls. */
static int dev_fail(struct instr_err *err, int code, const char *thing)
{
	switch (code) {
	case -ESHUTDOWN:
		instr_fail(err, code, "%s: the session was removed by somebody else", thing);
		return instr_hint(err, code, "see: instrctl help remove");
	case -ENOTTY:
	case -E2BIG:
	case -EOPNOTSUPP:
		instr_fail(err, code, "%s: the module does not know the request", thing);
		return instr_hint(err, code, "use the instrctl that was built with the module");
	case -ENOMEM:
		return instr_fail(err, code, "%s: the kernel is out of memory", thing);
	default:
		return instr_fail(err, code, "%s: %s", thing, strerror(-code));
	}
}

static int open_fail(struct instr_err *err, int code)
{
	switch (code) {
	case -ENOENT:
	case -ENXIO:
	case -ENODEV:
		instr_fail(err, -ENODEV, INSTR_DEV_PATH ": no such device");
		return instr_hint(err, -ENODEV, INSTR_HINT_LOAD);
	case -EPERM:
	case -EACCES:
		instr_fail(err, -EPERM, INSTR_DEV_PATH ": must be root");
		return instr_hint(err, -EPERM, INSTR_HINT_ROOT);
	default:
		return dev_fail(err, code, INSTR_DEV_PATH);
	}
}

static int check_abi(struct instr_dev *dev, struct instr_err *err)
{
	struct instr_info info;
	int ret = instr_dev_info(dev, &info, err);

	if (ret)
		return ret;
	if (info.out_abi != INSTR_ABI) {
		instr_fail(err, -EPROTO, INSTR_DEV_PATH ": the module speaks ABI %u, this instrctl %u",
			   info.out_abi, INSTR_ABI);
		return instr_hint(err, -EPROTO, "use the instrctl that was built with the module");
	}
	dev->session_id = info.out_session_id;
	return 0;
}

int instr_dev_open(struct instr_dev **ret, struct instr_err *err)
{
	struct instr_dev *dev = calloc(1, sizeof(*dev));
	int code;

	if (!dev)
		return err_memory(err);
	dev->fd = open(INSTR_DEV_PATH, O_RDWR | O_CLOEXEC);
	if (dev->fd < 0)
		code = open_fail(err, -errno);
	else
		code = check_abi(dev, err);
	if (code) {
		instr_dev_close(dev);
		return code;
	}
	*ret = dev;
	return 0;
}

void instr_dev_close(struct instr_dev *dev)
{
	if (!dev)
		return;
	if (dev->fd >= 0)
		close(dev->fd);
	free(dev);
}

uint32_t instr_dev_session_id(const struct instr_dev *dev)
{
	return dev->session_id;
}

int instr_dev_info(struct instr_dev *dev, struct instr_info *ret, struct instr_err *err)
{
	int code;

	*ret = (struct instr_info) { .size = sizeof(*ret) };
	code = dev_call(dev, INSTR_INFO, ret);
	return code ? dev_fail(err, code, INSTR_DEV_PATH) : 0;
}

static int create_fail(struct instr_err *err, int code, const char *path)
{
	switch (code) {
	case -EBUSY:
		instr_fail(err, code, "%s: another session counts in it already", path);
		return instr_hint(err, code, "see: instrctl show");
	case -ENOEXEC:
		return instr_fail(err, code, "%s: lies in a file system whose pages can't be shown changed",
				  path);
	default:
		return dev_fail(err, code, path);
	}
}

static int write_run(struct instr_dev *dev, uint32_t overlay_id,
		     const struct instr_chunk *chunk, struct instr_err *err)
{
	uint64_t done, len;
	int code;

	for (done = 0; done < chunk->len; done += len) {
		len = chunk->len - done < WRITE_MAX ? chunk->len - done : WRITE_MAX;
		struct instr_slab_io arg = {
			.size = sizeof(arg),
			.overlay_id = overlay_id,
			.offset = chunk->offset + done,
			.len = len,
			.ptr = (uintptr_t)(chunk->bytes + done),
		};
		code = dev_call(dev, INSTR_SLAB_WRITE, &arg);
		if (code)
			return dev_fail(err, code, "the slab's code");
	}
	return 0;
}

/* Of other places than entries earlier sessions may have left some in the slab. */
static int settle(struct instr_dev *dev, uint32_t overlay_id, struct instr_plan *plan,
		  struct instr_err *err)
{
	struct instr_slab_io arg = {
		.size = sizeof(arg),
		.overlay_id = overlay_id,
		.offset = plan->cells,
		.len = plan->nr_cells * sizeof(struct instr_cell),
	};
	CLEAN(free) struct instr_cell *cells = malloc(arg.len + 1);
	int code;

	if (!cells)
		return err_memory(err);
	arg.ptr = (uintptr_t)cells;
	if (!plan->nr_cells)
		return 0;
	code = dev_call(dev, INSTR_SLAB_READ, &arg);
	return code ? dev_fail(err, code, "the slab's code") :
		      instr_plan_settle(plan, cells, err);
}

static int set_pointers(struct instr_dev *dev, uint32_t overlay_id,
			const struct instr_plan *plan, struct instr_err *err)
{
	struct instr_pointers arg = {
		.size = sizeof(arg),
		.overlay_id = overlay_id,
		.nr = plan->nr_pointers,
		.ready = plan->ready,
		.pointers = (uintptr_t)plan->pointers,
	};
	int code = dev_call(dev, INSTR_POINTERS, &arg);

	return code ? dev_fail(err, code, instr_file_path(plan->file)) : 0;
}

int instr_dev_overlay_create(struct instr_dev *dev, struct instr_plan *plan,
			     uint32_t *ret, struct instr_err *err)
{
	struct instr_overlay_create arg = {
		.size = sizeof(arg),
		.file_fd = instr_file_fd(plan->file),
		.slab_start = plan->slab_start,
		.code_len = plan->code_len,
		.data_len = plan->data_len,
		.kept_len = plan->kept_len,
		.layout = plan->layout,
		.annex_start = plan->annex_start,
		.annex_len = plan->annex_len,
		.times_len = plan->times_len,
		.frames_len = plan->frames_len,
		.slots_start = plan->nr_slots ? plan->slab_start + (int64_t)plan->slots : 0,
		.nr_slots = plan->nr_slots,
	};
	int code = dev_call(dev, INSTR_OVERLAY_CREATE, &arg);

	if (code)
		return create_fail(err, code, instr_file_path(plan->file));
	code = settle(dev, arg.out_overlay_id, plan, err);
	if (code)
		return code;
	for (size_t i = 0; i < plan->nr_chunks; i++) {
		code = write_run(dev, arg.out_overlay_id, &plan->chunk[i], err);
		if (code)
			return code;
	}
	*ret = arg.out_overlay_id;
	return plan->nr_pointers ? set_pointers(dev, arg.out_overlay_id, plan, err) : 0;
}

static int publish_fail(struct instr_err *err, int code, const char *path, unsigned int bad)
{
	switch (code) {
	case -ESTALE:
		instr_fail(err, code, "%s: was replaced while it was read", path);
		return instr_hint(err, code, "try again");
	case -ERANGE:
	case -EEXIST:
		return instr_fail(err, code, "%s: the module refuses number %u of what was planned",
				  path, bad);
	default:
		return dev_fail(err, code, path);
	}
}

int instr_dev_publish(struct instr_dev *dev, uint32_t overlay_id,
		      const struct instr_plan *plan, struct instr_err *err)
{
	struct instr_publish arg = {
		.size = sizeof(arg),
		.overlay_id = overlay_id,
		.nr_sites = plan->nr_sites,
		.nr_traps = plan->nr_traps,
		.sites = (uintptr_t)plan->sites,
		.traps = (uintptr_t)plan->traps,
		.nr_origins = (uint32_t)plan->nr_origins,
		.origins = (uintptr_t)plan->origins,
		.nr_rewinds = (uint32_t)plan->nr_rewinds,
		.rewinds = (uintptr_t)plan->rewinds,
		.nr_shapes = (uint32_t)plan->nr_shapes,
		.shapes = (uintptr_t)plan->shapes,
	};
	int code = dev_call(dev, INSTR_PUBLISH, &arg);

	return code ? publish_fail(err, code, instr_file_path(plan->file), arg.out_bad) : 0;
}

static int process_fail(struct instr_err *err, int code, pid_t pid)
{
	char thing[32];

	switch (code) {
	case -ESRCH:
		return instr_fail(err, code, "process %d: no such process", pid);
	case -EEXIST:
		instr_fail(err, code, "process %d: is being counted in already", pid);
		return instr_hint(err, code, "see: instrctl show spaces");
	case -EPERM:
		return instr_fail(err, code, "process %d: is a kernel thread", pid);
	case -ENOEXEC:
		return instr_fail(err, code, "process %d: is a 32-bit program", pid);
	default:
		snprintf(thing, sizeof(thing), "process %d", pid);
		return dev_fail(err, code, thing);
	}
}

int instr_dev_attach(struct instr_dev *dev, pid_t pid, uint32_t flags,
		     unsigned int *views, struct instr_err *err)
{
	struct instr_attach arg = { .size = sizeof(arg), .flags = flags, .pid = pid };
	int code = dev_call(dev, INSTR_ATTACH, &arg);

	if (code)
		return process_fail(err, code, pid);
	*views = arg.out_views;
	return 0;
}

int instr_dev_attach_all(struct instr_dev *dev, const struct instr_attach_all *which,
			 unsigned int *views, struct instr_err *err)
{
	struct instr_attach_all arg = *which;
	int code;

	arg.size = sizeof(arg);
	code = dev_call(dev, INSTR_ATTACH_ALL, &arg);
	if (code)
		return instr_fail(err, code, INSTR_DEV_PATH ": all processes: %s", strerror(-code));
	*views = arg.out_views;
	return 0;
}

int instr_dev_detach(struct instr_dev *dev, pid_t pid, struct instr_err *err)
{
	struct instr_detach arg = { .size = sizeof(arg), .pid = pid };
	int code = dev_call(dev, INSTR_DETACH, &arg);

	return code ? process_fail(err, code, pid) : 0;
}

int instr_dev_space_next(struct instr_dev *dev, struct instr_space_next *space,
			 struct instr_err *err)
{
	int code;

	*space = (struct instr_space_next) {
		.size = sizeof(*space),
		.flags = space->flags,
		.space_id = space->space_id,
	};
	code = dev_call(dev, INSTR_SPACE_NEXT, space);
	if (code == -ENOENT)
		return 0;
	if (code)
		return dev_fail(err, code, "the counts");
	space->out_comm[sizeof(space->out_comm) - 1] = '\0';
	return 1;
}

int instr_dev_data_read(struct instr_dev *dev, uint32_t space_id, uint32_t overlay_id,
			uint64_t offset, uint64_t *counters, size_t nr, struct instr_err *err)
{
	struct instr_data_read arg = {
		.size = sizeof(arg),
		.space_id = space_id,
		.overlay_id = overlay_id,
		.offset = offset,
		.nr = nr,
		.ptr = (uintptr_t)counters,
	};
	int code = dev_call(dev, INSTR_DATA_READ, &arg);

	return code ? dev_fail(err, code, "the counts") : 0;
}

/* The most that INSTR_TIMES_READ takes at once. */
#define TIMES_READ_MAX	(64ULL << 20)

int instr_dev_times_read(struct instr_dev *dev, uint32_t space_id, uint32_t overlay_id,
			 uint32_t slab, uint64_t offset, uint64_t len, void *ptr,
			 uint64_t *address, struct instr_err *err)
{
	uint64_t done = 0;

	do {
		uint64_t part = len - done < TIMES_READ_MAX ? len - done : TIMES_READ_MAX;
		struct instr_times_read arg = {
			.size = sizeof(arg),
			.space_id = space_id,
			.overlay_id = overlay_id,
			.slab = slab,
			.offset = offset + done,
			.len = part,
			.ptr = (uintptr_t)ptr + done,
		};
		int code = dev_call(dev, INSTR_TIMES_READ, &arg);

		if (code == -ENXIO)
			return code;
		if (code)
			return dev_fail(err, code, "the times");
		*address = arg.out_address;
		done += part;
	} while (done < len);
	return 0;
}

int instr_dev_threads_read(struct instr_dev *dev, uint32_t space_id, uint64_t **fs_base,
			   size_t *nr, struct instr_err *err)
{
	CLEAN(free) uint64_t *array = NULL;
	uint32_t room = 64;

	for (;;) {
		struct instr_threads_read arg = {
			.size = sizeof(arg), .space_id = space_id, .nr = room,
		};
		int code;

		free(array);
		array = malloc(room * sizeof(*array));
		if (!array)
			return err_memory(err);
		arg.ptr = (uintptr_t)array;
		code = dev_call(dev, INSTR_THREADS_READ, &arg);
		if (code)
			return dev_fail(err, code, "the threads");
		if (arg.out_nr <= room) {
			*nr = arg.out_nr;
			break;
		}
		/* More begin while we look. */
		room = arg.out_nr + 64;
	}
	*fs_base = TAKE(array);
	return 0;
}

int instr_dev_space_forget(struct instr_dev *dev, uint32_t space_id, struct instr_err *err)
{
	struct instr_space_forget arg = { .size = sizeof(arg), .space_id = space_id };
	int code = dev_call(dev, INSTR_SPACE_FORGET, &arg);

	return code ? dev_fail(err, code, "the counts") : 0;
}

int instr_dev_remove(struct instr_dev *dev, uint32_t session_id, unsigned int *removed,
		     struct instr_err *err)
{
	struct instr_remove arg = { .size = sizeof(arg), .session_id = session_id };
	int code = dev_call(dev, INSTR_REMOVE, &arg);

	if (code == -ENOENT) {
		instr_fail(err, code, "session %u: there is no such session", session_id);
		return instr_hint(err, code, "see: instrctl show sessions");
	}
	if (code)
		return dev_fail(err, code, INSTR_DEV_PATH);
	*removed = arg.out_removed;
	return 0;
}
