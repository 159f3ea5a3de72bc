// SPDX-License-Identifier: GPL-2.0
#include "view.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE	4096UL
#define HLT	0xf4

extern void enter_exit(void);

/* What the stubs need to know where they lead. */
struct exit_page {
	void (*leave)(void);
	uint8_t exit;
};

static uint8_t *map_at(uint64_t address, size_t len)
{
	void *want = (void *)address;
	void *got = mmap(want, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);

	return got == want ? got : NULL;
}

/* ---- stubs ------------------------------------------------------------------ */

static uint8_t *put(uint8_t *to, const void *bytes, size_t len)
{
	return (uint8_t *)memcpy(to, bytes, len) + len;
}

#define PUT(to, literal) put((to), (literal), sizeof(literal) - 1)

/* A displacement to position @target, from the end of its instruction @tail bytes later. */
static uint8_t *put_relative(uint8_t *to, int64_t target, size_t tail, const uint8_t *stubs)
{
	int32_t value = (int32_t)(target - (SPACE_STUBS + (to - stubs) + 4 + (int64_t)tail));

	return put(to, &value, sizeof(value));
}

/* movb $exit,...; jmp *leave: all registers and flags are kept */
static void put_exit(uint8_t *stubs, uint8_t exit)
{
	uint8_t *to = stubs + exit * STUB_LEN;

	to = PUT(to, "\xc6\x05");
	to = put_relative(to, SPACE_EXIT + (int64_t)offsetof(struct exit_page, exit), 1, stubs);
	*to++ = exit;
	to = PUT(to, "\xff\x25");
	put_relative(to, SPACE_EXIT + (int64_t)offsetof(struct exit_page, leave), 0, stubs);
}

/* What a callee may do: write below its return address, change registers and flags. */
static void put_callee(uint8_t *stubs, unsigned int callee)
{
	uint8_t *to = stubs + (NR_EXITS + callee) * STUB_LEN;

	to = PUT(to, "\x48\xc7\x44\x24\xf8\x5a\x5a\x5a\x5a");	/* movq $0x5a5a5a5a,-8(%rsp) */
	switch (callee) {
	case 0:
		PUT(to, "\xc3");				/* ret */
		break;
	case 1:
		PUT(to, "\x48\x8d\x40\x01\xc3");		/* lea 1(%rax),%rax; ret */
		break;
	case 2:
		PUT(to, "\x48\x83\xea\x01\xc3");		/* sub $1,%rdx; ret */
		break;
	case 3:
		PUT(to, "\xc2\x08\0");				/* ret $8 */
		break;
	}
}

static bool map_stubs(uint64_t base)
{
	uint8_t *stubs = map_at(base + SPACE_STUBS, PAGE);
	struct exit_page *page = (struct exit_page *)map_at(base + SPACE_EXIT, PAGE);

	if (!stubs || !page)
		return false;
	page->leave = enter_exit;
	memset(stubs, HLT, PAGE);
	for (uint8_t i = 0; i < NR_EXITS; i++)
		put_exit(stubs, i);
	for (unsigned int i = 0; i < NR_CALLEES; i++)
		put_callee(stubs, i);
	return !mprotect(stubs, PAGE, PROT_READ | PROT_EXEC);
}

/* ---- text and slab ---------------------------------------------------------- */

/* Twice: where it can be written, and where it is executed. */
static bool map_text(struct view *view)
{
	const struct batch *batch = view->batch;
	size_t len = (batch->text_len + PAGE - 1) & -PAGE;
	void *want = (void *)(batch->base + SPACE_TEXT);

	view->text = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (view->text == MAP_FAILED || !map_at((uint64_t)want, len))
		return false;
	memcpy(view->text, batch->text, batch->text_len);
	if (mremap(view->text, 0, len, MREMAP_MAYMOVE | MREMAP_FIXED, want) != want)
		return false;
	return !mprotect(want, len, PROT_READ | PROT_EXEC);
}

static bool map_slab(struct view *view)
{
	const struct instr_plan *plan = view->batch->plan;
	uint64_t start = view->batch->base + (uint64_t)plan->slab_start;
	uint8_t *slab = map_at(start, plan->code_len + plan->data_len);
	uint8_t *annex = plan->annex_len ?
			 map_at(view->batch->base + (uint64_t)plan->annex_start, plan->annex_len) :
			 slab;

	if (!slab || !annex)
		return false;
	for (size_t i = 0; i < plan->nr_chunks; i++) {
		const struct instr_chunk *chunk = &plan->chunk[i];

		memcpy(chunk->offset < plan->code_len ? slab + chunk->offset :
							annex + (chunk->offset - plan->code_len),
		       chunk->bytes, chunk->len);
	}
	view->data = slab + plan->code_len;
	return !mprotect(slab, plan->code_len, PROT_READ | PROT_EXEC) &&
	       (!plan->annex_len || !mprotect(annex, plan->annex_len, PROT_READ | PROT_EXEC));
}

bool view_init(struct view *view, const struct batch *batch)
{
	*view = (struct view){ .batch = batch };
	return map_text(view) && map_slab(view) && map_stubs(batch->base) &&
	       map_at(batch->base + SPACE_MEMORY, ARENA_LEN) &&
	       map_at(batch->base + SPACE_STACK, ARENA_LEN);
}

void view_patch(struct view *view, size_t number, bool patched)
{
	const struct instr_plan_site *site = &view->batch->plan->site[number];

	memcpy(view->text + site->offset - SPACE_TEXT, patched ? site->new : site->old,
	       site->patch_len);
	view->patched = patched ? site : NULL;
}

void view_break(struct view *view, uint64_t position, bool set)
{
	uint64_t at = position - SPACE_TEXT;

	view->text[at] = set ? 0xcc : view->batch->text[at];
}

/* ---- counting --------------------------------------------------------------- */

unsigned int view_set_gate(struct view *view, unsigned int gate, uint64_t fs)
{
	struct instr_control *control = (struct instr_control *)view->data;

	memset(control, 0, sizeof(*control));
	switch (gate) {
	case 0:
		control->gate = INSTR_GATE_SOLO;
		return 1;
	case 1:
		control->gate = INSTR_GATE_MANY;
		return 1;
	case 2:
		/* Another thread's child; a place that is free again. */
		control->vfork[0] = fs + PAGE;
		control->vfork[1] = 1;
		control->gate = INSTR_GATE_VFORK;
		return 1;
	case 3:
		control->vfork[0] = 1;
		control->vfork[1] = fs;
		control->gate = INSTR_GATE_VFORK;
		return 0;
	default:
		control->gate = INSTR_GATE_SHUT;
		return 0;
	}
}

uint64_t view_count(const struct view *view, size_t site)
{
	const struct instr_plan *plan = view->batch->plan;

	return instr_plan_count(plan, &plan->site[site], view->data);
}

/* ---- traps ------------------------------------------------------------------ */

uint64_t view_lead(const struct view *view, uint64_t address)
{
	uint64_t offset = address - view->batch->base;
	const struct instr_trap *trap;

	if (!view->patched || offset - view->patched->offset >= view->patched->patch_len)
		return 0;
	trap = instr_plan_trap(view->batch->plan, offset);
	return trap ? view->batch->base + trap->target : 0;
}
