/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tables as text.
 *
 * On a terminal the columns are aligned, and the heads are bold (but not with
 * NO_COLOR). Elsewhere one tab separates columns and nothing is padded, so that
 * cut(1) can take them apart. What a terminal would obey is printed as '?'.
 */
#ifndef LIBINSTR_TABLE_H
#define LIBINSTR_TABLE_H

#include <stdio.h>

#include "libinstr.h"

struct instr_table;

/* A head that begins with '>' makes a column of numbers, without the '>'. */
struct instr_table *instr_table_create(size_t nr_columns, const char *const *heads);
void instr_table_destroy(struct instr_table *table);

/* The next cell, row by row. */
void instr_table_cell(struct instr_table *table, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* -ENOMEM: a cell is missing. */
int instr_table_print(const struct instr_table *table, FILE *out);

/* Replaces each byte of @text that is a control character. */
void instr_text_clean(char *text);
bool instr_is_terminal(FILE *out);

#endif
