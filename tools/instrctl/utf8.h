/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UTF-8: names of programs and functions are any bytes, and who reads what we write wants
 * text.
 */
#ifndef INSTRCTL_UTF8_H
#define INSTRCTL_UTF8_H

/* A copy for free(), in which bytes that are no UTF-8 are U+FFFD. */
char *utf8_text(const char *bytes);

#endif
