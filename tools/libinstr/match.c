// SPDX-License-Identifier: GPL-2.0
/*
 * Matching: which functions are meant by a name, a pattern or an address. A
 * name that names nothing is a mistake, so the sentence offers the nearest one.
 */

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>

#include "clean.h"
#include "err.h"
#include "file.h"
#include "func.h"

/* Longer names are not compared with each other: no one mistypes those. */
#define NAME_MAX_DISTANCE 128

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t min = a < b ? a : b;

	return min < c ? min : c;
}

/* How many letters have to be changed, put in or taken out; at least @limit: many. */
static size_t name_distance(const char *a, const char *b, size_t limit)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	size_t row[NAME_MAX_DISTANCE + 1];

	if (a_len > NAME_MAX_DISTANCE || b_len > NAME_MAX_DISTANCE ||
	    a_len >= b_len + limit || b_len >= a_len + limit)
		return limit;
	for (size_t i = 0; i <= b_len; i++)
		row[i] = i;
	for (size_t i = 1; i <= a_len; i++) {
		size_t diagonal = row[0]++;

		for (size_t j = 1; j <= b_len; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = min3(change, row[j] + 1, row[j - 1] + 1);
		}
	}
	return row[b_len];
}

/* NULL: none is near enough to be what was meant. */
static const char *nearest_name(const struct func_table *table, const char *name)
{
	size_t limit = strlen(name) / 2 + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < table->nr; i++) {
		size_t distance = name_distance(name, table->func[i].name, limit);

		if (distance < limit) {
			limit = distance;
			nearest = table->func[i].name;
		}
	}
	return nearest;
}

static int match_nothing(const struct instr_file *file, const struct func_table *table,
			 const char *glob, struct instr_err *err)
{
	const char *nearest = nearest_name(table, glob);
	int code = instr_fail(err, -ENOENT, "%s: no function matches '%s'", file->path, glob);

	if (!table->nr)
		return instr_hint(err, code, "it has neither symbols nor an .eh_frame section");
	return nearest ? instr_hint(err, code, "the nearest name is '%s'", nearest) : code;
}

/* ---- marking: meant[i] is set for each function that is meant ----------------- */

static bool mark_address(const struct func_table *table, uint64_t vaddr, bool *meant)
{
	size_t first = 0, end = table->nr;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (table->func[middle].vaddr < vaddr)
			first = middle + 1;
		else
			end = middle;
	}
	if (first == table->nr || table->func[first].vaddr != vaddr)
		return false;
	meant[first] = true;
	return true;
}

static bool mark_name(const struct func_table *table, const char *name, bool *meant)
{
	size_t first = 0, end = table->nr;
	bool found = false;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (strcmp(table->by_name[middle]->name, name) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	for (; first < table->nr; first++) {
		const struct instr_func *func = table->by_name[first];

		if (strcmp(func->name, name))
			break;
		meant[func - table->func] = found = true;
	}
	return found;
}

static bool mark_pattern(const struct func_table *table, const char *glob, bool *meant)
{
	bool found = false;

	for (size_t i = 0; i < table->nr; i++) {
		if (!fnmatch(glob, table->func[i].name, 0))
			meant[i] = found = true;
	}
	return found;
}

/* "0x" and nothing but hexadecimal digits. */
static bool parse_address(const char *text, uint64_t *ret)
{
	char *end;

	if (text[0] != '0' || text[1] != 'x' || !text[2] ||
	    strspn(text + 2, "0123456789abcdefABCDEF") != strlen(text + 2))
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 16);
	return !errno;
}

static bool mark(const struct func_table *table, const char *glob, bool *meant)
{
	uint64_t vaddr;

	if (parse_address(glob, &vaddr))
		return mark_address(table, vaddr, meant);
	/* A name comes before a pattern: "operator new[]" is a name. */
	if (mark_name(table, glob, meant))
		return true;
	return glob[strcspn(glob, "*?[\\")] && mark_pattern(table, glob, meant);
}

int instr_funcs_match(struct instr_file *file, const char *const *globs,
		      size_t nr_globs, size_t **ret, size_t *nr,
		      struct instr_err *err)
{
	const struct func_table *table;
	int code = func_table_get(file, &table, err);

	if (code)
		return code;

	CLEAN(free) bool *meant = calloc(table->nr + 1, sizeof(*meant));
	CLEAN(free) size_t *func = calloc(table->nr + 1, sizeof(*func));
	size_t found = 0;

	if (!meant || !func)
		return err_memory(err);
	for (size_t i = 0; i < nr_globs; i++) {
		if (!mark(table, globs[i], meant))
			return match_nothing(file, table, globs[i], err);
	}
	for (size_t i = 0; i < table->nr; i++) {
		bool repeats = found && table->func[func[found - 1]].vaddr == table->func[i].vaddr;

		if (meant[i] && !repeats)
			func[found++] = i;
	}
	*ret = TAKE(func);
	*nr = found;
	return 0;
}
