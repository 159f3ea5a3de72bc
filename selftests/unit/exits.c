// SPDX-License-Identifier: GPL-2.0
/*
 * Exits: which instructions leave a function, and when that can't be told. Functions
 * are those of exits_asm.S, which are in this program, and of exits_code.c.
 */

#include "exits.h"

#include <elf.h>
#include <gnu/libc-version.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clean.h"
#include "insn.h"
#include "scratch.h"
#include "tap.h"

static struct instr_file *file;
static struct exits_text text;
static struct instr_err err;

static bool open_file(const char *path)
{
	if (!CHECK(!instr_file_open(path, &file, &err)))
		return false;
	if (CHECK(!exits_text_init(&text, file, &err)))
		return true;
	instr_file_close(file);
	return false;
}

static void close_file(void)
{
	exits_text_exit(&text);
	instr_file_close(file);
}

/* Lies in this program; looked at, never called. */
static enum exits_reason find_named(const char *name, struct exits *exits)
{
	size_t func = FUNC_NONE;

	if (func_find_name(text.funcs, name, &func))
		return exits_find(&text, func, exits);
	printf("# there is no %s\n", name);
	*exits = (struct exits){ 0 };
	return EXITS_REASONS;
}

/* A letter for each exit, in order. */
static const char *kinds_of(const struct exits *exits)
{
	static char kinds[256];
	size_t nr = exits->nr < sizeof(kinds) ? exits->nr : sizeof(kinds) - 1;

	for (size_t i = 0; i < nr; i++)
		kinds[i] = "rjib"[exits->exit[i].kind];
	kinds[nr] = '\0';
	return kinds;
}

/* Is what each exit says of itself what is there? */
static bool exits_are_sound(const struct exits *exits)
{
	static const uint8_t insn_kind[EXIT_KINDS] = {
		INSN_RET, INSN_JMP, INSN_JMP_INDIRECT, INSN_JCC,
	};

	for (size_t i = 0; i < exits->nr; i++) {
		const struct exit *exit = &exits->exit[i];
		const struct exits_part *part = &exits->part[exit->part];
		uint64_t at = exit->vaddr - part->start;
		struct insn insn;

		if (!exits_is_boundary(part, exit->vaddr) ||
		    !insn_decode(part->code + at, part->size - at, &insn) ||
		    insn.len != exit->len || insn.kind != insn_kind[exit->kind] ||
		    (i && exits->exit[i - 1].vaddr >= exit->vaddr))
			return false;
	}
	return true;
}

static bool leaves(const char *name, const char *kinds)
{
	struct exits exits;
	enum exits_reason reason = find_named(name, &exits);
	bool good = !reason && !strcmp(kinds_of(&exits), kinds) && exits_are_sound(&exits);

	if (!good)
		printf("# %s: \"%s\" %s\n", name, kinds_of(&exits), exits_reason_text(reason));
	exits_exit(&exits);
	return good;
}

static bool refused(const char *name, enum exits_reason expected)
{
	struct exits exits;
	enum exits_reason reason = find_named(name, &exits);
	bool good = reason == expected && !exits.nr && !exits.nr_parts;

	if (!good)
		printf("# %s: \"%s\" %s\n", name, kinds_of(&exits), exits_reason_text(reason));
	exits_exit(&exits);
	return good;
}

/* ---- hand-made functions ------------------------------------------------------ */

static void returns_are_exits(void)
{
	CHECK(leaves("x_plain", "r"));
	CHECK(leaves("x_returns", "rrr"));
	CHECK(leaves("x_return_bare", "r"));
	CHECK(refused("x_return_far", EXITS_FAR));
	CHECK(refused("x_return_interrupt", EXITS_FAR));
	CHECK(refused("x_return_pushed", EXITS_STACK));
	CHECK(refused("x_return_pushed_bare", EXITS_STACK));
	CHECK(refused("x_return_stored_bare", EXITS_STACK));
	CHECK(refused("x_retpoline", EXITS_CALL));
}

static void stacks_are_not_changed(void)
{
	CHECK(refused("x_stack_loaded", EXITS_STACK));
	CHECK(refused("x_stack_popped", EXITS_STACK));
	CHECK(refused("x_stack_exchanged", EXITS_STACK));
	CHECK(leaves("x_stack_restored", "r"));
}

static void direct_jumps_are_tail_calls_or_not(void)
{
	CHECK(leaves("x_jump", "j"));
	CHECK(leaves("x_branch", "br"));
	CHECK(refused("x_jump_framed", EXITS_STACK));
	CHECK(leaves("x_jump_unframed", "j"));
	CHECK(refused("x_jump_framed_bare", EXITS_STACK));
	CHECK(refused("x_jump_pushed_bare", EXITS_STACK));
	CHECK(leaves("x_jump_unframed_bare", "j"));
	CHECK(refused("x_jump_middle", EXITS_MIDDLE));
	CHECK(refused("x_jump_nowhere", EXITS_NOWHERE));
	CHECK(leaves("x_jump_stub", "j"));
	CHECK(leaves("x_loop_to_entry", "br"));
	CHECK(refused("x_loop_out", EXITS_FAR));
}

static void cold_code_is_a_part(void)
{
	struct exits exits;

	CHECK(leaves("x_parted", "rr"));
	CHECK(refused("x_parted.cold", EXITS_NOT_CALLED));
	CHECK(leaves("x_parted_unframed", "rr"));
	CHECK(refused("x_parted_unframed.cold", EXITS_NOT_CALLED));
	CHECK(leaves("x_parted_by_table", "rr"));
	CHECK(!find_named("x_parted", &exits));
	if (CHECK(exits.nr_parts == 2)) {
		/* "1:", which the cold part branches to. */
		CHECK(exits_is_target(&exits.part[0], exits.part[0].start + 9));
		CHECK(!exits_is_target(&exits.part[0], exits.part[0].start + 3));
		CHECK(exits_is_target(&exits.part[1], exits.part[1].start));
	}
	exits_exit(&exits);
}

extern const uint64_t x_nameless[3];	/* and x_plain */
extern const uint8_t __executable_start[];

static int compare_places(const void *a, const void *b)
{
	const struct instr_place *x = a, *y = b;

	return (x->func > y->func) - (x->func < y->func);
}

/* How the two are timed, beside another. */
static bool nameless_are(enum instr_way way, bool by_slot, enum instr_reason reason)
{
	struct instr_place place[3] = { { 0 } };
	struct instr_plan *plan;
	size_t nr = 0;

	for (size_t i = 0; i < 3; i++)
		func_find(text.funcs, x_nameless[i] - (uint64_t)__executable_start,
			  &place[i].func);
	qsort(place, 3, sizeof(*place), compare_places);
	if (instr_plan_exits(file, INSTR_TIMES, way, place, 3, *instr_distances(file), &plan,
			     &err))
		return false;
	for (size_t i = 0; i < 3; i++) {
		const struct instr_plan_site *site = instr_plan_place(plan, i);

		if (text.funcs->func[place[i].func].vaddr + (uint64_t)__executable_start !=
		    x_nameless[2])
			nr += site->by_slot == by_slot && site->reason == reason;
	}
	instr_plan_destroy(plan);
	return nr == 2;
}

static void functions_that_end_in_one_place_return_to_slots(void)
{
	CHECK(nameless_are(INSTR_WAY_AUTO, true, INSTR_REASON_NONE));
	CHECK(nameless_are(INSTR_WAY_SLOT, true, INSTR_REASON_NONE));
	CHECK(nameless_are(INSTR_WAY_RETURN, false, INSTR_REASON_SHARED));
}

/* Names of this program, and of what it imports, that a runtime is to be known by. */
__attribute__((used)) static const char x_name_that_runtimes_have[1];
__attribute__((used)) static const char *x_imports(void)
{
	return gnu_get_libc_version();
}

/* Makes this program one where @old, wherever it stands, is @name. */
static bool rename_symbol(struct scratch *scratch, const char *old, const char *name)
{
	uint8_t *end = scratch->bytes + scratch->len, *at = scratch->bytes;

	if (strlen(name) > strlen(old))
		return false;
	while ((at = memmem(at, (size_t)(end - at), old, strlen(old) + 1)))
		memcpy(at, name, strlen(name) + 1);
	return scratch_write(scratch, scratch->bytes, scratch->len);
}

enum shape {
	WHOLE,
	STRIPPED,	/* only the loader's table is there */
	STATIC,		/* and stripped: nothing is */
};

static void reshape(struct scratch *scratch, enum shape shape)
{
	Elf64_Ehdr *head = (Elf64_Ehdr *)scratch->bytes;
	Elf64_Phdr *segment = (Elf64_Phdr *)(scratch->bytes + head->e_phoff);

	if (shape != WHOLE)
		head->e_shoff = head->e_shnum = 0;
	for (size_t i = 0; shape == STATIC && i < head->e_phnum; i++) {
		if (segment[i].p_type == PT_INTERP || segment[i].p_type == PT_DYNAMIC)
			segment[i].p_type = PT_NULL;
	}
}

/* How functions are timed where @old is called @name. */
static void check_renamed(const char *old, const char *name, enum shape shape,
			  enum instr_reason reason)
{
	struct scratch scratch;

	close_file();
	if (!CHECK(scratch_read(&scratch, "/proc/self/exe")))
		exit(1);
	reshape(&scratch, shape);
	if (!CHECK(rename_symbol(&scratch, old, name)) || !CHECK(open_file(scratch.path)))
		exit(1);
	printf("# %s: %s, %u\n", old, name, shape);
	CHECK(nameless_are(INSTR_WAY_AUTO, !reason, reason));
	/* Where none is left there is no plan. */
	CHECK(nameless_are(INSTR_WAY_SLOT, true, INSTR_REASON_NONE) == !reason);
	CHECK(nameless_are(INSTR_WAY_RETURN, false, INSTR_REASON_SHARED));
	scratch_exit(&scratch);
}

static void runtimes_look_up_return_addresses(void)
{
	static const char *const names[] = {
		"caml_frametable", "camlA__frametable", "_ZN2v87Isolate3New", "gHotSpotVMStructs",
		"mono_jit_init",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		check_renamed("x_name_that_runtimes_have", names[i], WHOLE, INSTR_REASON_RUNTIME);
		check_renamed("gnu_get_libc_version", names[i], STRIPPED, INSTR_REASON_RUNTIME);
	}
	check_renamed("gnu_get_libc_version", "camlA__frame", STRIPPED, INSTR_REASON_NONE);
}

static void unwinders_are_known_by_their_names(void)
{
	check_renamed("gnu_get_libc_version", "_dl_find_object", STRIPPED, INSTR_REASON_UNWINDER);
	check_renamed("gnu_get_libc_version", "dl_iterate_phdr", STRIPPED, INSTR_REASON_UNWINDER);
	check_renamed("gnu_get_libc_version", "dl_iterate_phdr", WHOLE, INSTR_REASON_NONE);
	check_renamed("gnu_get_libc_version", "", STATIC, INSTR_REASON_UNWINDER);
}

static void bytes_are_instructions_or_not(void)
{
	CHECK(refused("x_overlap", EXITS_OVERLAP));
	CHECK(leaves("x_behind_lock", "r"));
	CHECK(leaves("x_data_within", "r"));
	CHECK(refused("x_undecodable", EXITS_UNDECODABLE));
	CHECK(leaves("x_padded", "rr"));
}

static void functions_may_have_no_exits(void)
{
	CHECK(leaves("x_never_returns", ""));
	CHECK(leaves("x_stops", ""));
	CHECK(refused("x_falls", EXITS_FALLS));
	CHECK(leaves("x_falls_into", "r"));
	CHECK(refused("x_cut", EXITS_FALLS));
	CHECK(refused("x_signal", EXITS_SIGNAL_FRAME));
}

static void indirect_jumps_leave_or_stay(void)
{
	CHECK(leaves("x_indirect_argument", "i"));
	CHECK(leaves("x_indirect_member", "ir"));
	CHECK(leaves("x_indirect_memory", "i"));
	CHECK(leaves("x_indirect_variable", "i"));
	CHECK(leaves("x_indirect_unframed", "i"));
	CHECK(leaves("x_indirect_bare", "i"));
	CHECK(refused("x_indirect_bare_stack", EXITS_INDIRECT));
	CHECK(leaves("x_indirect_offsets", "i"));
	CHECK(leaves("x_indirect_elements", "i"));
	CHECK(leaves("x_table", "rrjr"));
	CHECK(leaves("x_table_far", "rr"));
	CHECK(refused("x_table_unknown", EXITS_INDIRECT));
	CHECK(refused("x_goto", EXITS_INDIRECT));
	CHECK(leaves("x_goto_framed", "r"));
}

static void landing_pads_are_code(void)
{
	CHECK(leaves("x_landing", "rr"));
	CHECK(leaves("x_landing_elsewhere", "rr"));
	CHECK(refused("x_elsewhere", EXITS_NOT_CALLED));
	CHECK(refused("x_landing_goto", EXITS_INDIRECT));
	CHECK(refused("x_landing_broken", EXITS_LANDING));
	CHECK(refused("x_landing_nowhere", EXITS_LANDING));
}

/* ---- compilers ---------------------------------------------------------------- */

static bool open_beside(const char *name)
{
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 64);
	char *slash;

	path[len > 0 ? len : 0] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return false;
	strcpy(slash + 1, name);
	if (!access(path, R_OK))
		return open_file(path);
	SKIP("there is no %s", name);
	return false;
}

/* How many exits of @kind there are; or -1. */
static int count(const char *name, enum exit_kind kind)
{
	struct exits exits;
	enum exits_reason reason = find_named(name, &exits);
	int nr = 0;

	for (size_t i = 0; i < exits.nr; i++)
		nr += exits.exit[i].kind == kind;
	if (!exits_are_sound(&exits))
		nr = -1;
	if (reason)
		printf("# %s: %s\n", name, exits_reason_text(reason));
	exits_exit(&exits);
	return reason ? -1 : nr;
}

static void check_compiled(const char *name)
{
	if (!open_beside(name))
		return;
	CHECK(leaves("c_pointer", "i"));
	CHECK(leaves("c_virtual", "i"));
	CHECK(leaves("c_array", "i"));
	CHECK(leaves("c_pointer_framed", "i"));
	CHECK(leaves("c_noreturn", "") || leaves("c_noreturn", "j"));
	CHECK(count("c_conditional", EXIT_RETURN) == 1);
	CHECK(count("c_conditional", EXIT_JUMP) + count("c_conditional", EXIT_BRANCH) == 1);
	CHECK(count("c_switch", EXIT_RETURN) >= 1);
	CHECK(count("c_switch", EXIT_JUMP) == 1);
	CHECK(count("c_switch", EXIT_INDIRECT) == 0);
	CHECK(count("c_switch_framed", EXIT_RETURN) >= 1);
	CHECK(count("c_switch_framed", EXIT_INDIRECT) >= 1);
	CHECK(count("c_goto_framed", EXIT_RETURN) == 1);
	CHECK(count("c_goto_framed", EXIT_INDIRECT) == 0);
	CHECK(leaves("c_goto", "r"));
	close_file();
}

static void exits_of_gcc_are_known(void)
{
	check_compiled("exits-code-gcc.so");
}

static void exits_of_gcc_fixed_are_known(void)
{
	check_compiled("exits-code-gcc");
}

static void exits_of_clang_are_known(void)
{
	check_compiled("exits-code-clang.so");
}

static void exits_of_clang_fixed_are_known(void)
{
	check_compiled("exits-code-clang");
}

/* ---- another disassembler ----------------------------------------------------- */

/* What objdump says of an instruction; a branch has a target. */
struct line {
	uint64_t vaddr, target;
	bool is_return, is_jump;
};

static bool line_parse(const char *from, struct line *ret)
{
	char prefix[16] = "", name[16] = "", operand[64] = "";

	*ret = (struct line){ 0 };
	if (sscanf(from, " %" SCNx64 ": %15s %63s", &ret->vaddr, name, operand) < 2)
		return false;
	if (!strcmp(name, "bnd") || !strcmp(name, "rep") || !strcmp(name, "repz") ||
	    !strcmp(name, "notrack"))
		sscanf(from, " %*x: %15s %15s %63s", prefix, name, operand);
	ret->is_return = !strncmp(name, "ret", 3);
	ret->is_jump = name[0] == 'j' && sscanf(operand, "%" SCNx64, &ret->target) == 1;
	return ret->is_return || ret->is_jump;
}

static bool is_exit(const struct exits *exits, uint64_t vaddr)
{
	size_t first = 0;

	while (first < exits->nr && exits->exit[first].vaddr != vaddr)
		first++;
	return first < exits->nr;
}

static bool is_inside(const struct exits *exits, uint64_t vaddr)
{
	for (size_t i = 0; i < exits->nr_parts; i++) {
		if (vaddr - exits->part[i].start < exits->part[i].size)
			return vaddr != exits->part[0].start;
	}
	return false;
}

/* Does @exits have it, if it should? What isn't reached is counted. */
static bool line_is_known(const struct exits *exits, const struct line *line, size_t *unreached)
{
	const struct exits_part *part = &exits->part[0];

	if (line->is_jump && is_inside(exits, line->target))
		return !is_exit(exits, line->vaddr);
	if (is_exit(exits, line->vaddr))
		return true;
	*unreached += !part->mark[line->vaddr - part->start];
	return !part->mark[line->vaddr - part->start];
}

static void check_objdump(const char *path)
{
	char command[256], buffer[1024];
	size_t last = FUNC_NONE, func, nr = 0, unreached = 0, wrong = 0;
	enum exits_reason reason = EXITS_NOWHERE;
	struct exits exits = { 0 };
	struct line line;
	FILE *lines;

	if (access("/usr/bin/objdump", X_OK) || access(path, R_OK)) {
		SKIP("no objdump, or no %s", path);
		return;
	}
	if (!open_file(path))
		return;
	snprintf(command, sizeof(command),
		 "objdump -d --no-show-raw-insn --section=.text %s 2>/dev/null", path);
	lines = popen(command, "r");
	while (lines && fgets(buffer, sizeof(buffer), lines)) {
		if (!line_parse(buffer, &line) || !func_find(text.funcs, line.vaddr, &func))
			continue;
		if (func != last) {
			exits_exit(&exits);
			reason = exits_find(&text, func, &exits);
			last = func;
		}
		if (reason)
			continue;
		nr++;
		if (line_is_known(&exits, &line, &unreached))
			continue;
		if (!wrong++)
			printf("# 0x%" PRIx64 ": %s", line.vaddr, buffer);
	}
	if (lines)
		pclose(lines);
	exits_exit(&exits);
	close_file();
	printf("# %s: %zu returns and jumps, %zu not reached, %zu wrong\n", path, nr, unreached,
	       wrong);
	CHECK(nr > 10000 && !wrong && unreached < nr / 1000);
}

static void objdump_agrees_about_libc(void)
{
	check_objdump("/lib/x86_64-linux-gnu/libc.so.6");
}

static void objdump_agrees_about_libstdcxx(void)
{
	check_objdump("/usr/lib/x86_64-linux-gnu/libstdc++.so.6");
}

/* Not all kinds are told from INSN_PLAIN, nor what can't be moved from the rest. */
static bool kinds_agree(uint8_t fast, uint8_t whole)
{
	switch (fast) {
	case INSN_PLAIN:
		return whole == INSN_PLAIN || whole == INSN_NOP || whole == INSN_SYSTEM ||
		       whole == INSN_UNMOVABLE;
	case INSN_CALL_INDIRECT:
		return whole == INSN_CALL_INDIRECT || whole == INSN_UNMOVABLE;
	case INSN_UNMOVABLE:
		return whole == INSN_UNMOVABLE || whole == INSN_RET || whole == INSN_SYSTEM;
	case INSN_JCC:
		return whole == INSN_JCC || whole == INSN_UNMOVABLE;
	case INSN_STACK:
		return whole == INSN_PLAIN;
	default:
		return fast == whole;
	}
}

static void kinds_agree_with_the_whole_decoder(void)
{
	size_t nr = 0, wrong = 0;
	struct insn fast, whole;

	if (!open_file("/lib/x86_64-linux-gnu/libc.so.6"))
		return;
	for (uint64_t at = 0; at < text.len; at += fast.len, nr++) {
		if (!insn_decode_flow(text.bytes + at, text.len - at, &fast)) {
			fast.len = 1;
			continue;
		}
		if (insn_decode(text.bytes + at, text.len - at, &whole) &&
		    fast.len == whole.len && fast.target == whole.target &&
		    kinds_agree(fast.kind, whole.kind))
			continue;
		if (!wrong++)
			printf("# 0x%" PRIx64 ": kind %d, not %d\n", text.vaddr + at, fast.kind,
			       whole.kind);
	}
	close_file();
	CHECK(nr > 100000 && !wrong);
}

/* ---- broken files ------------------------------------------------------------- */

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void find_all(void)
{
	struct exits exits;

	for (size_t i = 0; i < text.funcs->nr; i++) {
		if (exits_find(&text, i, &exits))
			CHECK(!exits.nr && !exits.nr_parts && !exits.exit && !exits.part);
		else
			CHECK(exits_are_sound(&exits));
		exits_exit(&exits);
	}
}

/* The sanitizers are what looks at it. */
static void broken_files_do_no_harm(void)
{
	struct scratch scratch;
	uint32_t state = 1;

	if (!scratch_read(&scratch, "/bin/true")) {
		SKIP("no /bin/true");
		return;
	}
	for (int round = 0; round < 300; round++) {
		CLEAN(free) uint8_t *bytes = malloc(scratch.len);

		memcpy(bytes, scratch.bytes, scratch.len);
		for (int i = 0; i < 1 + round; i++)
			bytes[4096 + next_random(&state) % (scratch.len - 4096)] =
				(uint8_t)next_random(&state);
		if (!CHECK(scratch_write(&scratch, bytes, scratch.len)) ||
		    instr_file_open(scratch.path, &file, NULL))
			continue;
		if (!exits_text_init(&text, file, NULL))
			find_all();
		close_file();
	}
	scratch_exit(&scratch);
}

/* ---- coverage: a table for people --------------------------------------------- */

#define JUMP_LEN 5
#define PAGE 4096

/* How an exit can be patched by a jump. */
enum window {
	WINDOW_BLOCK,	/* within its basic block */
	WINDOW_PADDING,	/* ... and the padding behind */
	WINDOW_PAGE,	/* it would straddle two pages */
	WINDOW_CALL,	/* a call comes back too near */
	WINDOW_TARGET,	/* the function branches to too near */
	WINDOW_SHORT,	/* the function begins too near */
	WINDOWS,
};

/* Is that neither code nor, behind the part, anything but padding? */
static bool is_free(const struct exits_part *part, uint64_t at)
{
	uint64_t end = func_next_vaddr(text.funcs, part->func) - part->start;

	if (at < part->size)
		return !part->mark[at];
	return at < end && part->start + at - text.vaddr < text.len;
}

/* Padding, from @at on, up to a jump's length. */
static unsigned int padding_behind(const struct exits_part *part, uint64_t at)
{
	unsigned int len = 0;
	struct insn insn;

	while (len < JUMP_LEN && is_free(part, at + len)) {
		const uint8_t *code = part->code + at + len;

		if (*code == 0xcc || *code == 0)
			len++;
		else if (insn_decode_flow(code, INSN_LEN_MAX, &insn) && insn.kind == INSN_NOP)
			len += insn.len;
		else
			break;
	}
	return len < JUMP_LEN ? len : JUMP_LEN;
}

/* To the instruction before in the same block; or why there is none. */
static enum window block_back(const struct exits_part *part, uint64_t *at)
{
	uint64_t before = *at;
	struct insn insn;

	if (part->mark[before] & EXITS_TARGET)
		return WINDOW_TARGET;
	if (!before)
		return WINDOW_SHORT;
	do {
		before--;
	} while (before && !(part->mark[before] & EXITS_BOUNDARY));
	if (!insn_decode_flow(part->code + before, part->size - before, &insn) ||
	    before + insn.len != *at || insn_is_terminal(&insn))
		return WINDOW_TARGET;
	if (insn.kind == INSN_CALL || insn.kind == INSN_CALL_INDIRECT)
		return WINDOW_CALL;
	*at = before;
	return WINDOW_BLOCK;
}

static enum window window_at(const struct exits_part *part, const struct exit *exit, uint64_t at)
{
	uint64_t end = exit->vaddr - part->start + exit->len;
	unsigned int padding = exit->kind == EXIT_BRANCH ? 0 : padding_behind(part, end);

	if (at + JUMP_LEN > end + padding)
		return WINDOWS;
	if ((part->start + at) % PAGE + JUMP_LEN > PAGE)
		return WINDOW_PAGE;
	return at + JUMP_LEN > end ? WINDOW_PADDING : WINDOW_BLOCK;
}

static enum window window_of(const struct exits_part *part, const struct exit *exit)
{
	uint64_t from = exit->vaddr - part->start, at = from;
	enum window best = WINDOWS, stop;

	do {
		enum window window = window_at(part, exit, at);

		best = window < best ? window : best;
		stop = block_back(part, &at);
	} while (stop == WINDOW_BLOCK && from - at < JUMP_LEN);
	return best < WINDOWS ? best : stop;
}

struct coverage {
	size_t nr, proven, exits, all_windows, all_block, no_exits, parts;
	size_t reason[EXITS_REASONS], kind[EXIT_KINDS], window[WINDOWS];
};

static void cover(struct coverage *sum, const struct exits *exits)
{
	enum window worst = WINDOW_BLOCK;

	for (size_t i = 0; i < exits->nr; i++) {
		const struct exit *exit = &exits->exit[i];
		enum window window = window_of(&exits->part[exit->part], exit);

		sum->kind[exit->kind]++;
		sum->window[window]++;
		worst = window > worst ? window : worst;
	}
	sum->exits += exits->nr;
	sum->no_exits += !exits->nr;
	sum->parts += exits->nr_parts > 1;
	sum->all_block += worst == WINDOW_BLOCK;
	sum->all_windows += worst <= WINDOW_PADDING;
}

static void cover_func(struct coverage *sum, size_t func, bool verbose)
{
	struct exits exits;
	enum exits_reason reason = exits_find(&text, func, &exits);

	sum->nr++;
	sum->reason[reason]++;
	if (!reason)
		cover(sum, &exits);
	else if (verbose)
		printf("#   %s: %s\n", text.funcs->func[func].name, exits_reason_text(reason));
	exits_exit(&exits);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void print_table(const char *path, bool verbose)
{
	struct coverage sum = { 0 };
	double seconds;

	if (access(path, R_OK) || !open_file(path))
		return;
	seconds = now();
	for (size_t i = 0; i < text.funcs->nr; i++) {
		if (!text.funcs->func[i].is_alias)
			cover_func(&sum, i, verbose);
	}
	seconds = now() - seconds;
	printf("# %s\n#   %zu functions, exits known of %zu (%.2f %%), %zu never return, %zu in parts\n",
	       path, sum.nr, sum.reason[0], 100.0 * (double)sum.reason[0] / (double)sum.nr,
	       sum.no_exits, sum.parts);
	for (size_t i = 1; i < EXITS_REASONS; i++) {
		if (sum.reason[i])
			printf("#   %6zu %s\n", sum.reason[i], exits_reason_text(i));
	}
	printf("#   %zu exits: %zu ret, %zu jmp, %zu indirect, %zu conditional\n", sum.exits,
	       sum.kind[EXIT_RETURN], sum.kind[EXIT_JUMP], sum.kind[EXIT_INDIRECT],
	       sum.kind[EXIT_BRANCH]);
	printf("#   room for a jump: %zu, with padding %zu more; no room: behind a call %zu, at a target %zu, at the entry %zu, two pages %zu\n",
	       sum.window[WINDOW_BLOCK], sum.window[WINDOW_PADDING], sum.window[WINDOW_CALL],
	       sum.window[WINDOW_TARGET], sum.window[WINDOW_SHORT], sum.window[WINDOW_PAGE]);
	printf("#   functions with room at all exits: %zu, without padding %zu\n",
	       sum.all_windows, sum.all_block);
	printf("#   in %.3f s: %.0f functions/s\n", seconds, (double)sum.nr / seconds);
	close_file();
}

int main(int argc, char **argv)
{
	bool verbose = argc > 1 && !strcmp(argv[1], "reasons");

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 2 && (verbose || !strcmp(argv[1], "coverage"))) {
		for (int i = 2; i < argc; i++)
			print_table(argv[i], verbose);
		return 0;
	}
	if (!open_file("/proc/self/exe"))
		return 1;
	RUN(returns_are_exits);
	RUN(stacks_are_not_changed);
	RUN(direct_jumps_are_tail_calls_or_not);
	RUN(cold_code_is_a_part);
	RUN(functions_that_end_in_one_place_return_to_slots);
	RUN(bytes_are_instructions_or_not);
	RUN(functions_may_have_no_exits);
	RUN(indirect_jumps_leave_or_stay);
	RUN(landing_pads_are_code);
	RUN(runtimes_look_up_return_addresses);
	RUN(unwinders_are_known_by_their_names);
	close_file();
	RUN(exits_of_gcc_are_known);
	RUN(exits_of_gcc_fixed_are_known);
	RUN(exits_of_clang_are_known);
	RUN(exits_of_clang_fixed_are_known);
	RUN(kinds_agree_with_the_whole_decoder);
	RUN(broken_files_do_no_harm);
	RUN(objdump_agrees_about_libc);
	RUN(objdump_agrees_about_libstdcxx);
	return tap_done();
}
