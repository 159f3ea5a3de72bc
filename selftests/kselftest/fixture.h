/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests share: a session on functions of one file, and a puppet, a
 * program that does what it is told (targets/puppet.c). What must not fail aborts
 * the test program with a sentence: only behaviour under test is an assertion.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <libinstr/libinstr.h>

/* The built test programs: "puppet", "lib3.so". */
const char *target_path(const char *name);

/* ---- a session ------------------------------------------------------------------- */

struct probes {
	int fd;			/* /dev/instr */
	uint32_t overlay_id;
	struct instr_file *file;
	struct instr_plan *plan;
};

/* Plans @names (until NULL) in the file, and makes the overlay; shows nothing yet. */
void probes_open(struct probes *probes, const char *path, const char *const *names);
void probes_close(struct probes *probes);

/* These return 0 or -errno. */
int probes_publish(struct probes *probes);
int probes_withdraw(struct probes *probes);
int probes_attach(struct probes *probes, pid_t pid);
/* @flags: INSTR_ATTACH_*. */
int probes_attach_with(struct probes *probes, pid_t pid, uint32_t flags);
int probes_detach(struct probes *probes, pid_t pid);

/* Calls of the function, of all spaces together. */
uint64_t probes_count(struct probes *probes, const char *name);
enum instr_how probes_how(struct probes *probes, const char *name);
/* The bytes that the function has in the file, and while it is probed, in hex. */
void probes_bytes(struct probes *probes, const char *name, bool patched, char *text,
		  size_t len);

/* Where the function called @name lies in @file; 0: there is none. */
uint64_t function_offset(struct instr_file *file, const char *name);

/* The module's live objects. */
struct instr_info live_objects(int fd);

/* ---- a puppet ---------------------------------------------------------------------- */

struct puppet {
	pid_t pid;
	FILE *to, *from;
};

void puppet_start(struct puppet *puppet, const char *path);
/* Says a line, and returns the answer, which is good until the next. */
const char *puppet_ask(struct puppet *puppet, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
long puppet_number(struct puppet *puppet, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Ends it; returns its status, as of wait(2). */
int puppet_end(struct puppet *puppet);

/* Bytes of another process, read as a debugger would; false if they can't be. */
bool peek(pid_t pid, uint64_t vaddr, void *bytes, size_t len);
bool poke(pid_t pid, uint64_t vaddr, const void *bytes, size_t len);
/* ~0 if it can't be read. */
uint64_t word_at(pid_t pid, uint64_t vaddr);
/* Where in its text a process waits in a system call; 0: it does not. */
uint64_t waits_at(pid_t pid);
/* Where the puppet's file offset 0 lies, by /proc/PID/maps. */
uint64_t text_base(pid_t pid, const char *path);

#endif
