/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Profiles for pprof: profile.proto, compressed by gzip.
 *
 * A sample is a function in a process. It has one location, as nobody knows who called it.
 * What is the same makes the same bytes.
 */
#ifndef INSTRCTL_PPROF_H
#define INSTRCTL_PPROF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Texts may be any bytes. */
struct pprof_file {
	const char *name;
	const char *build_id;	/* or NULL */
	uint64_t start, end;	/* vaddr of its text */
	uint64_t offset;	/* in the file */
};

struct pprof_function {
	size_t file;
	const char *name;
	uint64_t vaddr;
};

struct pprof_sample {
	size_t function;
	int pid;
	const char *comm;
	uint64_t calls;
	uint64_t total_ns, self_ns;	/* where functions are timed */
};

struct pprof {
	size_t nr_files, nr_functions, nr_samples;
	const struct pprof_file *file;
	const struct pprof_function *function;
	const struct pprof_sample *sample;
	bool timed;
	uint64_t begin_ns;	/* since 1970 */
	uint64_t duration_ns;
};

/* *ret is for free(). */
void pprof_pack(const struct pprof *pprof, uint8_t **ret, size_t *len);

#endif
