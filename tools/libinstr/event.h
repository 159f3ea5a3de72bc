/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The netlink family: what happens, and what there is.
 *
 * One object is one socket. It is used either for dumps, or, once it has
 * subscribed, for events.
 */
#ifndef LIBINSTR_EVENT_H
#define LIBINSTR_EVENT_H

#include "libinstr.h"

#include <linux/instr_event.h>

struct instr_netlink;

/* A message, decoded. What is not in it is 0 or "". */
struct instr_message {
	uint64_t has;		/* bit N: attribute N is in it */
	uint32_t event;		/* enum instr_event */
	uint32_t session_id, space_id, overlay_id;
	uint32_t pid, tid, child, clone_flags;
	uint32_t error;		/* INSTR_A_ERRNO */
	uint32_t status;
	uint32_t overlays, spaces, sites, pages;
	uint32_t live, views, slabs, private_pages;
	uint32_t parent, measured;
	uint64_t time, start, dev, inode;
	uint64_t slab_start, code_len, data_len, annex_start, annex_len;
	uint64_t lookups, functions, memory;
	char comm[32];
	char path[4096];
};

static inline bool instr_message_has(const struct instr_message *msg, enum instr_attr attr)
{
	return msg->has >> attr & 1;
}

/* "fork", or "event 99" in @text for one that is not known here. */
const char *instr_event_name(uint32_t event, char *text, size_t text_len);

/* Of INSTR_CLONE_*: "fork", "vfork" or "clone". */
const char *instr_clone_name(uint32_t clone_flags);

/* -ENOENT: the kernel does not know the family. */
int instr_netlink_open(struct instr_netlink **ret, struct instr_err *err);
void instr_netlink_close(struct instr_netlink *nl);

/* The objects that @cmd (INSTR_CMD_*_GET) lists; *ret is freed by the caller. */
int instr_netlink_dump(struct instr_netlink *nl, enum instr_cmd cmd,
		       struct instr_message **ret, size_t *nr, struct instr_err *err);

/* From now on events arrive; poll instr_netlink_fd() for them. */
int instr_netlink_subscribe(struct instr_netlink *nl, struct instr_err *err);
int instr_netlink_fd(const struct instr_netlink *nl);

/*
 * Hands all events that have arrived to @on_event, and does not wait for more.
 * -ENOBUFS: some were lost before the next one; call again.
 */
int instr_netlink_receive(struct instr_netlink *nl,
			  void (*on_event)(const struct instr_message *msg, void *arg),
			  void *arg, struct instr_err *err);

#endif
