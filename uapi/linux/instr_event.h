/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Generic netlink family "instr": what happens, and what there is.
 *
 * Group "events" gets one INSTR_CMD_EVENT for each change of an instrumented
 * process's life. Messages are never waited for: a listener that is too slow
 * loses some, sees ENOBUFS, and asks for the dumps.
 *
 *   INSTR_CMD_EVENT        (multicast)
 *     EVENT                u32, enum instr_event
 *     SESSION_ID           u32, 0 if it is not a single session's
 *     SPACE_ID             u32, 0 where there is none
 *     PID                  u32, process (thread group), initial pid namespace
 *     TID                  u32, thread that did it; FORK, FORK_FAILED
 *     CHILD                u32, pid of the child; FORK
 *     CLONE_FLAGS          u32, INSTR_CLONE_*; FORK, FORK_FAILED
 *     MEASURED             u32, 1: what the child does is measured from the beginning; FORK
 *     START                u64, ns of CLOCK_BOOTTIME at which the child was made (FORK), or
 *                          the process (EXEC, EXIT, FORK_FAILED, REFUSED of a program);
 *                          with its pid it is no other's, ever
 *     OVERLAY_ID           u32; REFUSED
 *     ERRNO                u32, why; REFUSED, FORK_FAILED
 *     STATUS               u32, as of wait(2); EXIT
 *     COMM                 string, name of the process
 *     TIME                 u64, ns of CLOCK_MONOTONIC
 *
 * FORK is sent after the child was made, and before it runs for the first time, in its
 * parent's system call, which does not return before that. So nothing is told of a child
 * before its FORK. FORK_FAILED tells of one that failed while the child was made; what is
 * wrong with the call itself, or refused by a filter of system calls, is told nobody. A
 * fork that the kernel begins again, as a signal came, is told when it ends.
 *
 * Dumps (NLM_F_DUMP), one message an object:
 *
 *   INSTR_CMD_SESSION_GET
 *     SESSION_ID, PID (owner), COMM (owner), OVERLAYS u32, SPACES u32
 *   INSTR_CMD_OVERLAY_GET
 *     SESSION_ID, OVERLAY_ID, DEV u64, INODE u64, SITES u32, PAGES u32,
 *     SLAB_START s64 as u64, CODE_LEN u64, DATA_LEN u64, ANNEX_START s64 as u64,
 *     ANNEX_LEN u64 (0: there is none), PATH string, MEMORY u64 (bytes that all processes
 *     share: changed pages, and the slab's code)
 *   INSTR_CMD_SPACE_GET
 *     SESSION_ID, SPACE_ID, PID, COMM, LIVE u32, VIEWS u32, SLABS u32,
 *     PRIVATE u32, ERRNO u32 (of the last refusal, or 0),
 *     LOOKUPS u64, FUNCTIONS u64 (struct instr_unwinds, also when it is gone; without
 *     frames 0), MEMORY u64 (bytes that are there for this one only: counters, and what
 *     is measured)
 *   INSTR_CMD_PROCESS_GET: processes of a scope, and their descendants, that live
 *     SESSION_ID, PID, START, COMM, MEASURED u32, PARENT u32 (who made it; 0: it was
 *     attached), CLONE_FLAGS (with which)
 *
 * Dumps and the group are for CAP_SYS_ADMIN or CAP_NET_ADMIN in the initial
 * user namespace (EPERM for others).
 */
#ifndef _UAPI_LINUX_INSTR_EVENT_H
#define _UAPI_LINUX_INSTR_EVENT_H

#define INSTR_GENL_NAME		"instr"
#define INSTR_GENL_VERSION	1
#define INSTR_GENL_EVENTS	"events"

enum instr_cmd {
	INSTR_CMD_UNSPEC,
	INSTR_CMD_EVENT,
	INSTR_CMD_SESSION_GET,
	INSTR_CMD_OVERLAY_GET,
	INSTR_CMD_SPACE_GET,
	INSTR_CMD_PROCESS_GET,
	__INSTR_CMD_LAST,
};
#define INSTR_CMD_MAX		(__INSTR_CMD_LAST - 1)

enum instr_event {
	INSTR_EVENT_ATTACH = 1,	/* a space began */
	INSTR_EVENT_DETACH,	/* its process runs pristine text again */
	INSTR_EVENT_FORK,	/* made a child, which has not run yet */
	INSTR_EVENT_EXEC,	/* runs another image from now on */
	INSTR_EVENT_EXIT,	/* a process of a scope ended */
	INSTR_EVENT_GONE,	/* the address space of a space ended */
	INSTR_EVENT_REFUSED,	/* a mapping, or a program, is left alone: see ERRNO */
	INSTR_EVENT_FORK_FAILED, /* wanted to make a child, and could not: see ERRNO */
};

/* INSTR_A_CLONE_FLAGS: the values of clone(2); other flags are not told */
#define INSTR_CLONE_VM		0x00000100	/* the child shares the address space ... */
#define INSTR_CLONE_VFORK	0x00004000	/* ... and the parent waits until it leaves that */

enum instr_attr {
	INSTR_A_UNSPEC,
	INSTR_A_PAD,
	INSTR_A_EVENT,
	INSTR_A_SESSION_ID,
	INSTR_A_SPACE_ID,
	INSTR_A_OVERLAY_ID,
	INSTR_A_PID,
	INSTR_A_TID,
	INSTR_A_CHILD,
	INSTR_A_CLONE_FLAGS,
	INSTR_A_ERRNO,
	INSTR_A_STATUS,
	INSTR_A_COMM,
	INSTR_A_TIME,
	INSTR_A_OVERLAYS,
	INSTR_A_SPACES,
	INSTR_A_DEV,
	INSTR_A_INODE,
	INSTR_A_SITES,
	INSTR_A_PAGES,
	INSTR_A_SLAB_START,
	INSTR_A_CODE_LEN,
	INSTR_A_DATA_LEN,
	INSTR_A_PATH,
	INSTR_A_LIVE,
	INSTR_A_VIEWS,
	INSTR_A_SLABS,
	INSTR_A_PRIVATE,
	INSTR_A_ANNEX_START,
	INSTR_A_ANNEX_LEN,
	INSTR_A_START,
	INSTR_A_PARENT,
	INSTR_A_MEASURED,
	INSTR_A_LOOKUPS,
	INSTR_A_FUNCTIONS,
	INSTR_A_MEMORY,
	__INSTR_A_LAST,
};
#define INSTR_A_MAX		(__INSTR_A_LAST - 1)

#endif /* _UAPI_LINUX_INSTR_EVENT_H */
