/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is said on stderr: "instrctl: VERB: THING: what is wrong", and below it
 * what can be done.
 */
#ifndef INSTRCTL_SAY_H
#define INSTRCTL_SAY_H

#include "libinstr/libinstr.h"

/* -1: errors only, 0: what one should know, 1: more. */
extern int say_level;

/* The verb that all sentences begin with; NULL: none. */
void say_verb(const char *verb);
const char *say_current_verb(void);

/* @level as above; nothing is said where say_level is lower. */
void say(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void say_hint(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Says an error and its hint, and returns @status. */
int say_error(const struct instr_err *err, int status);
void out_of_memory(void) __attribute__((noreturn));
/* Zeros, also where @nr is 0: freed by the caller. Without memory it does not return. */
void *allocate(size_t nr, size_t size);

enum { SAY_ERROR = -1, SAY_NOTE, SAY_MORE };

#endif
