/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hosts: plans at work in the process that made them, with no module. The slab is
 * private memory at its place, the text is private pages, and a signal handler
 * does for traps what the module does.
 *
 *	host_handle_traps();
 *	if (!host_prepare(&host, path, globs, 1, load, HOST_ANYWHERE, &err)) {
 *		host_show(&host, true);
 *		...
 *		host_show(&host, false);
 *		host_finish(&host);
 *	}
 *
 * Text is not changed atomically: there must be one thread when it is. What is
 * instrumented may be libc, so what runs while text changes, or a trap is
 * handled, calls nothing.
 */
#ifndef HOST_H
#define HOST_H

#include <signal.h>

#include "libinstr.h"

struct host {
	struct instr_file *file;
	const struct instr_func *func;
	struct instr_plan *plan;
	uint8_t *base;		/* the address of position 0 */
	uint8_t *slab, *annex;
	enum instr_measure measure;
	enum instr_way way;
	bool traps;
	struct host *next;
};

#define HOST_ANYWHERE	((struct instr_distance){ 0, 0 })

/*
 * Plans the places that @globs name of the file at @path, which is mapped here,
 * loaded with @load (struct link_map: l_addr), and maps the slab. Nothing is shown
 * yet. @distance: of instr_distances(); HOST_ANYWHERE: the first whose slab finds its place
 * free. -EEXIST: none does; -ESTALE: the text here is not the file's.
 */
int host_prepare(struct host *host, const char *path, const char *const *globs,
		 size_t nr_globs, uint64_t load, struct instr_distance distance,
		 struct instr_err *err);
/*
 * The same, somewhere, but with exits: all such hosts have their frames in common. Without @traps, which threads that begin or end have blocked, only functions
 * that need none.
 */
int host_prepare_exits(struct host *host, enum instr_measure measure, enum instr_way way,
		       const char *path, const char *const *globs, size_t nr_globs,
		       uint64_t load, bool traps, struct instr_err *err);
/* With @probes: shows them, else the file's own text. Pages are never left writable. */
void host_show(const struct host *host, bool probes);
/* Forgets a host that shows nothing; nobody is in its slab. */
void host_finish(struct host *host);
/* The same where somebody may be: the slab and the plan stay. */
void host_leave(struct host *host);

/* NULL: no function of that name was asked for. */
const struct instr_plan_site *host_site(const struct host *host, const char *name);
/* How often a site was called, since the slab was mapped. Refused: 0. */
uint64_t host_count(const struct host *host, const struct instr_plan_site *site);
/* Of a function with exits. */
void host_times(const struct host *host, const struct instr_plan_site *site,
		struct instr_times *ret);
/* The frames that all hosts have in common, and the times of one: see timing.h. */
const void *host_frames(void);
const void *host_times_of(const struct host *host);
/* The calls of all sites. */
uint64_t host_count_all(const struct host *host);
/*
 * Sets the gate, and the FS bases of threads that have a vfork child. It begins as
 * INSTR_GATE_MANY.
 */
void host_gate(const struct host *host, uint64_t gate, const uint64_t *vfork, size_t nr);

/* SIGTRAP and SIGILL go to host_trap(); a trap that is no host's ends the process. */
void host_handle_traps(void);
/* For handlers: if the trap is a host's, the context goes on where that leads. */
bool host_trap(int signal, const siginfo_t *info, void *context);
/* How many it led on. */
unsigned long host_nr_traps(void);

#endif
