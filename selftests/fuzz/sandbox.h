/* SPDX-License-Identifier: GPL-2.0 */
/* Sandbox: a process that can do nothing but run sequences. */
#ifndef FUZZ_SANDBOX_H
#define FUZZ_SANDBOX_H

#include "check.h"

/* All of @batch. False: there is a difference, or the sandbox does not work. */
bool sandbox_check(const struct batch *batch, struct tally *tally,
		   struct difference *difference);

#endif
