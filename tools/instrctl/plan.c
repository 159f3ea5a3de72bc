// SPDX-License-Identifier: GPL-2.0
/*
 * instrctl plan: what would be changed in memory.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "libinstr/table.h"
#include "preview.h"
#include "say.h"

const char help_plan[] =
	"Prints for each function of FILE what counting its calls would change in the\n"
	"memory of a program that runs it, and does not do it. Needs no root and no\n"
	"module. Addresses are as linked; a program moves text and slab alike.\n"
	"\n"
	"  before   what the file has there\n"
	"  after    what such a program would run instead\n"
	"  slot     where the jump, or the trap, leads\n"
	"  block    the code there: it counts, runs what was displaced, goes back\n"
	"  counter  its place in the slab's data\n"
	"\n"
	"With --time it prints what timing it would change: all places where the function\n"
	"is entered or left.\n"
	"\n"
	"  exit     an instruction that leaves the function, among those displaced\n"
	"  returns  to a slot: how its exits are seen if not all are known\n"
	"  record   the place of its times in the slab's\n"
	"\n"
	"  -f, --function GLOB  only functions with such a name; NAME+OFFSET, 0xADDR: the\n"
	"                       instruction there\n"
	"  -T, --time           what timing them would change\n"
	"  --exit WAY           how it is seen that one is left: return, slot, auto\n"
	"  -j, --json           print one line of JSON; bytes are in hexadecimal\n";

/* ---- places ---------------------------------------------------------------- */

/* Positions and vaddrs are one distance apart in the whole text. */
static uint64_t vaddr_of(const struct preview *preview, const struct instr_plan_site *site,
			 int64_t position)
{
	return instr_file_text_vaddr(preview->file, site->offset) +
	       (uint64_t)position - site->offset;
}

/* The window as it would be shown, and the byte behind it that ends its jump, if one does. */
static size_t bytes_after(const struct preview *preview, const struct instr_plan_site *site,
			  uint8_t *bytes)
{
	memcpy(bytes, site->old, site->window_len);
	memcpy(bytes, site->new, site->patch_len);
	if (site->annex)
		bytes[site->window_len] = preview->plan->distance.annex;
	return site->window_len + site->annex;
}

/* Without a site there would be no slab. */
static bool has_slab(const struct preview *preview)
{
	return preview->count[INSTR_HOW_REFUSED] < preview->nr;
}

/* ---- text ------------------------------------------------------------------ */

#define BYTES_A_LINE 8

static void print_insn(const char *title, uint64_t vaddr, const uint8_t *bytes, size_t len,
		       const char *insn)
{
	printf("  %-8s %12" PRIx64 "  ", title, vaddr);
	for (size_t i = 0; i < BYTES_A_LINE || i < len; i++)
		if (i < len)
			printf("%02x ", bytes[i]);
		else
			printf("   ");
	printf(" %s\n", insn);
}

/* What can't be decoded is shown byte by byte. */
static void print_code(const char *title, uint64_t vaddr, const uint8_t *bytes, size_t len)
{
	char text[128];
	int done;

	for (size_t at = 0; at < len; at += done, title = "") {
		done = instr_insn_format(bytes + at, len - at, vaddr + at, text, sizeof(text));
		if (done <= 0) {
			snprintf(text, sizeof(text), ".byte 0x%02x", bytes[at]);
			done = 1;
		}
		instr_text_clean(text);
		print_insn(title, vaddr + at, bytes + at, done, text);
	}
}

/*
 * Of what is shown only the first instruction is ever run from there: the bytes
 * behind it are what is left of the old ones.
 */
static void print_after(const struct preview *preview, uint64_t vaddr,
			const struct instr_plan_site *site)
{
	uint8_t after[INSTR_WINDOW_MAX + 1];
	size_t first = site->how == INSTR_HOW_JUMP ? site->patch_len + site->annex : 1;
	size_t len = bytes_after(preview, site, after);

	print_code("after", vaddr, after, first);
	if (len > first)
		print_insn("", vaddr + first, after + first, len - first,
			   "(not run from here)");
}

static void print_head(const struct preview *preview, struct instr_place place,
		       const struct instr_plan_site *site)
{
	struct instr_place_info info = instr_place_info(preview->file, place);
	char name[NAME_LEN];

	instr_place_name(&info, name, sizeof(name));
	instr_text_clean(name);
	printf("%s: %s%s%s\n", name, instr_how_name(site->how),
	       site->reason ? ": " : "", instr_reason_text(site->reason));
}

/* The @n-th instruction that is displaced. */
static uint64_t moved_vaddr(const struct preview *preview, const struct instr_plan_site *site,
			    size_t n)
{
	return instr_file_text_vaddr(preview->file, site->offset) + site->moved[n].old_at;
}

static void print_exits(const struct preview *preview, const struct instr_plan_site *site)
{
	for (size_t i = 0; i < site->nr_moved; i++)
		if (site->exits >> i & 1)
			printf("  %-8s %12" PRIx64 "\n", "exit",
			       moved_vaddr(preview, site, i));
}

static void print_site(const struct preview *preview, const struct instr_plan_site *site)
{
	uint64_t vaddr = instr_file_text_vaddr(preview->file, site->offset);

	if (site->how != INSTR_HOW_POINTER) {
		print_code("before", vaddr, site->old, site->window_len);
		print_after(preview, vaddr, site);
	}
	printf("  %-8s %12" PRIx64 "\n", "slot", vaddr_of(preview, site, site->slot));
	print_code("block", vaddr_of(preview, site, site->block),
		   instr_plan_block(preview->plan, site), site->block_len);
	print_exits(preview, site);
	if (site->by_slot)
		printf("  %-8s to a slot\n", "returns");
	if (preview->timed)
		printf("  %-8s %12" PRIx64 "\n\n", "record",
		       instr_plan_record(site));
	else
		printf("  %-8s %12" PRIx64 "\n\n", "counter", site->counter);
}

static void print_sites(const struct preview *preview, size_t i)
{
	size_t nr;
	const struct instr_plan_site *const *site = preview_sites(preview, i, &nr);

	print_head(preview, preview->chosen[i], preview->site[i]);
	for (size_t j = 0; j < nr; j++) {
		if (j)
			print_head(preview, site[j]->place, site[j]);
		print_site(preview, site[j]);
	}
}

static void print_text(const struct preview *preview)
{
	const struct instr_plan *plan = preview->plan;
	char summary[128];

	for (size_t i = 0; i < preview->nr; i++)
		print_sites(preview, i);
	preview_summary(preview, summary, sizeof(summary));
	puts(summary);
	if (!has_slab(preview))
		return;
	printf("slab: %" PRIu64 " bytes of code, %" PRIu64 " bytes of data, at %" PRId64
	       " bytes from the text\n", plan->code_len, plan->data_len, plan->slab_start);
	if (plan->annex_len)
		printf("annex: %" PRIu64 " bytes of code, at %" PRId64 " bytes from the text\n",
		       plan->annex_len, plan->annex_start);
	if (preview->timed)
		printf("times: %" PRIu64 " bytes, and %" PRIu64
		       " bytes for each process, as far as they are used\n",
		       plan->times_len, plan->frames_len);
}

/* ---- JSON ------------------------------------------------------------------ */

static void add_place(struct json_object *row, const struct preview *preview,
		      const struct instr_plan_site *site)
{
	uint8_t after[INSTR_WINDOW_MAX + 1];
	size_t len = bytes_after(preview, site, after);

	json_add_hex(row, "address", instr_file_text_vaddr(preview->file, site->offset));
	json_add_number(row, "offset", site->offset);
	json_add_bytes(row, "before", site->old, site->window_len);
	json_add_bytes(row, "after", after, len);
	json_add_number(row, "patch_len", site->patch_len);
	json_add_hex(row, "slot", vaddr_of(preview, site, site->slot));
	json_add_hex(row, "block_address", vaddr_of(preview, site, site->block));
	json_add_bytes(row, "block", instr_plan_block(preview->plan, site), site->block_len);
	if (!preview->timed)
		json_add_number(row, "counter", site->counter);
}

static void add_exits(struct json_object *row, const struct preview *preview,
		      const struct instr_plan_site *site)
{
	struct json_object *exits = json_add_array(row, "exits");

	for (size_t i = 0; i < site->nr_moved; i++)
		if (site->exits >> i & 1)
			json_append_hex(exits, moved_vaddr(preview, site, i));
}

static void add_head(struct json_object *row, const struct preview *preview,
		     struct instr_place place, const struct instr_plan_site *site)
{
	struct instr_place_info info = instr_place_info(preview->file, place);

	json_add_text(row, "function", info.name);
	json_add_number(row, "at", info.at);
	json_add_text(row, "how", instr_how_name(site->how));
	json_add_text(row, "reason", instr_reason_text(site->reason));
}

static void add_counted(struct json_object *top, const struct preview *preview)
{
	struct json_object *sites = json_add_array(top, "sites");

	for (size_t i = 0; i < preview->nr; i++) {
		struct json_object *row = json_append(sites);

		add_head(row, preview, preview->chosen[i], preview->site[i]);
		if (preview->site[i]->how != INSTR_HOW_REFUSED)
			add_place(row, preview, preview->site[i]);
	}
}

static void add_sites(struct json_object *function, const struct preview *preview, size_t i)
{
	struct json_object *sites = json_add_array(function, "sites");
	size_t nr;
	const struct instr_plan_site *const *site = preview_sites(preview, i, &nr);

	for (size_t j = 0; j < nr; j++) {
		struct json_object *row = json_append(sites);

		add_head(row, preview, site[j]->place, site[j]);
		json_add_bool(row, "enters", site[j]->enters);
		add_exits(row, preview, site[j]);
		add_place(row, preview, site[j]);
	}
}

static void add_timed(struct json_object *top, const struct preview *preview)
{
	struct json_object *functions = json_add_array(top, "functions");

	for (size_t i = 0; i < preview->nr; i++) {
		struct json_object *row = json_append(functions);

		add_head(row, preview, preview->chosen[i], preview->site[i]);
		json_add_text(row, "exits", preview_exits(preview, i));
		if (preview->site[i]->how != INSTR_HOW_REFUSED)
			json_add_number(row, "record", instr_plan_record(preview->site[i]));
		add_sites(row, preview, i);
	}
	json_add_number(top, "times_len", has_slab(preview) ? preview->plan->times_len : 0);
	json_add_number(top, "frames_len", has_slab(preview) ? preview->plan->frames_len : 0);
}

static void print_json(const struct preview *preview)
{
	const struct instr_plan *plan = preview->plan;
	struct json_object *top = json_begin();

	json_add_text(top, "file", instr_file_path(preview->file));
	if (preview->timed)
		add_timed(top, preview);
	else
		add_counted(top, preview);
	json_add_number(top, "code_len", has_slab(preview) ? plan->code_len : 0);
	json_add_number(top, "data_len", has_slab(preview) ? plan->data_len : 0);
	json_add_number(top, "annex_len", has_slab(preview) ? plan->annex_len : 0);
	json_end(top, stdout);
}

int cmd_plan(int argc, char **argv)
{
	return preview_main(argc, argv, print_text, print_json);
}
