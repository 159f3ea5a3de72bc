/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The device: one object is one session, and ends with it.
 *
 * Each call is the ioctl of the same name with its errors put into sentences.
 * Numbers are what the kernel says; see uapi/linux/instr.h.
 */
#ifndef LIBINSTR_DEV_H
#define LIBINSTR_DEV_H

#include "libinstr.h"

#define INSTR_DEV_PATH	"/dev/instr"
#define INSTR_HINT_LOAD	"load the module (insmod instr.ko, or: make load)"
#define INSTR_HINT_ROOT	"run it as root: it takes CAP_SYS_ADMIN outside of any container"

struct instr_dev;

/*
 * -ENODEV: the module is not loaded, -EPERM: not allowed, -EPROTO: the module
 * was built with another ABI than this program.
 */
int instr_dev_open(struct instr_dev **ret, struct instr_err *err);
void instr_dev_close(struct instr_dev *dev);

uint32_t instr_dev_session_id(const struct instr_dev *dev);
int instr_dev_info(struct instr_dev *dev, struct instr_info *ret, struct instr_err *err);

/*
 * Makes an overlay of the plan's file, settles the plan, and fills its slab; it shows
 * nothing yet.
 */
int instr_dev_overlay_create(struct instr_dev *dev, struct instr_plan *plan,
			     uint32_t *ret, struct instr_err *err);
int instr_dev_publish(struct instr_dev *dev, uint32_t overlay_id,
		      const struct instr_plan *plan, struct instr_err *err);

/* @flags: INSTR_ATTACH_*. */
int instr_dev_attach(struct instr_dev *dev, pid_t pid, uint32_t flags,
		     unsigned int *views, struct instr_err *err);
/* @which: but for its size. */
int instr_dev_attach_all(struct instr_dev *dev, const struct instr_attach_all *which,
			 unsigned int *views, struct instr_err *err);
/* @pid 0: all that are attached, and that follow them. */
int instr_dev_detach(struct instr_dev *dev, pid_t pid, struct instr_err *err);

/*
 * Begin with space->space_id == 0, and call again with what was returned. space->flags:
 * INSTR_SPACE_GONE or 0.
 * 1: there is one, 0: no further one.
 */
int instr_dev_space_next(struct instr_dev *dev, struct instr_space_next *space,
			 struct instr_err *err);
/* @nr words of the overlay's data in that space, from byte @offset on: for instr_plan_count(). */
int instr_dev_data_read(struct instr_dev *dev, uint32_t space_id, uint32_t overlay_id,
			uint64_t offset, uint64_t *counters, size_t nr, struct instr_err *err);

/*
 * Bytes of the times of the overlay's slab number @slab in that space, or with
 * @overlay_id 0 of its frames. *address is where byte 0 lies in the process. -ENXIO:
 * there is no such slab, or nothing (any more) to read; nothing is said in @err then.
 */
int instr_dev_times_read(struct instr_dev *dev, uint32_t space_id, uint32_t overlay_id,
			 uint32_t slab, uint64_t offset, uint64_t len, void *ptr,
			 uint64_t *address, struct instr_err *err);
/* FS bases of the threads that live in that space; an array for free(). */
int instr_dev_threads_read(struct instr_dev *dev, uint32_t space_id, uint64_t **fs_base,
			   size_t *nr, struct instr_err *err);

/* All of it has been read, and its address space is gone. */
int instr_dev_space_forget(struct instr_dev *dev, uint32_t space_id, struct instr_err *err);

/* @session_id 0: all but our own. */
int instr_dev_remove(struct instr_dev *dev, uint32_t session_id, unsigned int *removed,
		     struct instr_err *err);

#endif
