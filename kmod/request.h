/* SPDX-License-Identifier: GPL-2.0 */
#ifndef INSTR_REQUEST_H
#define INSTR_REQUEST_H

#include <linux/instr.h>

struct instr_changes;
struct instr_pointer_set;
struct instr_session;

/* The calls of uapi/linux/instr.h; arrays are copies in kernel memory. */
int instr_request_overlay_create(struct instr_session *session,
				 struct instr_overlay_create *arg);
int instr_request_slab_write(struct instr_session *session,
			     const struct instr_slab_io *arg);
int instr_request_slab_read(struct instr_session *session,
			    const struct instr_slab_io *arg);
int instr_request_publish(struct instr_session *session,
			  const struct instr_changes *changes);
/* Takes over @set, unless it fails. */
int instr_request_pointers(struct instr_session *session, u32 overlay_id,
			   struct instr_pointer_set *set);
int instr_request_space_next(struct instr_session *session,
			     struct instr_space_next *arg);
int instr_request_data_read(struct instr_session *session,
			    const struct instr_data_read *arg, u64 *sums);
int instr_request_times_read(struct instr_session *session, struct instr_times_read *arg);
/* Puts FS bases into @fs_base, for which arg->nr says how many there may be. */
int instr_request_threads_read(struct instr_session *session,
			       struct instr_threads_read *arg, u64 *fs_base);
int instr_request_space_forget(struct instr_session *session,
			       const struct instr_space_forget *arg);

#endif
