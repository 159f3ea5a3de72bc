// SPDX-License-Identifier: GPL-2.0
/*
 * Functions: symbols and frame descriptions become one ordered list.
 *
 * A symbol is a function. A frame is one only where no symbol covers its start:
 * the cold part of a function, which has a frame of its own, is not one as long
 * as there are symbols. Sizes never reach into the next function.
 */

#include "func.h"

#include <errno.h>
#include <stdio.h>

#include "array.h"
#include "clean.h"
#include "err.h"
#include "file.h"
#include "frame.h"
#include "plt.h"
#include "symbol.h"

static int name_compare(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	return strcmp(a, b);
}

/* By vaddr, then as libinstr.h says which name is preferred. */
static int symbol_compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->vaddr != y->vaddr)
		return x->vaddr < y->vaddr ? -1 : 1;
	if (x->is_global != y->is_global)
		return x->is_global ? -1 : 1;

	int order = name_compare(x->name, y->name);

	return order ? order : (int)x->source - (int)y->source;
}

/* ---- order ------------------------------------------------------------------ */

#define DIGIT_BITS 11

struct key {
	uint64_t vaddr;
	size_t index;
};

static void sort_by_digit(const struct key *from, struct key *to, size_t nr, unsigned int shift)
{
	const uint64_t mask = (1U << DIGIT_BITS) - 1;
	size_t at[1 << DIGIT_BITS] = { 0 }, sum = 0;

	for (size_t i = 0; i < nr; i++)
		at[from[i].vaddr >> shift & mask]++;
	for (size_t i = 0; i <= mask; i++) {
		size_t count = at[i];

		at[i] = sum;
		sum += count;
	}
	for (size_t i = 0; i < nr; i++)
		to[at[from[i].vaddr >> shift & mask]++] = from[i];
}

/* A radix sort, from the lowest digit on. */
static struct key *sort_keys(struct key *key, struct key *spare, size_t nr, uint64_t highest)
{
	for (unsigned int shift = 0; shift < 64 && highest >> shift; shift += DIGIT_BITS) {
		struct key *sorted = spare;

		sort_by_digit(key, sorted, nr, shift);
		spare = key;
		key = sorted;
	}
	return key;
}

/* Few symbols have the same address: those are compared. */
static void sort_equals(struct symbol *symbol, size_t nr)
{
	for (size_t first = 0, end; first < nr; first = end) {
		for (end = first + 1; end < nr && symbol[end].vaddr == symbol[first].vaddr; end++)
			;
		if (end - first > 1)
			qsort(symbol + first, end - first, sizeof(*symbol), symbol_compare);
	}
}

/* As symbol_compare() says. There may be a million. */
static bool symbols_sort(struct symbol *symbol, size_t nr)
{
	CLEAN(free) struct key *keys = malloc((2 * nr + 1) * sizeof(*keys));
	CLEAN(free) struct symbol *sorted = malloc((nr + 1) * sizeof(*sorted));
	const struct key *key;
	uint64_t highest = 0;

	if (!keys || !sorted)
		return false;
	for (size_t i = 0; i < nr; i++) {
		keys[i] = (struct key){ symbol[i].vaddr, i };
		highest |= keys[i].vaddr;
	}
	key = sort_keys(keys, keys + nr, nr, highest);
	for (size_t i = 0; i < nr; i++)
		sorted[i] = symbol[key[i].index];
	if (nr)
		memcpy(symbol, sorted, nr * sizeof(*symbol));
	sort_equals(symbol, nr);
	return true;
}

/* ---- frames without a symbol ------------------------------------------------ */

static int symbol_add_frame(struct instr_file *file, const struct frame *frame,
			    struct symbol **symbol, size_t *nr, struct instr_err *err)
{
	char name[32];

	snprintf(name, sizeof(name), "func_%llx", (unsigned long long)frame->start);

	struct symbol new = {
		.name = file_keep_name(file, strdup(name)),
		.vaddr = frame->start,
		.size = frame->end - frame->start,
		.source = INSTR_FROM_EH_FRAME,
	};

	if (!new.name || !ARRAY_PUSH(*symbol, *nr, new))
		return err_memory(err);
	return 0;
}

/*
 * Adds a symbol for each frame that begins in none of them. Both are ordered:
 * @end is the highest end of the symbols that begin at or before the frame.
 */
static int symbols_add_frames(struct instr_file *file, const struct frame *frame,
			      size_t nr_frames, struct symbol **symbol, size_t *nr,
			      struct instr_err *err)
{
	size_t nr_symbols = *nr, next = 0;
	uint64_t end = 0, added = 0;

	for (size_t i = 0; i < nr_frames; i++) {
		uint64_t start = frame[i].start;

		for (; next < nr_symbols && (*symbol)[next].vaddr <= start; next++) {
			const struct symbol *s = &(*symbol)[next];
			uint64_t last = s->vaddr + (s->size ? s->size : 1);

			end = last > end ? last : end;
		}
		if (start < end || start == added)
			continue;

		int code = symbol_add_frame(file, &frame[i], symbol, nr, err);

		if (code)
			return code;
		added = start;
	}
	return 0;
}

/* ---- from symbols to functions ---------------------------------------------- */

static bool symbol_repeats(const struct symbol *symbol, const struct symbol *before)
{
	return symbol->vaddr == before->vaddr && !strcmp(symbol->name, before->name);
}

static void table_fill(struct func_table *table, const struct instr_file *file,
		       const struct symbol *symbol, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if (i && symbol_repeats(&symbol[i], &symbol[i - 1]))
			continue;

		bool is_alias = table->nr && table->func[table->nr - 1].vaddr == symbol[i].vaddr;

		table->func[table->nr++] = (struct instr_func){
			.name = symbol[i].name,
			.vaddr = symbol[i].vaddr,
			.offset = symbol[i].vaddr - file->skew,
			.size = symbol[i].size,
			.source = symbol[i].source,
			.is_ifunc = symbol[i].is_ifunc,
			.is_stub = symbol[i].is_stub,
			.is_alias = is_alias,
		};
	}
}

/* The end of what @vaddr is in: its section, or its segment. */
static uint64_t code_end(const struct instr_file *file, uint64_t vaddr)
{
	const struct file_section *section = file_section_find(file, vaddr);
	const Elf64_Phdr *segment = file_segment_find(file, vaddr);
	uint64_t end = segment->p_vaddr + segment->p_memsz;

	return section && section->end < end ? section->end : end;
}

static const struct frame *frame_find(const struct frame *frame, size_t nr, uint64_t vaddr)
{
	size_t behind = ARRAY_LOWER(frame, nr, .start, vaddr + 1);

	return behind && vaddr < frame[behind - 1].end ? &frame[behind - 1] : NULL;
}

/* What all names of one address have in common: [first, end) of the table. */
static void table_settle(struct func_table *table, size_t first, size_t end,
			 uint64_t limit, const struct frame *frame)
{
	uint64_t vaddr = table->func[first].vaddr, size = 0;
	bool is_ifunc = false;

	for (size_t i = first; i < end; i++) {
		size = table->func[i].size > size ? table->func[i].size : size;
		is_ifunc |= table->func[i].is_ifunc;
	}
	if (!size && frame && frame->start == vaddr)
		size = frame->end - vaddr;
	if (!size || size > limit - vaddr)
		size = limit - vaddr;

	for (size_t i = first; i < end; i++) {
		table->func[i].size = size;
		table->func[i].is_ifunc = is_ifunc;
		table->func[i].is_signal_frame = frame && frame->is_signal;
		table->func[i].has_frame = !!frame;
	}
}

static void table_settle_all(struct func_table *table, const struct instr_file *file,
			     const struct frame *frame, size_t nr_frames)
{
	for (size_t first = 0, end; first < table->nr; first = end) {
		uint64_t vaddr = table->func[first].vaddr;
		uint64_t limit = code_end(file, vaddr);

		end = first + 1;
		while (end < table->nr && table->func[end].is_alias)
			end++;
		if (end < table->nr && table->func[end].vaddr < limit)
			limit = table->func[end].vaddr;
		table_settle(table, first, end, limit, frame_find(frame, nr_frames, vaddr));
	}
}

/* ---- by name ------------------------------------------------------------------ */

static uint32_t *name_bucket(const struct func_table *table, const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (uint8_t)*name;
	return &table->bucket[hash & table->bucket_mask];
}

/* Each bucket is a chain, ascending: the last one goes in first. */
static bool table_index_names(struct func_table *table)
{
	table->bucket_mask = 1;
	while (table->bucket_mask < table->nr)
		table->bucket_mask = 2 * table->bucket_mask + 1;
	table->bucket = calloc((size_t)table->bucket_mask + 1, sizeof(*table->bucket));
	table->next = calloc(table->nr + 1, sizeof(*table->next));
	if (!table->bucket || !table->next)
		return false;
	for (uint32_t i = (uint32_t)table->nr; i; i--) {
		uint32_t *bucket = name_bucket(table, table->func[i - 1].name);

		table->next[i - 1] = *bucket;
		*bucket = i;
	}
	return true;
}

bool func_find_name(const struct func_table *table, const char *name, size_t *func)
{
	uint32_t i = *func == FUNC_NONE ? *name_bucket(table, name) : table->next[*func];

	while (i && strcmp(table->func[i - 1].name, name))
		i = table->next[i - 1];
	*func = i - 1;
	return i;
}

/* ---- making the table ------------------------------------------------------- */

void func_table_destroy(struct func_table *table)
{
	if (!table)
		return;
	free(table->func);
	free(table->bucket);
	free(table->next);
	free(table);
}

static void clean_table(struct func_table **table)
{
	func_table_destroy(*table);
}

static int table_create(struct instr_file *file, struct func_table **ret,
			struct instr_err *err)
{
	CLEAN(free) struct symbol *symbol = NULL;
	CLEAN(free) struct frame *frame = NULL;
	size_t nr = 0, nr_frames = 0, nr_symbols;
	int code;

	code = symbols_read(file, &symbol, &nr, err);
	if (!code)
		code = plt_read(file, &symbol, &nr, err);
	if (code)
		return code;
	if (!symbols_sort(symbol, nr))
		return err_memory(err);
	code = frames_read(file, &frame, &nr_frames, err);
	if (code)
		return code;
	nr_symbols = nr;
	code = symbols_add_frames(file, frame, nr_frames, &symbol, &nr, err);
	if (code)
		return code;
	if (nr > nr_symbols && !symbols_sort(symbol, nr))
		return err_memory(err);

	CLEAN(table) struct func_table *table = calloc(1, sizeof(*table));

	if (!table)
		return err_memory(err);
	table->func = calloc(nr + 1, sizeof(*table->func));
	if (!table->func)
		return err_memory(err);
	table_fill(table, file, symbol, nr);
	table_settle_all(table, file, frame, nr_frames);
	if (!table_index_names(table))
		return err_memory(err);
	*ret = TAKE(table);
	return 0;
}

int func_table_get(struct instr_file *file, const struct func_table **ret,
		   struct instr_err *err)
{
	int code = file->funcs ? 0 : table_create(file, &file->funcs, err);

	*ret = file->funcs;
	return code;
}

uint64_t func_next_vaddr(const struct func_table *table, size_t func)
{
	do {
		func++;
	} while (func < table->nr && table->func[func].is_alias);
	return func < table->nr ? table->func[func].vaddr : UINT64_MAX;
}

bool func_find(const struct func_table *table, uint64_t vaddr, size_t *ret)
{
	size_t first = ARRAY_LOWER(table->func, table->nr, .vaddr, vaddr + 1);

	/* The last one that begins at or before it. */
	if (!first || vaddr - table->func[first - 1].vaddr >= table->func[first - 1].size)
		return false;
	for (first--; table->func[first].is_alias; first--)
		;
	*ret = first;
	return true;
}

int instr_file_funcs(struct instr_file *file, const struct instr_func **ret,
		     size_t *nr, struct instr_err *err)
{
	const struct func_table *table;
	int code = func_table_get(file, &table, err);

	if (code)
		return code;
	*ret = table->func;
	*nr = table->nr;
	return 0;
}
