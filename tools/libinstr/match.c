// SPDX-License-Identifier: GPL-2.0
/*
 * Matching: which places are meant by a name, a pattern or an address. A
 * name that names nothing is a mistake, so the sentence offers the nearest one.
 */

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>

#include "array.h"
#include "boundary.h"
#include "clean.h"
#include "err.h"
#include "file.h"
#include "func.h"
#include "ifunc.h"
#include "match.h"
#include "pointer.h"

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

struct instr_place_info instr_place_info(struct instr_file *file, struct instr_place place)
{
	struct instr_place_info info = { .name = "", .vaddr = place.at };

	if (place.func == INSTR_POINTER) {
		const struct pointer *pointer = pointer_find(file, place.at);

		if (pointer)
			info.name = pointer->name;
	} else if (file->funcs && place.func < file->funcs->nr) {
		const struct instr_func *func = &file->funcs->func[place.func];

		info.name = func->name;
		info.at = place.at;
		info.vaddr = func->vaddr + place.at;
	}
	return info;
}

const char *instr_place_name(const struct instr_place_info *info, char *text,
			     size_t text_len)
{
	if (info->at)
		snprintf(text, text_len, "%s+0x%" PRIx64, info->name, info->at);
	else
		snprintf(text, text_len, "%s", info->name);
	return text;
}

/* ---- what is meant ------------------------------------------------------------ */

/* Places, in the order in which the patterns name them. */
struct meant {
	struct instr_place *place;
	size_t nr;
	bool no_memory;
};

static void meant_add(struct meant *meant, size_t func, uint64_t at)
{
	struct instr_place place = { func, at };

	meant->no_memory |= !ARRAY_PUSH(meant->place, meant->nr, place);
}

static bool add_name(const struct func_table *table, const char *name, uint64_t at,
		     struct meant *meant)
{
	size_t before = meant->nr, func = FUNC_NONE;

	while (func_find_name(table, name, &func))
		meant_add(meant, func, at);
	return meant->nr > before;
}

static bool add_pattern(const struct func_table *table, const char *glob,
			struct meant *meant)
{
	size_t before = meant->nr;

	for (size_t i = 0; i < table->nr; i++) {
		if (!fnmatch(glob, table->func[i].name, 0))
			meant_add(meant, i, 0);
	}
	return meant->nr > before;
}

/* A number and nothing else. */
static bool parse_number(const char *text, int base, uint64_t *ret)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	char *end;

	if (!*text || !memchr(digits, *text, base == 10 ? 10 : sizeof(digits) - 1))
		return false;
	errno = 0;
	*ret = strtoull(text, &end, base);
	return !errno && !*end;
}

bool match_address(const char *text, uint64_t *ret)
{
	return text[0] == '0' && text[1] == 'x' && parse_number(text + 2, 16, ret);
}

bool match_offset(const char *text, uint64_t *ret)
{
	return match_address(text, ret) || parse_number(text, 10, ret);
}

static bool add_address(const struct func_table *table, uint64_t vaddr, struct meant *meant)
{
	size_t func;

	if (!func_find(table, vaddr, &func))
		return false;
	meant_add(meant, func, vaddr - table->func[func].vaddr);
	return true;
}

/* NAME+OFFSET; the names of operators may have a '+' too. */
static bool add_inside(const struct func_table *table, const char *text, struct meant *meant)
{
	const char *plus = strrchr(text, '+');
	uint64_t at;
	bool found;

	if (!plus || !match_offset(plus + 1, &at))
		return false;

	CLEAN(free) char *name = strndup(text, (size_t)(plus - text));

	meant->no_memory |= !name;
	found = name && add_name(table, name, at, meant);
	return found;
}

static bool add(const struct func_table *table, const char *glob, struct meant *meant)
{
	uint64_t vaddr;

	if (match_address(glob, &vaddr))
		return add_address(table, vaddr, meant);
	/* A name comes before a pattern: "operator new[]" is a name. */
	if (add_name(table, glob, 0, meant) || add_inside(table, glob, meant))
		return true;
	return glob[strcspn(glob, "*?[\\")] && add_pattern(table, glob, meant);
}

/* Whoever names an indirect function means its implementations. */
static void add_choices(const struct instr_file *file, const struct func_table *table,
			struct meant *meant)
{
	CLEAN(free) size_t *choice = NULL;
	size_t nr = 0;

	for (size_t i = 0; i < meant->nr; i++) {
		if (meant->place[i].func != INSTR_POINTER && !meant->place[i].at &&
		    table->func[meant->place[i].func].is_ifunc)
			meant->no_memory |= !ifunc_choices(file, table, meant->place[i].func,
							   &choice, &nr);
	}
	for (size_t i = 0; i < nr; i++)
		meant_add(meant, choice[i], 0);
}

/* ---- boundaries --------------------------------------------------------------- */

static int fail_boundary(const struct instr_file *file, const struct instr_func *func,
			 uint64_t at, int code, const struct boundary *boundary,
			 struct instr_err *err)
{
	if (code == -EINVAL)
		return instr_fail(err, -EINVAL,
				  "%s: %s+0x%" PRIx64 " is within an instruction, from +0x%"
				  PRIx64 " to +0x%" PRIx64, file->path, func->name, at,
				  boundary->before, boundary->after);
	return instr_fail(err, -EINVAL,
			  "%s: what is at %s+0x%" PRIx64 " is not known: there is no instruction at +0x%"
			  PRIx64, file->path, func->name, at, boundary->before);
}

static int check_boundary(const struct instr_file *file, const struct func_table *table,
			  struct instr_place place, struct instr_err *err)
{
	const struct instr_func *func = &table->func[place.func];
	uint64_t room = file_room_at(file, func->vaddr);
	struct boundary boundary;
	int code;

	if (place.at >= func->size || place.at >= room)
		return instr_fail(err, -EINVAL, "%s: %s has only 0x%" PRIx64 " bytes",
				  file->path, func->name, func->size);
	code = boundary_find(file_bytes_at(file, func->vaddr, room), room, place.at,
			     &boundary);
	return code ? fail_boundary(file, func, place.at, code, &boundary, err) : 0;
}

/* ---- in order ----------------------------------------------------------------- */

/* Pointers come behind all functions. */
static int place_compare(const void *a, const void *b, void *table)
{
	const struct instr_place *x = a, *y = b;
	uint64_t x_vaddr = func_place_vaddr(table, *x), y_vaddr = func_place_vaddr(table, *y);

	if ((x->func == INSTR_POINTER) != (y->func == INSTR_POINTER))
		return x->func == INSTR_POINTER ? 1 : -1;
	if (x_vaddr != y_vaddr)
		return x_vaddr < y_vaddr ? -1 : 1;
	return (x->func > y->func) - (x->func < y->func);
}

/* Ascending, and each address once. */
static void meant_settle(struct meant *meant, const struct func_table *table)
{
	size_t nr = 0;

	if (!meant->nr)
		return;
	qsort_r(meant->place, meant->nr, sizeof(*meant->place), place_compare, (void *)table);
	for (size_t i = 0; i < meant->nr; i++) {
		const struct instr_place *last = nr ? &meant->place[nr - 1] : NULL;

		if (last && (last->func == INSTR_POINTER) ==
			    (meant->place[i].func == INSTR_POINTER) &&
		    func_place_vaddr(table, *last) == func_place_vaddr(table, meant->place[i]))
			continue;
		meant->place[nr++] = meant->place[i];
	}
	meant->nr = nr;
}

/* What one pattern names. A function's own name comes before all else. */
static int meant_add_all(struct instr_file *file, const struct func_table *table,
			 const char *glob, struct meant *meant, struct instr_err *err)
{
	struct instr_place pointer;
	int code;

	if (add(table, glob, meant))
		return 0;
	if (meant->no_memory)
		return err_memory(err);
	code = pointer_match(file, glob, &pointer, err);
	if (!code)
		meant_add(meant, pointer.func, pointer.at);
	return code == 1 ? match_nothing(file, table, glob, err) : code;
}

static int meant_find(struct instr_file *file, const struct func_table *table,
		      const char *const *globs, size_t nr_globs, struct meant *meant,
		      struct instr_err *err)
{
	int code = 0;

	for (size_t i = 0; i < nr_globs && !code; i++)
		code = meant_add_all(file, table, globs[i], meant, err);
	if (code)
		return code;
	add_choices(file, table, meant);
	if (meant->no_memory)
		return err_memory(err);
	meant_settle(meant, table);
	for (size_t i = 0; i < meant->nr && !code; i++) {
		if (meant->place[i].at && meant->place[i].func != INSTR_POINTER)
			code = check_boundary(file, table, meant->place[i], err);
	}
	return code;
}

int instr_places_match(struct instr_file *file, const char *const *globs,
		       size_t nr_globs, struct instr_place **ret, size_t *nr,
		       struct instr_err *err)
{
	const struct func_table *table;
	struct meant meant = { 0 };
	int code = func_table_get(file, &table, err);

	if (code)
		return code;
	code = meant_find(file, table, globs, nr_globs, &meant, err);
	if (code) {
		free(meant.place);
		return code;
	}
	*ret = meant.place;
	*nr = meant.nr;
	return 0;
}
