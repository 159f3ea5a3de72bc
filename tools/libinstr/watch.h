/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A watch: a thread that listens to the events of one session, and keeps what it
 * heard of each process.
 *
 *   object           written by       read by
 *   the processes    watch's thread   the thread that opened the watch, under RCU
 *   lost, state      watch's thread   anybody
 *
 * Reading never waits for the thread, nor the thread for a reader; what was
 * replaced is freed when no reader can be looking at it.
 */
#ifndef LIBINSTR_WATCH_H
#define LIBINSTR_WATCH_H

#include "event.h"

struct instr_watch;

enum instr_process_state {
	INSTR_PROCESS_COUNTED,
	INSTR_PROCESS_DETACHED,
	INSTR_PROCESS_ENDED,
};

/* A process in one of its images: there is one for each space it has had. */
struct instr_process {
	uint32_t space_id;	/* 0: it has none */
	uint32_t pid;		/* initial pid namespace */
	enum instr_process_state state;
	uint32_t status;	/* as of wait(2), once it ended */
	uint32_t error;		/* of the last mapping that was refused, or 0 */
	uint32_t children;	/* made by fork: they run the file's own text */
	uint32_t vforks;	/* made in the same address space */
	char comm[32];
};

/* @processes: they are kept, with all that is heard of them, as long as the watch. */
int instr_watch_open(uint32_t session_id, bool processes, struct instr_watch **ret,
		     struct instr_err *err);
void instr_watch_close(struct instr_watch *watch);

/* Waits until all events sent before this call are in the list. */
void instr_watch_settle(struct instr_watch *watch);

/* Can be read, as an eventfd(2), when address spaces have ended since it was read last. */
int instr_watch_gone_fd(const struct instr_watch *watch);

/* Calls @fn for each process; what it is given must not be kept. */
void instr_watch_each(struct instr_watch *watch,
		      void (*fn)(const struct instr_process *process, void *arg), void *arg);
/* How often the kernel told us that it had to drop events. */
unsigned int instr_watch_lost(const struct instr_watch *watch);

#endif
