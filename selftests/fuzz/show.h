/* SPDX-License-Identifier: GPL-2.0 */
/* For people: what a sequence is, and what it did. */
#ifndef FUZZ_SHOW_H
#define FUZZ_SHOW_H

#include "check.h"

void show_difference(const struct batch *batch, const struct difference *difference);

#endif
