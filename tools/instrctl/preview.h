/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A preview: the plan of a file, made for nobody but a reader. Shared by list
 * and plan.
 */
#ifndef INSTRCTL_PREVIEW_H
#define INSTRCTL_PREVIEW_H

#include "cmd.h"
#include "libinstr/libinstr.h"

struct preview {
	struct instr_file *file;
	const struct instr_func *func;
	size_t nr;
	struct instr_place *chosen;
	const struct instr_plan_site **site;	/* of each that was chosen */
	struct instr_plan *plan;	/* of these, or of all functions */
	size_t count[INSTR_HOW_MAX];	/* sites of each enum instr_how */

	enum instr_way way;	/* if it is */
	bool timed;		/* then @count has functions, by the worst of their sites */
	size_t nr_all;
	const struct instr_plan_site **all;	/* by function, its entry first */
};

/* The verb: its command line, and one of two ways to print. Returns the exit status. */
int preview_main(int argc, char **argv, void (*print_text)(const struct preview *preview),
		 void (*print_json)(const struct preview *preview));

/* All sites of what was chosen @i-th: of its entry first, of its exits behind. */
const struct instr_plan_site *const *preview_sites(const struct preview *preview, size_t i,
						   size_t *nr);
/* How the exits of a timed function are seen: "jump", "trap", "slot", "none"; "-": refused. */
const char *preview_exits(const struct preview *preview, size_t i);
/* Why it is refused, or a trap, of a timed function also in the place of an exit; or "". */
const char *preview_reason(const struct preview *preview, size_t i);

/* "3 functions: 2 jump, 1 trap, 0 refused" */
void preview_summary(const struct preview *preview, char *text, size_t text_len);

#endif
