/* SPDX-License-Identifier: GPL-2.0 */
/* Uprobes of the kernel, by perf_event_open(2), on functions of this program and its libraries. */
#ifndef UPROBE_H
#define UPROBE_H

#include <stdint.h>

/* Counts how often this thread comes to @at. Returns a descriptor, or a negative errno. */
int uprobe_open(const void *at);
/* The same of its returns. */
int uretprobe_open(const void *at);
/* Of all threads, on processor 0; @path: a copy of the file that @at is of. */
int uprobe_open_all(const char *path, const void *at);
uint64_t uprobe_count(int fd);

#endif
