// SPDX-License-Identifier: GPL-2.0
/*
 * instrctl list: the functions of a file.
 */

#include <inttypes.h>
#include <stdio.h>

#include "json.h"
#include "libinstr/table.h"
#include "preview.h"
#include "say.h"

const char help_list[] =
	"Lists the functions of FILE, a path or the name of a command or library, and\n"
	"how their calls would be counted: by a jump, by a trap (slower), or not at all\n"
	"(refused), and why it is not a jump. Needs no root and no module.\n"
	"\n"
	"  -f, --function GLOB  only functions with such a name; NAME+OFFSET, 0xADDR: the\n"
	"                       instruction there\n"
	"  -T, --time           how they would be timed: exits tells how it is seen that\n"
	"                       one is left; slot: by another return address; none: it\n"
	"                       never returns. The summary counts as\n"
	"                       trap those of which any place is one\n"
	"  --exit WAY           only in that way: return, slot; auto: slot where need be\n"
	"  -j, --json           print one line of JSON\n"
	"\n"
	"Columns are aligned on a terminal, and separated by one tab elsewhere. The last\n"
	"line is a summary. Sizes are in bytes.\n";

/* Of the function, or of the pointer. */
static uint64_t size_of(const struct preview *preview, size_t i)
{
	size_t func = preview->chosen[i].func;

	return func == INSTR_POINTER ? sizeof(uint64_t) : preview->func[func].size;
}

static void print_text(const struct preview *preview)
{
	static const char *const counted[] = { ">address", ">size", "how", "reason", "name" };
	static const char *const timed[] = { ">address", ">size", "how", "exits", "reason",
					     "name" };
	struct instr_table *table = preview->timed ? instr_table_create(6, timed) :
						     instr_table_create(5, counted);
	char summary[128];

	if (!table)
		out_of_memory();
	for (size_t i = 0; i < preview->nr; i++) {
		const struct instr_plan_site *site = preview->site[i];
		struct instr_place_info info = instr_place_info(preview->file,
								preview->chosen[i]);
		const char *reason = preview_reason(preview, i);
		char name[NAME_LEN];

		instr_table_cell(table, "0x%" PRIx64, info.vaddr);
		instr_table_cell(table, "%" PRIu64, size_of(preview, i));
		instr_table_cell(table, "%s", instr_how_name(site->how));
		if (preview->timed)
			instr_table_cell(table, "%s", preview_exits(preview, i));
		instr_table_cell(table, "%s", *reason ? reason : "-");
		instr_table_cell(table, "%s",
				 instr_place_name(&info, name, sizeof(name)));
	}
	if (instr_table_print(table, stdout))
		out_of_memory();
	instr_table_destroy(table);
	preview_summary(preview, summary, sizeof(summary));
	puts(summary);
}

static void print_json(const struct preview *preview)
{
	struct json_object *top = json_begin();
	struct json_object *functions;

	json_add_text(top, "file", instr_file_path(preview->file));
	functions = json_add_array(top, "functions");
	for (size_t i = 0; i < preview->nr; i++) {
		const struct instr_plan_site *site = preview->site[i];
		struct instr_place_info info = instr_place_info(preview->file,
								preview->chosen[i]);
		struct json_object *row = json_append(functions);

		json_add_text(row, "name", info.name);
		json_add_number(row, "at", info.at);
		json_add_hex(row, "address", info.vaddr);
		json_add_number(row, "size", size_of(preview, i));
		json_add_text(row, "how", instr_how_name(site->how));
		if (preview->timed)
			json_add_text(row, "exits", preview_exits(preview, i));
		json_add_text(row, "reason", preview_reason(preview, i));
	}
	json_add_number(top, "jump", preview->count[INSTR_HOW_JUMP]);
	json_add_number(top, "trap", preview->count[INSTR_HOW_TRAP]);
	json_add_number(top, "pointer", preview->count[INSTR_HOW_POINTER]);
	json_add_number(top, "refused", preview->count[INSTR_HOW_REFUSED]);
	json_end(top, stdout);
}

int cmd_list(int argc, char **argv)
{
	return preview_main(argc, argv, print_text, print_json);
}
