// SPDX-License-Identifier: GPL-2.0
/*
 * Symbols of slabs.
 *
 * Where functions are timed a cell says whose it is, and how to unwind out of it. Where only
 * calls are counted there is neither: a function's slot lies at one distance from it, and
 * what its code jumps to in the slab is its, too.
 *
 * Descriptions are taken only of what they belong to: a cell's of its code, those of the
 * unwind part of what they are known to be about. So whatever the process wrote, nothing
 * outside of slabs is described.
 */

#include "symbols.h"

#include <dwarf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "array.h"
#include "clean.h"
#include "err.h"
#include "insn.h"
#include "rules.h"
#include "slab.h"
#include "table.h"
#include "unwinding.h"

#define PAGE 4096ULL
#define CELL_LEN sizeof(struct instr_cell)
#define CELL_CODE offsetof(struct instr_cell, code)
#define CELL_POINTER (1ULL << 63)

#define NAME_LEN 1024		/* longer ones are cut */
#define POOL_MAX (256ULL << 20)	/* bytes of names, and of rules */
#define CIES_MAX 64
#define PREFIXES_MAX 3
#define JUMP_LEN 5

/* A slab, as far as it was read. */
struct view {
	struct instr_symbols *symbols;
	const struct symbols_slab *slab;
	struct instr_descriptor descriptor;
	uint8_t *bytes;
	uint8_t *state;		/* of each page */
	const struct instr_func *func;
	size_t nr_funcs;
	struct instr_err *err;
};

enum { PAGE_NEW, PAGE_READ, PAGE_MISSING };

/* ---- bytes -------------------------------------------------------------------- */

static bool view_page(struct view *view, uint64_t page)
{
	uint8_t *to = view->bytes + page * PAGE;

	if (view->state[page] == PAGE_NEW) {
		bool good = view->slab->read(view->slab->arg, view->slab->start + page * PAGE,
					     to, PAGE);

		view->state[page] = good ? PAGE_READ : PAGE_MISSING;
	}
	return view->state[page] == PAGE_READ;
}

/* NULL: not all of these bytes are in the slab, or can be read. */
static const uint8_t *view_bytes(struct view *view, uint64_t at, uint64_t len)
{
	if (!len || at >= view->slab->len || len > view->slab->len - at)
		return NULL;
	for (uint64_t page = at / PAGE; page <= (at + len - 1) / PAGE; page++) {
		if (!view_page(view, page))
			return NULL;
	}
	return view->bytes + at;
}

static bool view_copy(struct view *view, uint64_t at, void *to, uint64_t len)
{
	const uint8_t *bytes = view_bytes(view, at, len);

	if (bytes)
		memcpy(to, bytes, len);
	return bytes;
}

/* ---- names -------------------------------------------------------------------- */

/* Appends @len bytes, and room for a NUL. */
static int pool_add(void **pool, size_t *pool_len, const void *bytes, size_t len,
		    struct instr_err *err)
{
	size_t room = 4096;
	uint8_t *grown;

	if (len >= POOL_MAX - *pool_len)
		return instr_fail(err, -E2BIG, "too much code is in the slabs");
	while (room <= *pool_len + len)
		room *= 2;
	grown = realloc(*pool, room);
	if (!grown)
		return err_memory(err);
	memcpy(grown + *pool_len, bytes, len);
	grown[*pool_len + len] = '\0';
	*pool = grown;
	*pool_len += len;
	return 0;
}

static int text_add(struct instr_symbols *symbols, const char *text, uint32_t *ret,
		    struct instr_err *err)
{
	void *pool = symbols->text;
	int code;

	*ret = (uint32_t)symbols->text_len;
	code = pool_add(&pool, &symbols->text_len, text, strlen(text) + 1, err);
	symbols->text = pool;
	return code;
}

/* Of [@at, @at + @len) in the slab. @bare: nothing says how to unwind there. */
static int add_name(struct view *view, uint64_t at, uint64_t len, const char *text, bool bare)
{
	struct instr_symbols *symbols = view->symbols;
	struct symbols_name name = {
		.range = { view->slab->start + at, len },
		.slab = symbols->nr_slabs - 1,
	};
	int code = text_add(symbols, text, &name.name, view->err);

	if (code)
		return code;
	if (!ARRAY_PUSH(symbols->name, symbols->nr_names, name))
		return err_memory(view->err);
	symbols->nr_bare += bare;
	return 0;
}

/* The function that has @vaddr, by its best name; NULL: none has. */
static const struct instr_func *find_func(const struct view *view, uint64_t vaddr)
{
	const struct instr_func *func = view->func;
	size_t i = vaddr < UINT64_MAX ? ARRAY_LOWER(func, view->nr_funcs, .vaddr, vaddr + 1) : 0;

	if (!i || vaddr - func[i - 1].vaddr >= func[i - 1].size)
		return NULL;
	for (i--; i && func[i - 1].vaddr == func[i].vaddr; i--)
		;
	return &func[i];
}

/* What the code is called that stands for what is at @offset of the file. */
static const char *site_name(const struct view *view, uint64_t offset, char text[NAME_LEN])
{
	uint64_t vaddr = view->slab->file ? instr_file_text_vaddr(view->slab->file, offset) :
					    offset;
	const struct instr_func *func = find_func(view, vaddr);
	size_t max = NAME_LEN - 64;

	if (!func)
		snprintf(text, NAME_LEN, "0x%" PRIx64 SYMBOLS_SUFFIX, vaddr);
	else if (func->vaddr == vaddr)
		snprintf(text, NAME_LEN, "%.*s" SYMBOLS_SUFFIX, (int)max, func->name);
	else
		snprintf(text, NAME_LEN, "%.*s+0x%" PRIx64 SYMBOLS_SUFFIX, (int)max, func->name,
			 vaddr - func->vaddr);
	instr_text_clean(text);
	return text;
}

/* ---- descriptions --------------------------------------------------------------- */

struct entry {
	uint32_t id;		/* 0: a CIE; of an FDE: how far its CIE is before this */
	uint64_t id_at;
	const uint8_t *body;	/* behind the id */
	uint64_t body_at, len;
};

/* What begins at @at of the slab, and ends before @end. */
static bool read_entry(struct view *view, uint64_t at, uint64_t end, struct entry *entry)
{
	uint32_t len;

	if (at >= end || !view_copy(view, at, &len, sizeof(len)) || len <= sizeof(entry->id) ||
	    len > end - at - sizeof(len))
		return false;
	*entry = (struct entry){
		.id_at = at + sizeof(len),
		.body_at = at + sizeof(len) + sizeof(entry->id),
		.len = len - sizeof(entry->id),
	};
	entry->body = view_bytes(view, entry->body_at, entry->len);
	return entry->body && view_copy(view, entry->id_at, &entry->id, sizeof(entry->id));
}

/* As unwinding.c writes them. */
static bool parse_cie(struct view *view, uint64_t at, struct symbols_cie *cie,
		      const uint8_t **rules)
{
	static const char augmented[] = "\1zR\0\1";
	uint64_t part = view->descriptor.unwind;
	size_t head = sizeof(augmented) - 1;
	struct entry entry;

	if (at < part || !read_entry(view, at, part + UNWIND_LEN, &entry) || entry.id ||
	    entry.len < head + 4 || memcmp(entry.body, augmented, head))
		return false;
	cie->data_align = entry.body[head++];
	if (!cie->data_align || cie->data_align >= 0x80 || entry.body[head++] != 16 ||
	    entry.body[head++] != 1 ||
	    entry.body[head++] != (DW_EH_PE_pcrel | DW_EH_PE_sdata4))
		return false;
	*rules = entry.body + head;
	cie->rules_len = entry.len - head;
	return rules_are_sane(*rules, cie->rules_len);
}

static bool cie_equal(const struct instr_symbols *symbols, const struct symbols_cie *a,
		      const struct symbols_cie *b, const uint8_t *rules)
{
	return a->data_align == b->data_align && a->rules_len == b->rules_len &&
	       !memcmp(symbols->rules + a->rules, rules, b->rules_len);
}

static int rules_add(struct instr_symbols *symbols, const uint8_t *rules, size_t len,
		     size_t *ret, struct instr_err *err)
{
	void *pool = symbols->rules;
	int code;

	*ret = symbols->rules_len;
	code = pool_add(&pool, &symbols->rules_len, rules, len, err);
	symbols->rules = pool;
	return code;
}

/* -EINVAL: it makes no sense. All slabs have the same few. */
static int find_cie(struct view *view, uint64_t at, uint32_t *ret)
{
	struct instr_symbols *symbols = view->symbols;
	struct symbols_cie cie = { 0 };
	const uint8_t *rules;
	int code;

	if (!parse_cie(view, at, &cie, &rules))
		return -EINVAL;
	for (*ret = 0; *ret < symbols->nr_cies; ++*ret) {
		if (cie_equal(symbols, &symbols->cie[*ret], &cie, rules))
			return 0;
	}
	if (*ret == CIES_MAX)
		return -EINVAL;
	code = rules_add(symbols, rules, cie.rules_len, &cie.rules, view->err);
	if (code)
		return code;
	return ARRAY_PUSH(symbols->cie, symbols->nr_cies, cie) ? 0 : err_memory(view->err);
}

/* Where a description is, [at, end), and what it may be of; offsets in the slab. */
struct place {
	uint64_t at, end;
	uint64_t first, limit;
};

#define FDE_HEAD 9	/* start, length, and nothing more */

static int parse_fde(struct view *view, const struct place *place, struct symbols_fde *fde,
		     const uint8_t **rules)
{
	struct entry entry;
	uint64_t start;
	int32_t to_start;
	uint32_t len;

	if (!read_entry(view, place->at, place->end, &entry) || entry.len < FDE_HEAD ||
	    !entry.id || entry.id > entry.id_at || entry.body[FDE_HEAD - 1])
		return -EINVAL;
	memcpy(&to_start, entry.body, sizeof(to_start));
	memcpy(&len, entry.body + sizeof(to_start), sizeof(len));
	start = entry.body_at + (uint64_t)(int64_t)to_start;
	if (start < place->first || start >= place->limit || !len ||
	    len > place->limit - start)
		return -EINVAL;
	fde->range = (struct symbols_range){ view->slab->start + start, len };
	*rules = entry.body + FDE_HEAD;
	fde->rules_len = entry.len - FDE_HEAD;
	if (!rules_are_sane(*rules, fde->rules_len))
		return -EINVAL;
	return find_cie(view, entry.id_at - entry.id, &fde->cie);
}

/* *@ret: what is described, in the slab; its length is 0 where that makes no sense. */
static int add_fde(struct view *view, const struct place *place, struct symbols_range *ret)
{
	struct instr_symbols *symbols = view->symbols;
	struct symbols_fde fde = { 0 };
	const uint8_t *rules;
	int code = parse_fde(view, place, &fde, &rules);

	*ret = (struct symbols_range){ 0 };
	if (code == -EINVAL) {
		symbols->nr_broken++;
		return 0;
	}
	if (!code)
		code = rules_add(symbols, rules, fde.rules_len, &fde.rules, view->err);
	if (code)
		return code;
	if (!ARRAY_PUSH(symbols->fde, symbols->nr_fdes, fde))
		return err_memory(view->err);
	*ret = (struct symbols_range){ fde.range.start - view->slab->start, fde.range.len };
	return 0;
}

/* ---- the unwind part -------------------------------------------------------------- */

/*
 * Of what it has a description. To add one: a line, with where in the head it is, and what
 * it may be of: [0, unwind part), or [unwind part, cells).
 */
static const struct common {
	size_t at;		/* in struct unwind_head */
	bool is_behind;
	const char *name;	/* NULL: there are better ones for each part of it */
} commons[] = {
	{ offsetof(struct unwind_head, common), false, NULL },
	{ offsetof(struct unwind_head, slots), false, NULL },
	{ offsetof(struct unwind_head, own), true, "unwind" SYMBOLS_SUFFIX },
	{ offsetof(struct unwind_head, returns), true, "return" SYMBOLS_SUFFIX },
};

#define NR_COMMONS (sizeof(commons) / sizeof(commons[0]))

static int add_common(struct view *view, const struct unwind_head *head,
		      const struct common *common)
{
	uint64_t part = view->descriptor.unwind;
	struct place place = {
		.end = part + UNWIND_LEN,
		.first = common->is_behind ? part : 0,
		.limit = common->is_behind ? head->cells : part,
	};
	struct symbols_range range;
	uint32_t at;
	int code;

	memcpy(&at, (const uint8_t *)head + common->at, sizeof(at));
	place.at = part + at;
	code = add_fde(view, &place, &range);
	if (code || !range.len || !common->name)
		return code;
	return add_name(view, range.start, range.len, common->name, false);
}

static int add_first_page(struct view *view, bool timed)
{
	int code = add_name(view, SLAB_GATE_AT, SLAB_TIMING_AT - SLAB_GATE_AT,
			    "gate" SYMBOLS_SUFFIX, !timed);

	if (code || !timed)
		return code;
	return add_name(view, SLAB_TIMING_AT, PAGE - SLAB_TIMING_AT, "timing" SYMBOLS_SUFFIX,
			false);
}

static bool head_read(struct view *view, struct unwind_head *head)
{
	uint64_t part = view->descriptor.unwind, len = view->slab->len;

	return part >= PAGE && part < len && UNWIND_LEN <= len - part && !(part % PAGE) &&
	       view_copy(view, part, head, sizeof(*head)) &&
	       head->cells >= part + UNWIND_LEN && head->cells <= len &&
	       head->cells_len <= len - head->cells && !(head->cells % CELL_LEN);
}

/* ---- cells ------------------------------------------------------------------------ */

/* The slot of what is at @offset, if it leads to @code; @distance is a lie at worst. */
static int add_slot(struct view *view, uint64_t offset, uint64_t code, const char *text)
{
	uint64_t slot = offset + (uint64_t)view->descriptor.distance -
			(uint64_t)view->descriptor.start;

	for (unsigned int prefix = 0; prefix <= PREFIXES_MAX; prefix++, slot++) {
		const uint8_t *bytes = view_bytes(view, slot, JUMP_LEN);
		int32_t to;

		if (!bytes || bytes[0] != 0xe9)
			continue;
		memcpy(&to, bytes + 1, sizeof(to));
		if (slot + JUMP_LEN + (uint64_t)(int64_t)to == code)
			return add_name(view, slot, JUMP_LEN, text, false);
	}
	return 0;
}

/* The cell leads to where it says that it belongs. */
static bool cell_agrees(const struct view *view, const struct instr_cell *cell, uint64_t at,
			uint64_t offset)
{
	uint64_t position = (uint64_t)view->descriptor.start + at +
			    offsetof(struct instr_cell, site_at) +
			    (uint64_t)(int64_t)cell->site_at;

	return position == offset;
}

static int add_cell(struct view *view, uint64_t at)
{
	uint64_t offset, end = at + CELL_LEN;
	struct symbols_range range = { 0 };
	struct instr_cell cell;
	char text[NAME_LEN];
	int code = 0;

	if (!view_copy(view, at, &cell, sizeof(cell)) || !cell.site)
		return 0;
	offset = (cell.site & ~CELL_POINTER) - 1;
	if (!cell_agrees(view, &cell, at, offset)) {
		view->symbols->nr_broken++;
		return 0;
	}
	if (cell.unwind) {
		struct place place = {
			/* It begins one byte before the code. */
			at + cell.unwind, at + CELL_LEN, at + CELL_CODE - 1, at + CELL_LEN,
		};

		code = add_fde(view, &place, &range);
	}
	if (range.len > 1)
		end = range.start + range.len;
	if (!code)
		code = add_name(view, at + CELL_CODE, end - (at + CELL_CODE),
				site_name(view, offset, text), !range.len);
	if (!code && !(cell.site & CELL_POINTER))
		code = add_slot(view, offset, at + CELL_CODE, text);
	return code;
}

static int add_timed(struct view *view, const struct unwind_head *head)
{
	int code = add_first_page(view, true);

	for (size_t i = 0; i < NR_COMMONS && !code; i++)
		code = add_common(view, head, &commons[i]);
	for (uint64_t at = 0; at + CELL_LEN <= head->cells_len && !code; at += CELL_LEN)
		code = add_cell(view, head->cells + at);
	return code;
}

/* ---- slots that count ------------------------------------------------------------- */

#define PIECES_MAX 4
#define TARGETS_MAX 8

/* The code of one site: its slot, and what that leads to. */
struct pieces {
	size_t nr;
	struct symbols_range piece[PIECES_MAX];
};

static void pieces_add(const struct view *view, struct pieces *pieces, uint64_t at)
{
	if (at < PAGE || at >= view->slab->len || pieces->nr == PIECES_MAX)
		return;
	for (size_t i = 0; i < pieces->nr; i++) {
		const struct symbols_range *known = &pieces->piece[i];

		if (at == known->start || at - known->start < known->len)
			return;
	}
	pieces->piece[pieces->nr++] = (struct symbols_range){ at, 0 };
}

/* Instructions from where @piece begins to the jump that ends it. */
static void piece_walk(struct view *view, struct pieces *pieces, size_t piece)
{
	struct symbols_range *range = &pieces->piece[piece];
	uint64_t target[TARGETS_MAX];
	size_t nr = 0;
	struct insn insn;

	do {
		uint64_t at = range->start + range->len, room = view->slab->len - at;
		const uint8_t *bytes;

		room = room < INSN_LEN_MAX ? room : INSN_LEN_MAX;
		bytes = view_bytes(view, at, room);
		/* Where nothing was written there are zeros, which are an instruction, too. */
		if (!bytes || !bytes[0] || !insn_decode(bytes, room, &insn))
			break;
		if ((insn.kind == INSN_JMP || insn.kind == INSN_JCC) && nr < TARGETS_MAX)
			target[nr++] = at + (uint64_t)insn.target;
		range->len += insn.len;
	} while (!insn_is_terminal(&insn) && range->len < INSTR_BLOCK_MAX);
	for (size_t i = 0; i < nr; i++)
		pieces_add(view, pieces, target[i]);
}

/* @end: of the last slot; what is before that is the code of another site. */
static int add_counted_at(struct view *view, uint64_t slot, uint64_t offset, uint64_t *end)
{
	struct pieces pieces = { 0 };
	char text[NAME_LEN];
	int code = 0;

	if (slot < *end)
		return 0;
	pieces_add(view, &pieces, slot);
	for (size_t i = 0; i < pieces.nr; i++)
		piece_walk(view, &pieces, i);
	if (!pieces.nr || !pieces.piece[0].len)
		return 0;
	site_name(view, offset, text);
	for (size_t i = 0; i < pieces.nr && !code; i++) {
		if (pieces.piece[i].len)
			code = add_name(view, pieces.piece[i].start, pieces.piece[i].len, text,
					true);
	}
	*end = slot + pieces.piece[0].len;
	return code;
}

static int add_counted(struct view *view)
{
	uint64_t end = PAGE;
	int code = add_first_page(view, false);

	for (size_t i = 0; i < view->nr_funcs && !code; i++) {
		uint64_t offset = view->func[i].offset;
		uint64_t slot = offset + (uint64_t)view->descriptor.distance -
				(uint64_t)view->descriptor.start;

		for (int prefix = 0; prefix <= PREFIXES_MAX && !code; prefix++)
			code = add_counted_at(view, slot + prefix, offset, &end);
	}
	return code;
}

/* ---- slabs ------------------------------------------------------------------------ */

static int read_descriptor(const struct symbols_slab *slab, struct instr_descriptor *ret,
			   struct instr_err *err)
{
	static const uint8_t magic[8] = "\x7finstr\0\1";

	if (slab->len < PAGE || slab->len > INSTR_CODE_MAX || slab->len % PAGE ||
	    slab->start % PAGE || slab->start > -slab->len ||
	    !slab->read(slab->arg, slab->start, ret, sizeof(*ret)) ||
	    memcmp(ret->magic, magic, sizeof(magic)) ||
	    (uint64_t)ret->start % PAGE)
		return instr_fail(err, -EINVAL, "0x%" PRIx64 ": no slab is there", slab->start);
	return 0;
}

int symbols_base(const struct symbols_slab *slab, uint64_t *ret, struct instr_err *err)
{
	struct instr_descriptor descriptor;
	int code = read_descriptor(slab, &descriptor, err);

	if (!code)
		*ret = slab->start - (uint64_t)descriptor.start;
	return code;
}

static int view_init(struct view *view, struct instr_err *err)
{
	const struct symbols_slab *slab = view->slab;
	int code = read_descriptor(slab, &view->descriptor, err);

	/* A file without functions has no names to give. */
	if (!code && slab->file &&
	    instr_file_funcs(slab->file, &view->func, &view->nr_funcs, NULL))
		view->nr_funcs = 0;
	if (code)
		return code;
	view->bytes = calloc(slab->len, 1);
	view->state = calloc(slab->len / PAGE, 1);
	return view->bytes && view->state ? 0 : err_memory(err);
}

static int add_slab(struct view *view)
{
	struct instr_symbols *symbols = view->symbols;
	struct symbols_range range = { view->slab->start, view->slab->len };
	struct unwind_head head;
	uint32_t empty;
	int code = symbols->text_len ? 0 : text_add(symbols, "", &empty, view->err);

	if (code)
		return code;
	if (!ARRAY_PUSH(symbols->slab, symbols->nr_slabs, range))
		return err_memory(view->err);
	return head_read(view, &head) ? add_timed(view, &head) : add_counted(view);
}

int symbols_add(struct instr_symbols *symbols, const struct symbols_slab *slab,
		struct instr_err *err)
{
	struct view view = { .symbols = symbols, .slab = slab, .err = err };
	int code = view_init(&view, err);

	if (!code)
		code = add_slab(&view);
	free(view.bytes);
	free(view.state);
	return code;
}

void symbols_exit(struct instr_symbols *symbols)
{
	free(symbols->slab);
	free(symbols->name);
	free(symbols->cie);
	free(symbols->fde);
	free(symbols->text);
	free(symbols->rules);
	*symbols = (struct instr_symbols){ 0 };
}
