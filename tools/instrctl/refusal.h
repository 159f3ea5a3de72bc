/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Refusals: why a mapping of a process was left alone.
 */
#ifndef INSTRCTL_REFUSAL_H
#define INSTRCTL_REFUSAL_H

/* @error: errno, as the module tells it of a space. */
const char *refusal_text(int error);

#endif
