// SPDX-License-Identifier: GPL-2.0
/*
 * Plans of all functions of real files: whatever is in them, what must be true
 * of each site, block, trap and chunk is. Ends with a table of what became of
 * them: "plan table FILE..." prints it for other files, and nothing else.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "block.h"
#include "boundary.h"
#include "clean.h"
#include "file.h"
#include "insn.h"
#include "tap.h"

#define PAGE 4096

static struct instr_file *file;
static struct instr_plan *plan;
static const struct instr_func *funcs;

/* ---- making them ------------------------------------------------------------ */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double plan_all(struct instr_distance distance)
{
	const char *const all = "*";
	CLEAN(free) struct instr_place *place = NULL;
	struct instr_err err;
	double start;
	size_t nr;

	if (instr_places_match(file, &all, 1, &place, &nr, &err)) {
		printf("# %s\n", err.text);
		return 0;
	}
	start = now();
	if (instr_plan_create(file, place, nr, distance, &plan, &err))
		printf("# %s\n", err.text);
	return now() - start;
}

static bool open_file(const char *path)
{
	struct instr_err err;
	size_t nr;

	if (!instr_file_open(path, &file, &err) && !instr_file_funcs(file, &funcs, &nr, &err))
		return true;
	printf("# %s\n", err.text);
	return false;
}

static void close_file(void)
{
	instr_plan_destroy(plan);
	instr_file_close(file);
	plan = NULL;
	file = NULL;
}

/* ---- what must be true ------------------------------------------------------ */

static bool in_code(int64_t position, uint64_t len)
{
	uint64_t offset = (uint64_t)(position - plan->slab_start);
	uint64_t in_annex = (uint64_t)(position - plan->annex_start);

	return (offset <= plan->code_len && len <= plan->code_len - offset) ||
	       (in_annex <= plan->annex_len && len <= plan->annex_len - in_annex);
}

/* The bytes at @position; NULL: not all of them are in one chunk. */
static const uint8_t *code_at(int64_t position, uint64_t len)
{
	uint64_t offset = (uint64_t)(position - plan->slab_start);
	uint64_t in_annex = (uint64_t)(position - plan->annex_start);
	size_t first = 0, end = plan->nr_chunks;

	if (in_annex < plan->annex_len)
		offset = plan->code_len + in_annex;

	while (first + 1 < end) {
		size_t middle = first + (end - first) / 2;

		if (plan->chunk[middle].offset <= offset)
			first = middle;
		else
			end = middle;
	}

	const struct instr_chunk *chunk = &plan->chunk[first];

	if (offset < chunk->offset || offset + len > chunk->offset + chunk->len)
		return NULL;
	return chunk->bytes + (offset - chunk->offset);
}

static bool leads_to(uint64_t offset, int64_t target)
{
	const struct instr_trap *trap = instr_plan_trap(plan, offset);

	return trap && (int64_t)trap->target == target;
}

static bool byte_traps(uint8_t byte)
{
	struct insn insn;

	return byte == 0xcc || !insn_decode(&byte, 1, &insn);
}

static bool patch_leads_to_slot(const struct instr_plan_site *site)
{
	struct insn insn;

	if (site->how == INSTR_HOW_TRAP)
		return site->patch_len == 1 && site->new[0] == 0xcc &&
		       site->slot == site->block && leads_to(site->offset, site->slot);
	return insn_decode(site->new, site->patch_len, &insn) &&
	       insn.kind == (site->calls ? INSN_CALL : INSN_JMP) &&
	       insn.len == site->patch_len && site->patch_len <= INSTR_SITE_MAX &&
	       (int64_t)site->offset + insn.target == site->slot &&
	       site->offset % PAGE + site->patch_len <= PAGE;
}

/* With the first byte of the call that stays. */
static bool annex_jump_leads_to_slot(const struct instr_plan_site *site)
{
	uint8_t jump[5] = { [4] = 0xe8 };
	struct insn insn;

	memcpy(jump, site->new, 4);
	return site->patch_len == 4 && site->fragile && site->window_len == 4 && site->returns &&
	       file_text(file)[site->offset + 4 - file->text->p_offset] == 0xe8 &&
	       insn_decode(jump, 5, &insn) && insn.kind == INSN_JMP &&
	       (int64_t)site->offset + insn.target == site->slot &&
	       (uint64_t)(site->slot - plan->annex_start) < plan->annex_len;
}

static bool slot_leads_to_block(const struct instr_plan_site *site)
{
	const uint8_t *slot = code_at(site->slot, 5);
	struct insn insn;

	if (site->slot == site->block)
		return true;
	return slot && insn_decode(slot, 5, &insn) && insn.kind == INSN_JMP && insn.len == 5 &&
	       site->slot + insn.target == site->block;
}

static bool block_decodes(const struct instr_plan_site *site)
{
	const uint8_t *block = code_at(site->block, site->block_len);
	struct insn insn;
	size_t at;

	if (!block || block != instr_plan_block(plan, site))
		return false;
	for (at = 0; at < site->block_len; at += insn.len) {
		if (!insn_decode(block + at, site->block_len - at, &insn))
			return false;
	}
	return at == site->block_len;
}

/* Each instruction boundary in the patch traps, and is led to what was moved. */
static bool boundaries_are_led_on(const struct instr_plan_site *site)
{
	for (size_t i = 1; i < site->nr_moved; i++) {
		const struct instr_moved *moved = &site->moved[i];

		if (moved->old_at < site->patch_len &&
		    (!byte_traps(site->new[moved->old_at]) ||
		     !leads_to(site->offset + moved->old_at, site->block + moved->new_at)))
			return false;
	}
	return !site->fragile || leads_to(site->offset, site->slot);
}

static bool window_is_whole(const struct instr_plan_site *site)
{
	size_t at = 0;

	for (size_t i = 0; i < site->nr_moved; i++) {
		if (site->moved[i].old_at != at)
			return false;
		at += site->moved[i].old_len;
	}
	return at == site->window_len && at >= site->patch_len && at <= INSTR_WINDOW_MAX;
}

static bool counter_is_its_own(const struct instr_plan_site *site, uint64_t counter)
{
	int64_t data = plan->slab_start + (int64_t)plan->code_len;
	const uint8_t *block = instr_plan_block(plan, site);
	int64_t operand[2] = { -1, -1 };
	struct insn insn = { 0 };
	int nr = 0;

	for (size_t at = 0; at < site->displaced_at; at += insn.len) {
		if (!insn_decode(block + at, site->displaced_at - at, &insn))
			return false;
		if (insn.operand_at && nr < 2)
			operand[nr++] = site->block + (int64_t)at + insn.len + insn.operand;
	}
	/* It looks at the gate, then counts. */
	return site->counter == counter && counter + sizeof(uint64_t) <= plan->data_len &&
	       operand[0] == data && operand[1] == data + (int64_t)counter;
}

/* A slot and a block, by position. */
struct piece {
	int64_t start, end;
};

static int piece_compare(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static void pieces_do_not_overlap(void)
{
	CLEAN(free) struct piece *piece = calloc(3 * plan->nr + 1, sizeof(*piece));
	size_t nr = 0, bad = 0;

	piece[nr++] = (struct piece){ plan->slab_start,
				      plan->slab_start + (int64_t)sizeof(struct instr_descriptor) };
	for (size_t i = 0; i < plan->nr; i++) {
		const struct instr_plan_site *site = &plan->site[i];

		if (site->how == INSTR_HOW_REFUSED)
			continue;
		piece[nr++] = (struct piece){ site->block, site->block + site->block_len };
		piece[nr++] = (struct piece){ site->slow, site->slow + BLOCK_SLOW_MAX };
		if (site->slot != site->block)
			piece[nr++] = (struct piece){ site->slot, site->slot + 5 };
	}
	qsort(piece, nr, sizeof(*piece), piece_compare);
	for (size_t i = 1; i < nr; i++)
		bad += piece[i].start < piece[i - 1].end;
	for (size_t i = 0; i < nr; i++)
		bad += !in_code(piece[i].start, (uint64_t)(piece[i].end - piece[i].start));
	CHECK(!bad);
}

static void sites_are_sound(void)
{
	uint64_t counter = sizeof(struct instr_control);
	size_t bad = 0;

	for (size_t i = 0; i < plan->nr; i++) {
		const struct instr_plan_site *site = &plan->site[i];

		if (site->how == INSTR_HOW_REFUSED) {
			bad += site->reason < INSTR_REASON_SIGNAL_FRAME;
			continue;
		}
		bool good = CHECK(site->annex ? annex_jump_leads_to_slot(site) :
						patch_leads_to_slot(site)) &&
			    CHECK(slot_leads_to_block(site)) &&
			    CHECK(block_decodes(site)) && CHECK(boundaries_are_led_on(site)) &&
			    CHECK(window_is_whole(site)) && CHECK(counter_is_its_own(site, counter));

		if (!good) {
			printf("# %s %s\n", instr_file_path(file), funcs[site->place.func].name);
			bad++;
		}
		counter += 8;
	}
	CHECK(!bad);
}

static void kernel_can_take_it(void)
{
	size_t bad = 0;

	for (size_t i = 1; i < plan->nr_sites; i++)
		bad += plan->sites[i].offset < plan->sites[i - 1].offset + plan->sites[i - 1].len;
	for (size_t i = 1; i < plan->nr_traps; i++)
		bad += plan->traps[i].offset <= plan->traps[i - 1].offset;
	for (size_t i = 0; i < plan->nr_traps; i++)
		bad += !in_code((int64_t)plan->traps[i].target, 1);
	for (size_t i = 0; i < plan->nr_sites; i++)
		bad += !plan->sites[i].len || plan->sites[i].len > INSTR_SITE_MAX;
	CHECK(!bad);
	CHECK(plan->slab_start % PAGE == 0 && plan->code_len % PAGE == 0 &&
	      plan->data_len % PAGE == 0 && plan->data_len && plan->code_len);
	CHECK(plan->data_len >= 8 * plan->nr_sites);
}

static void chunks_are_sparse(void)
{
	size_t bad = 0;

	for (size_t i = 0; i < plan->nr_chunks; i++) {
		const struct instr_chunk *chunk = &plan->chunk[i];

		bad += !chunk->len || chunk->offset + chunk->len > plan->code_len + plan->annex_len;
		bad += chunk->offset < plan->code_len &&
		       chunk->offset + chunk->len > plan->code_len;
		bad += i && chunk->offset / PAGE <= (chunk[-1].offset + chunk[-1].len - 1) / PAGE;
	}
	CHECK(!bad);
}

/* The code's, or the annex's. */
static void descriptor_tells(int64_t start, uint64_t len, bool annex)
{
	const uint8_t *bytes = code_at(start, sizeof(struct instr_descriptor));
	struct instr_descriptor d;

	if (!CHECK(bytes))
		return;
	memcpy(&d, bytes, sizeof(d));
	CHECK(!memcmp(d.magic, "\x7finstr\0\1", 8));
	CHECK(d.start == start && d.length == len);
	CHECK(d.nr == plan->nr_sites && d.reference == sizeof(struct instr_control));
	for (size_t i = 0; i < plan->nr; i++) {
		const struct instr_plan_site *site = &plan->site[i];

		if (site->how == INSTR_HOW_JUMP && site->patch_len <= 5 && site->annex == annex)
			CHECK((int64_t)site->offset + d.distance == site->slot);
	}
}

static void descriptors_tell_the_slab(void)
{
	CHECK(plan->chunk[0].offset == 0);
	descriptor_tells(plan->slab_start, plan->code_len, false);
	if (plan->annex_len)
		descriptor_tells(plan->annex_start, plan->annex_len, true);
}

/* A file has calls behind 4 bytes; they are left alone where a distance has an annex. */
static void annex_has_its_sites(void)
{
	size_t nr = 0;

	for (size_t i = 0; i < plan->nr; i++)
		nr += plan->site[i].annex;
	CHECK(!nr == !plan->annex_len && (nr || !plan->distance.annex));
}

/* ---- files ------------------------------------------------------------------ */

static void plan_is_sound(const char *path)
{
	if (!CHECK(open_file(path)))
		return;
	for (const struct instr_distance *d = instr_distances(file); d->top; d++) {
		plan_all(*d);
		if (!CHECK(plan))
			break;
		sites_are_sound();
		pieces_do_not_overlap();
		kernel_can_take_it();
		chunks_are_sparse();
		descriptors_tell_the_slab();
		annex_has_its_sites();
		instr_plan_destroy(plan);
		plan = NULL;
	}
	close_file();
}

static void plan_of_libc_is_sound(void)
{
	plan_is_sound("/lib/x86_64-linux-gnu/libc.so.6");
}

static void plan_of_libstdcxx_is_sound(void)
{
	plan_is_sound("/usr/lib/x86_64-linux-gnu/libstdc++.so.6");
}

static void plan_of_bash_is_sound(void)
{
	plan_is_sound("/bin/bash");
}

static void plan_of_python_is_sound(void)
{
	plan_is_sound("/usr/bin/python3.11");
}

static void plan_of_static_program_is_sound(void)
{
	plan_is_sound("/sbin/ldconfig");
}

static void plan_of_compiler_is_sound(void)
{
	const char *path = "/usr/lib/gcc/x86_64-linux-gnu/12/cc1";

	if (access(path, R_OK))
		SKIP("no %s", path);
	else
		plan_is_sound(path);
}

static void create_fails(const struct instr_place *place, size_t nr, uint8_t top, int code)
{
	struct instr_distance distance = { .top = top };
	struct instr_err err = { 0 };

	CHECK(instr_plan_create(file, place, nr, distance, &plan, &err) == code);
	CHECK(err.code == code && err.text[0]);
	CHECK(!plan);
}

static void wrong_requests_are_refused(void)
{
	if (!CHECK(open_file("/lib/x86_64-linux-gnu/libc.so.6")))
		return;
	create_fails((struct instr_place[]){ { 3, 0 }, { 3, 0 } }, 2, 0xcc, -EINVAL);
	create_fails((struct instr_place[]){ { 5, 0 }, { 3, 0 } }, 2, 0xcc, -EINVAL);
	create_fails((struct instr_place[]){ { 3, 4 }, { 3, 0 } }, 2, 0xcc, -EINVAL);
	create_fails((struct instr_place[]){ { 3, 1 << 30 } }, 1, 0xcc, -EINVAL);
	create_fails((struct instr_place[]){ { (size_t)-1, 0 } }, 1, 0xcc, -EINVAL);
	create_fails((struct instr_place[]){ { 3, 0 } }, 1, 0x90, -EINVAL);
	create_fails((struct instr_place[]){ { 3, 0 } }, 1, 0, -EINVAL);
	create_fails(NULL, 0, 0xcc, -ENOSPC);
	close_file();
}

/* ---- places that are no entries ----------------------------------------------- */

#define NR_INSIDE 300

/* The instructions of a function, @max of them at most. */
static size_t all_of(size_t func, struct instr_place *place, size_t max)
{
	const uint8_t *code = file_bytes_at(file, funcs[func].vaddr, funcs[func].size);
	struct boundary at = { 0 };
	size_t nr = 0;

	for (uint64_t next = 0; nr < max && next < funcs[func].size; next = at.after) {
		if (boundary_find(code, funcs[func].size, next, &at))
			break;
		place[nr++] = (struct instr_place){ func, next };
	}
	return nr;
}

static bool plan_inside(struct instr_place *place, size_t *nr)
{
	CLEAN(free) struct instr_place *found = NULL;
	const char *const name = "qsort_r";
	struct instr_err err = { 0 };
	size_t nr_found;

	if (!open_file("/lib/x86_64-linux-gnu/libc.so.6") ||
	    instr_places_match(file, &name, 1, &found, &nr_found, &err))
		return false;
	*nr = all_of(found[0].func, place, NR_INSIDE);
	return *nr > 3 && !instr_plan_create(file, place, *nr, *instr_distances(file), &plan,
					     &err);
}

static bool cell_is_its_own(const struct instr_plan_site *site, uint32_t cell)
{
	int64_t at = plan->slab_start + (int64_t)plan->cells +
		     (cell - 1) * (int64_t)sizeof(struct instr_cell);
	const uint8_t *bytes = code_at(at, sizeof(struct instr_cell));
	const struct instr_cell *head = (const void *)bytes;

	return bytes && site->cell == cell && head->site == site->offset + 1 &&
	       site->block == at + 16 && site->slow == at + 256 - BLOCK_SLOW_MAX &&
	       site->block + site->block_len <= site->slow;
}

static void insides_have_cells(void)
{
	struct instr_place place[NR_INSIDE];
	uint64_t counter = 0;
	size_t nr;

	if (!CHECK(plan_inside(place, &nr)))
		return;
	CHECK(plan->nr_sites == nr && plan->nr_cells >= 2 * nr);
	for (size_t i = 0; i < nr; i++) {
		const struct instr_plan_site *site = &plan->site[i];

		CHECK(site->how == INSTR_HOW_TRAP && site->place.at == place[i].at);
		CHECK(site->reason == (i ? INSTR_REASON_INSIDE : INSTR_REASON_PROBE));
		CHECK(cell_is_its_own(site, (uint32_t)i + 1) && block_decodes(site));
		CHECK(leads_to(site->offset, site->block) && site->counter > counter);
		counter = site->counter;
	}
	kernel_can_take_it();
	CHECK(counter + 8 <= sizeof(struct instr_control) + plan->shard_len);
	close_file();
}

/* Of an earlier session the slab has the last place of this one, and others' cells. */
static void cells_of_others_are_left_alone(void)
{
	struct instr_place place[NR_INSIDE];
	struct instr_err err = { 0 };
	size_t nr;

	if (!CHECK(plan_inside(place, &nr)))
		return;

	CLEAN(free) struct instr_cell *cells = calloc(plan->nr_cells, sizeof(*cells));

	cells[0].site = 1;
	cells[2].site = plan->site[nr - 1].offset + 1;
	cells[3].site = 7;
	CHECK(!instr_plan_settle(plan, cells, &err));
	CHECK(cell_is_its_own(&plan->site[0], 2));
	CHECK(cell_is_its_own(&plan->site[1], 5));
	CHECK(cell_is_its_own(&plan->site[nr - 1], 3));
	CHECK(leads_to(plan->site[1].offset, plan->site[1].block));
	kernel_can_take_it();
	for (uint32_t i = 0; i < plan->nr_cells; i++)
		cells[i].site = 1;
	CHECK(instr_plan_settle(plan, cells, &err) == -ENOSPC && err.text[0]);
	close_file();
}

static void counts_are_sums_of_shards(void)
{
	struct instr_place place[NR_INSIDE];
	size_t nr;

	if (!CHECK(plan_inside(place, &nr)))
		return;

	CLEAN(free) uint8_t *data = calloc(plan->data_len, 1);

	for (uint64_t i = 0; i < plan->nr_shards; i++)
		*(uint64_t *)(data + plan->site[1].counter + i * plan->shard_len) = 10 + i;
	CHECK(plan->nr_shards >= 2);
	CHECK(instr_plan_count(plan, &plan->site[1], data) ==
	      10 * plan->nr_shards + plan->nr_shards * (plan->nr_shards - 1) / 2);
	CHECK(!instr_plan_count(plan, &plan->site[0], data));
	CHECK(!instr_plan_count(plan, &plan->site[2], data));
	close_file();
}

/* The second function begins behind a prefix of the first one's only instruction. */
__asm__(".pushsection .text\n"
	".type overlap_outer,@function\noverlap_outer:\n\tlock\n"
	".type overlap_inner,@function\noverlap_inner:\n\tcmpxchg %rcx,(%rdi)\n\tret\n"
	".size overlap_outer,.-overlap_outer\n.size overlap_inner,.-overlap_inner\n"
	"\t.fill 8, 1, 0x90\n"
	".popsection");

static void functions_may_overlap(void)
{
	const char *const glob = "overlap_*";
	CLEAN(free) struct instr_place *place = NULL;
	struct instr_err err = { 0 };
	size_t nr;

	if (!CHECK(open_file("/proc/self/exe")) ||
	    !CHECK(!instr_places_match(file, &glob, 1, &place, &nr, &err)) || !CHECK(nr == 2) ||
	    !CHECK(!instr_plan_create(file, place, nr, instr_distances(file)[0], &plan, &err)))
		return;
	CHECK(plan->site[0].how == INSTR_HOW_TRAP && plan->site[0].window_len == 5);
	CHECK(plan->site[0].reason == INSTR_REASON_NEIGHBOUR && !plan->site[0].cell);
	CHECK(plan->site[1].how == INSTR_HOW_JUMP && plan->nr_sites == 2);
	kernel_can_take_it();
	close_file();
}

/* What looks for breakpoints, and what sums its text up. */
#define FUNCTION(name) ".type " name ",@function\n" name ":\n"
#define FUNCTION_END(name) "\tret\n.size " name ",.-" name "\n"

__asm__(".pushsection .text\n"
	FUNCTION("self_looks")
	"\tcmpb $0xcc,self_seen(%rip)\n\tmovzbl self_seen_inside+3(%rip),%eax\n"
	"\tlea self_taken(%rip),%rax\n"
	FUNCTION_END("self_looks")
	FUNCTION("self_seen") "\tsub $8,%rsp\n\tmov %rdi,%rax\n" FUNCTION_END("self_seen")
	FUNCTION("self_between") "\tsub $8,%rsp\n\tmov %rdi,%rax\n\tmov %rdi,%rax\n"
	FUNCTION_END("self_between")
	FUNCTION("self_seen_inside") "\tsub $8,%rsp\n\tmov %rdi,%rax\n"
	FUNCTION_END("self_seen_inside")
	FUNCTION("self_taken") "\tsub $8,%rsp\n\tmov %rdi,%rax\n" FUNCTION_END("self_taken")
	"BORINGSSL_bcm_text_start:\n"
	FUNCTION("self_summed") "\tsub $8,%rsp\n\tmov %rdi,%rax\n" FUNCTION_END("self_summed")
	"BORINGSSL_bcm_text_end:\n"
	".popsection");

__asm__(".pushsection .text\n"
	FUNCTION("calls_behind") "\tsub $8,%rsp\n\tcall self_taken\n\tadd $8,%rsp\n"
	FUNCTION_END("calls_behind")
	".popsection");

/* The call's first byte is the last of the jump: it can't become int3. */
static void call_behind_may_be_probed_too(void)
{
	const char *const globs[] = { "calls_behind", "calls_behind+4" };
	CLEAN(free) struct instr_place *place = NULL;
	struct instr_err err = { 0 };
	size_t nr;

	for (size_t n = 1; n <= 2; n++) {
		if (!CHECK(open_file("/proc/self/exe")) ||
		    !CHECK(!instr_places_match(file, globs, n, &place, &nr, &err)) ||
		    !CHECK(!instr_plan_create(file, place, nr, instr_distances(file)[0], &plan,
					      &err)))
			return;
		CHECK(plan->nr == n && plan->site[0].annex && !plan->site[0].cell);
		CHECK(plan->site[0].how == (n == 1 ? INSTR_HOW_JUMP : INSTR_HOW_TRAP));
		CHECK(leads_to(plan->site[0].offset, plan->site[0].slot));
		CHECK(block_decodes(&plan->site[0]));
		CHECK(n == 1 || plan->site[1].how == INSTR_HOW_TRAP);
		kernel_can_take_it();
		close_file();
		clean_free(&place);
	}
	place = NULL;
}

static const struct instr_plan_site *site_called(const char *name)
{
	for (size_t i = 0; i < plan->nr; i++) {
		if (!strcmp(funcs[plan->site[i].place.func].name, name))
			return &plan->site[i];
	}
	return NULL;
}

static bool is_planned(const char *name, enum instr_how how, enum instr_reason reason)
{
	const struct instr_plan_site *site = site_called(name);

	return site && site->how == how && site->reason == reason;
}

static void text_that_is_read_is_left_alone(void)
{
	const char *const globs[] = { "self_*", "self_seen+4", "self_taken+4" };
	CLEAN(free) struct instr_place *place = NULL;
	struct instr_err err = { 0 };
	size_t nr;

	if (!CHECK(open_file("/proc/self/exe")) ||
	    !CHECK(!instr_places_match(file, globs, 3, &place, &nr, &err)) || !CHECK(nr == 8) ||
	    !CHECK(!instr_plan_create(file, place, nr, instr_distances(file)[0], &plan, &err)))
		return;
	CHECK(is_planned("self_looks", INSTR_HOW_JUMP, INSTR_REASON_NONE));
	CHECK(is_planned("self_seen", INSTR_HOW_REFUSED, INSTR_REASON_READ));
	CHECK(site_called("self_seen")[1].reason == INSTR_REASON_READ);
	CHECK(is_planned("self_between", INSTR_HOW_JUMP, INSTR_REASON_NONE));
	CHECK(is_planned("self_seen_inside", INSTR_HOW_TRAP, INSTR_REASON_READ));
	CHECK(site_called("self_taken")[1].how == INSTR_HOW_TRAP);
	CHECK(is_planned("self_summed", INSTR_HOW_REFUSED, INSTR_REASON_SUMMED));
	close_file();
}

/* ---- coverage: a table for people --------------------------------------------- */

static void print_refused(const struct instr_plan_site *site)
{
	if (site->how == INSTR_HOW_REFUSED)
		printf("#   refused: %s: %s\n", funcs[site->place.func].name,
		       instr_reason_text(site->reason));
}

static void print_table(const char *path)
{
	size_t how[3] = { 0 }, reason[INSTR_REASON_MAX] = { 0 };
	size_t fragile = 0, prefixed = 0, overflow = 0, dead = 0;
	double seconds;

	if (access(path, R_OK) || !open_file(path))
		return;
	seconds = plan_all(instr_distances(file)[0]);
	for (size_t i = 0; plan && i < plan->nr; i++) {
		const struct instr_plan_site *site = &plan->site[i];

		how[site->how]++;
		reason[site->reason]++;
		fragile += site->fragile;
		prefixed += site->patch_len > 5;
		overflow += site->how == INSTR_HOW_JUMP && site->slot != site->block;
		dead += site->how != INSTR_HOW_REFUSED && !site->flags_live;
	}
	if (plan) {
		printf("# %s, distance %02x\n#   %zu functions: %zu jump (%.2f %%), %zu trap, %zu refused\n",
		       path, plan->distance.top, plan->nr, how[INSTR_HOW_JUMP],
		       100.0 * (double)how[INSTR_HOW_JUMP] / (double)plan->nr,
		       how[INSTR_HOW_TRAP], how[INSTR_HOW_REFUSED]);
		printf("#   fragile %zu, prefixed %zu, overflowed %zu, flags dead %zu, traps %zu\n",
		       fragile, prefixed, overflow, dead, plan->nr_traps);
		for (size_t i = 1; i < INSTR_REASON_MAX; i++) {
			if (reason[i])
				printf("#   %6zu %s\n", reason[i], instr_reason_text(i));
		}
		for (size_t i = 0; i < plan->nr; i++)
			print_refused(&plan->site[i]);
		printf("#   planned in %.3f s: %.0f functions/s\n", seconds,
		       (double)plan->nr / seconds);
	}
	close_file();
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 2 && !strcmp(argv[1], "coverage")) {
		for (int i = 2; i < argc; i++)
			print_table(argv[i]);
		return 0;
	}
	RUN(plan_of_libc_is_sound);
	RUN(plan_of_libstdcxx_is_sound);
	RUN(plan_of_bash_is_sound);
	RUN(plan_of_python_is_sound);
	RUN(plan_of_static_program_is_sound);
	RUN(plan_of_compiler_is_sound);
	RUN(wrong_requests_are_refused);
	RUN(insides_have_cells);
	RUN(cells_of_others_are_left_alone);
	RUN(counts_are_sums_of_shards);
	RUN(functions_may_overlap);
	RUN(text_that_is_read_is_left_alone);
	RUN(call_behind_may_be_probed_too);
	return tap_done();
}
