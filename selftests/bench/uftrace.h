/* SPDX-License-Identifier: GPL-2.0 */
/* uftrace, which records entry and exit of functions: what it costs a call. */
#ifndef UFTRACE_H
#define UFTRACE_H

#include <stdbool.h>

enum uftrace_way {
	UFTRACE_NONE,		/* the same program without it */
	UFTRACE_PG,		/* compiled with -pg */
	UFTRACE_DYNAMIC,	/* patched when it starts */
};

/* One run of mcount.c: nanoseconds per call, or NAN. */
double uftrace_ns(enum uftrace_way way);

#endif
