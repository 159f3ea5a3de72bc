/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A profile: a file for pprof of what was counted.
 */
#ifndef INSTRCTL_PROFILE_H
#define INSTRCTL_PROFILE_H

#include "result.h"

/* @seconds: since counting began. */
int profile_write(const char *path, const struct targets *targets, const struct result *result,
		  double seconds, struct instr_err *err);

#endif
