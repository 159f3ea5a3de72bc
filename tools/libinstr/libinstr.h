/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libinstr: everything of instr that can be done without a terminal.
 *
 * A call that can fail returns 0 or a negative errno, and leaves one sentence
 * for a human in *err (which may be NULL). It then has made nothing. The library
 * prints nothing and never exits. Objects are not locked: one thread at a time.
 *
 * Addresses: a *vaddr* is as linked (ELF p_vaddr), an *offset* counts bytes of
 * the file, a *position* is relative to where offset 0 of the text's mapping
 * lies in a process (see uapi/linux/instr.h). All are in bytes.
 */
#ifndef LIBINSTR_H
#define LIBINSTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/instr.h>

/* ---- err.c: a code and a sentence ---------------------------------------- */

struct instr_err {
	int code;		/* negative errno */
	char text[512];		/* "THING: what is wrong" */
	char hint[256];		/* what to do about it, or "" */
};

/* Both return @code, so that they can be the operand of a return. */
int instr_fail(struct instr_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds what to do to the error that was just made. */
int instr_hint(struct instr_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- file.c: an ELF file -------------------------------------------------- */

struct instr_file;

/*
 * Opens an x86-64 executable or shared library. A path with no slash is taken
 * as it is. -ENOEXEC: not one, or corrupt; -EINVAL: 32-bit or another machine.
 */
int instr_file_open(const char *path, struct instr_file **ret, struct instr_err *err);
void instr_file_close(struct instr_file *file);

const char *instr_file_path(const struct instr_file *file);
const char *instr_file_soname(const struct instr_file *file);	/* or NULL */
const char *instr_file_interp(const struct instr_file *file);	/* or NULL */
int instr_file_fd(const struct instr_file *file);		/* O_RDONLY */
/* Lower-case hex, or NULL where there is none. */
const char *instr_file_build_id(const struct instr_file *file);
/* Loaded at an address of its own (ET_EXEC): there is little room below. */
bool instr_file_fixed(const struct instr_file *file);
/* File offsets -> vaddr in the text segment that sites are planned in. */
uint64_t instr_file_text_vaddr(const struct instr_file *file, uint64_t offset);
/* Where that segment lies in the file, in bytes. */
void instr_file_text(const struct instr_file *file, uint64_t *offset, uint64_t *len);

/*
 * The libraries that the loader would load with @file (DT_NEEDED, transitively,
 * in its order: RUNPATH/RPATH with $ORIGIN, LD_LIBRARY_PATH of @env_path,
 * /etc/ld.so.cache, default folders). *ret is an array of @nr paths, freed by
 * instr_paths_free(). What can't be found is left out.
 */
int instr_file_needed(const struct instr_file *file, const char *env_path,
		      char ***ret, size_t *nr, struct instr_err *err);
void instr_paths_free(char **paths, size_t nr);

/* ---- func.c: functions ---------------------------------------------------- */

enum instr_func_source {
	INSTR_FROM_SYMTAB,	/* .symtab, also of a separate debug file */
	INSTR_FROM_DYNSYM,
	INSTR_FROM_PCLNTAB,	/* of Go; there is no .symtab */
	INSTR_FROM_EH_FRAME,	/* no symbol: named "func_<vaddr in hex>" */
};

struct instr_func {
	const char *name;	/* belongs to the file */
	uint64_t vaddr;
	uint64_t offset;
	uint64_t size;		/* bytes; never 0: bounded by the next function */
	enum instr_func_source source;
	uint8_t is_ifunc : 1;	/* the address is that of a resolver */
	uint8_t is_signal_frame : 1;	/* its FDE says 'S': a signal trampoline */
	uint8_t is_stub : 1;	/* what calls of an import go through */
	uint8_t is_alias : 1;	/* same address as the one before it */
	uint8_t has_frame : 1;	/* a frame description says how to unwind from its start */
};

/* Ordered by vaddr, then by name preference (global, then shorter, then name). */
int instr_file_funcs(struct instr_file *file, const struct instr_func **ret,
		     size_t *nr, struct instr_err *err);

/* An instruction: @at bytes behind the entry of a function. Or a pointer. */
struct instr_place {
	size_t func;		/* index into instr_file_funcs(), or INSTR_POINTER */
	uint64_t at;		/* 0: the entry itself; of a pointer: its vaddr */
};

#define INSTR_POINTER SIZE_MAX

/* For people. */
struct instr_place_info {
	const char *name;	/* of the function, or as the pointer was asked for */
	uint64_t at;		/* bytes behind the function's entry */
	uint64_t vaddr;
};

/* Of a place that instr_places_match() found in @file. */
struct instr_place_info instr_place_info(struct instr_file *file, struct instr_place place);
/* Writes "NAME" or "NAME+0x12" to @text, and returns that. */
const char *instr_place_name(const struct instr_place_info *info, char *text,
			     size_t text_len);

/*
 * The places that one of @globs names: fnmatch(3) patterns on the name of a function
 * or an alias; "NAME+OFFSET" an instruction inside of it; "0xADDR" the one at vaddr
 * ADDR; "NAME@plt" the stub of an import, "NAME@got" its slot; "NAME@ptr",
 * "NAME+OFFSET@ptr" and "0xADDR@ptr" a variable that holds a pointer. With an indirect
 * function (@is_ifunc) come those that it chooses among.
 * Ascending, those at one address once, under the name that matched. -ENOENT
 * when a glob names none: the sentence says which and suggests the nearest name.
 * -EINVAL: OFFSET is not where an instruction begins; it says which are.
 */
int instr_places_match(struct instr_file *file, const char *const *globs,
		       size_t nr_globs, struct instr_place **ret, size_t *nr,
		       struct instr_err *err);

/* ---- plan.c: where the probes go ------------------------------------------ */

enum instr_how {
	INSTR_HOW_REFUSED,
	INSTR_HOW_JUMP,		/* a jump into the slab; in the place of a call, a call */
	INSTR_HOW_TRAP,		/* int3, redirected by the module */
	INSTR_HOW_POINTER,	/* no text is changed: a pointer leads to the block */
	INSTR_HOW_MAX,
};

/* Why a site is not a jump, or not possible at all. */
enum instr_reason {
	INSTR_REASON_NONE,
	/* trap: */
	INSTR_REASON_SHORT,	/* the function ends within the jump */
	INSTR_REASON_PAGE,	/* the jump would straddle two pages */
	INSTR_REASON_LOOP,	/* the function branches back into the jump */
	INSTR_REASON_NEIGHBOUR,	/* another function begins within the jump */
	INSTR_REASON_INSN,	/* an instruction within the jump can't be moved */
	INSTR_REASON_INSIDE,	/* it is not the entry of a function */
	INSTR_REASON_PROBE,	/* another probe lies within the jump */
	INSTR_REASON_EXIT,	/* where the function ends there is no room for a jump */
	/* refused: */
	INSTR_REASON_SIGNAL_FRAME,
	INSTR_REASON_UNDECODABLE,
	INSTR_REASON_UNMOVABLE,	/* the instruction can't be moved */
	INSTR_REASON_BREAKPOINT,	/* the instruction is int3 */
	INSTR_REASON_BOUNDARY,	/* no instruction is known to begin there */
	INSTR_REASON_SEGMENT,	/* not in the text segment, or beyond the file's end */
	INSTR_REASON_RSEQ,	/* in a restartable sequence */
	INSTR_REASON_READ,	/* an instruction of the file loads from there */
	INSTR_REASON_SUMMED,	/* the program sums it up, to see whether it is changed */
	/* refused where exits are of interest: */
	INSTR_REASON_SHARED,	/* its end is that of another function, too */
	INSTR_REASON_STACK,	/* of Go: there may be no room on the stack */
	INSTR_REASON_CALLED,	/* nothing says that a return address is on its stack */
	INSTR_REASON_CALLER,	/* it looks at where it returns to, or may return twice */
	INSTR_REASON_RUNTIME,	/* whoever calls it may look at where it returns to, see runtime.h */
	INSTR_REASON_UNWINDER,	/* it may have an unwinder that is not known by its names, too */
	INSTR_REASON_EXITS,	/* from here on: not all of its exits are known, see exits.h */
	INSTR_REASON_MAX = INSTR_REASON_EXITS + 32,
};

const char *instr_how_name(enum instr_how how);	/* "jump" "trap" "refused" "pointer" */
/* A short phrase: "the function ends within the jump"; "" for NONE. */
const char *instr_reason_text(enum instr_reason reason);

/*
 * Distances. The text's slots lie in an image of the text, shifted by one
 * distance: a site at offset o jumps with the displacement
 *
 *	rel32 = 0xTTCCCCCC	(bytes after the opcode: CC CC CC TT)
 *
 * to position o + 5 + rel32. So each byte behind the opcode of each jump is an
 * int3 (TT: an opcode that is invalid in 64-bit mode, or 0xCC too), wherever
 * the old instruction boundaries were, and the slot's address gives its site.
 *
 * Where a call begins at byte 4, with its opcode, E8, that byte can stay as it is: the
 * jump CC CC CC E8 leads to an image at another distance, the annex. So the call is
 * not moved, its return is predicted, and what it pushes is right by itself. Such a
 * site is fragile.
 *
 * Where TT is not 0xCC and would lie on an old boundary, up to three prefixes
 * (2E.. 48 E9 CC CC CC TT) shift the jump, and its slot with it: position
 * o + patch_len + rel32.
 */
struct instr_distance {
	uint8_t top;		/* TT */
	uint8_t annex;		/* the last byte of jumps into the annex; 0: there is none */
};

/* Candidates, the best first; ends with top == 0. Depends on instr_file_fixed(). */
const struct instr_distance *instr_distances(const struct instr_file *file);

/* What a plan is for. */
enum instr_measure {
	INSTR_CALLS,		/* calls are counted */
	INSTR_EXITS,		/* calls and returns are */
	INSTR_TIMES,		/* calls, exits of all kinds, and how long it took */
};

/* How it is seen that functions are left. */
enum instr_way {
	INSTR_WAY_AUTO,		/* by return where that is possible, else by slot */
	INSTR_WAY_RETURN,	/* all instructions that leave the function are probed */
	INSTR_WAY_SLOT,		/* it returns to a return slot: see uapi/linux/instr.h */
	INSTR_WAY_MAX,
};

const char *instr_way_name(enum instr_way way);	/* "auto" "return" "slot" */
enum instr_way instr_way_find(const char *name);	/* INSTR_WAY_MAX: there is none */

/* One instruction that is moved. */
struct instr_moved {
	uint16_t new_at;		/* within the block */
	uint8_t new_len;
	uint8_t old_at, old_len;	/* within the site's old bytes */
	uint8_t kind, opcode_at, modrm_at, operand_at;	/* see insn.h */
	bool operand_on_stack;
};

#define INSTR_WINDOW_MAX	(INSTR_SITE_MAX + 15)	/* bytes of displaced code */
#define INSTR_BLOCK_MAX		256			/* bytes of a block */
#define INSTR_MOVED_MAX		INSTR_SITE_MAX

/* What is looked at most stands first: there may be hundreds of thousands. */
struct instr_plan_site {
	struct instr_place place;
	uint64_t offset;
	/* The slab; positions. The slot is where the jump, or the trap, leads. */
	int64_t slot;		/* == block, or a jump to it where room is short */
	int64_t block;		/* interceptor, displaced code, jump back */
	int64_t slow;		/* how several threads count */
	uint64_t counter;	/* offset in the slab's data: see instr_plan_count(); refused: 0 */
	uint16_t block_len;
	uint16_t count_at;	/* in the block: the instruction that counts */
	uint16_t displaced_at;	/* ... where the displaced code begins */
	uint8_t how;		/* enum instr_how */
	uint8_t reason;		/* enum instr_reason */
	/* The text: @patch_len bytes change, @window_len bytes are displaced. */
	uint8_t patch_len, window_len;
	uint8_t nr_moved;
	uint32_t far;		/* bit n: the instruction at byte n refers too far for 32 bits */
	bool fragile;		/* see INSTR_SITE_FRAGILE */
	bool flags_live;	/* the interceptor must keep the flags */
	bool callee_flags_dead;	/* what is called directly in the window ignores them */
	bool calls;		/* a call is patched: it pushes what the old one did */
	bool annex;		/* its slot is in the annex */
	bool returns;		/* a jump back follows the displaced code */
	uint8_t measure;	/* enum instr_measure; but for INSTR_CALLS: */
	bool enters;		/* it is a function's entry */
	uint8_t exits;		/* bit n: moved[n] leaves a function */
	bool by_slot;		/* ... which returns to a return slot */
	bool counts_apart;	/* several threads count in a routine, as room is short */
	uint8_t unwinds;	/* it is the entry of what unwinds stacks: see timing.h */
	bool goroutine;		/* R14 leads to the bounds of the stack: see go.h */
	uint32_t record;	/* number of the function's */
	uint8_t old[INSTR_WINDOW_MAX];
	uint8_t new[INSTR_SITE_MAX];
	uint32_t cell;		/* number of its cell; 0: its place is its function's */
	uint64_t kept;		/* a pointer: where what it was is kept, behind the data */
	struct instr_moved moved[INSTR_MOVED_MAX];
};

/*
 * The slab's code begins with its descriptor: whoever holds an address inside of
 * the slab finds with it which site that serves. Little-endian, read-only.
 */
struct instr_descriptor {
	uint8_t magic[8];	/* "\x7finstr\0\1" */
	int64_t start;		/* position of the slab */
	uint64_t length;	/* of its code */
	int64_t distance;	/* 5 + rel32: from a site's E9 to its slot */
	uint64_t reference;	/* data: offset of the first counter, behind struct instr_control */
	uint64_t nr;		/* of counters: functions by their offsets, then cells */
	uint32_t nr_shards;	/* of the data: each has all counters */
	uint32_t shard_len;	/* bytes from a counter to its next shard */
	uint64_t unwind;	/* offset of the unwind part in the code, see unwinding.h; 0: none */
};

/*
 * What is not a function's entry has no place that is known in advance: it gets a
 * cell, which says whose it is. A cell's number n stands for the nth of them.
 */
struct instr_cell {
	uint64_t site;		/* offset + 1, pointers: and the top bit; 0: free */
	/* Where exits are of interest: */
	int32_t site_at;	/* from here to the site */
	uint16_t unwind;	/* bytes from the cell's start to its FDE; 0: there is none */
	uint8_t displaced;	/* ... to what return slots call; 0: they don't */
	uint8_t reserved;
	uint8_t code[236];
	uint32_t record;	/* number of its function's; where only calls are counted: code */
};

/* A run of slab code. */
struct instr_chunk {
	uint64_t offset;	/* in the slab's code; from code_len on: in the annex */
	uint64_t len;
	const uint8_t *bytes;	/* belongs to the plan */
};

struct instr_plan {
	struct instr_file *file;
	struct instr_distance distance;
	enum instr_measure measure;
	enum instr_way way;	/* but for INSTR_CALLS */
	size_t nr;		/* ascending; for INSTR_CALLS as many as were asked for */
	struct instr_plan_site *site;
	size_t nr_places;	/* as many as were asked for, in their order: */
	uint32_t *place_site;	/* the index of its site; NULL: its own */

	/*
	 * The slab has room for all functions of the file, whichever are asked for,
	 * and for @nr_cells other places.
	 */
	size_t nr_counters;
	uint32_t nr_shards, shard_len;
	uint32_t nr_cells;
	uint64_t cells;		/* offset of the first in the slab's code */
	uint64_t unwind;	/* offset of the unwind part, or 0 */
	uint64_t slots;		/* offset of the first return slot in the slab's code */
	uint64_t nr_slots;	/* 0: there is no room for any */
	uint64_t kept_len;	/* bytes behind the data: a word for each cell, or struct instr_return for each slot */
	size_t nr_records;	/* functions of the file, where they are timed */
	uint64_t times_len;	/* bytes behind that, and ... */
	uint64_t frames_len;	/* ... what each process has beside: see timing.h */
	int64_t slab_start;	/* position; page-aligned, as the lengths are */
	int64_t annex_start;	/* the same, where annex_len is not 0 */
	uint64_t annex_len;
	uint64_t code_len;
	uint64_t data_len;
	uint64_t layout;	/* as struct instr_overlay_create wants it */
	size_t nr_chunks;
	struct instr_chunk *chunk;

	/* What INSTR_PUBLISH takes. */
	size_t nr_origins;
	struct instr_origin *origins;
	size_t nr_rewinds, nr_shapes;
	struct instr_rewind *rewinds;
	struct instr_shape *shapes;
	size_t nr_sites;
	struct instr_site *sites;
	size_t nr_traps;
	struct instr_trap *traps;

	/* What INSTR_POINTERS takes. */
	uint64_t ready;
	size_t nr_pointers;
	struct instr_pointer *pointers;
};

/*
 * Plans a counting probe at each place. The code begins with struct
 * instr_descriptor, the data with struct instr_control. Sites that can't be probed
 * are in the plan, refused. -ENOSPC: none can, or the slab would lie in the file's
 * own image. -EINVAL: @places name an address twice or are not ascending, or
 * @distance is not one of instr_distances(). -E2BIG: more than one overlay may have.
 */
int instr_plan_create(struct instr_file *file, const struct instr_place *places,
		      size_t nr, struct instr_distance distance,
		      struct instr_plan **ret, struct instr_err *err);
void instr_plan_destroy(struct instr_plan *plan);

/*
 * Plans to measure each of @places, which are entries: where it is entered, and where it is
 * left. A function that can't be measured in that @way is refused.
 * What unwinds stacks in this file is planned too, so that @nr may be 0: it is told how to
 * unwind what was moved, and for INSTR_TIMES its exits are told apart. Errors as above.
 */
int instr_plan_exits(struct instr_file *file, enum instr_measure measure,
		     enum instr_way way, const struct instr_place *places, size_t nr,
		     struct instr_distance distance, struct instr_plan **ret,
		     struct instr_err *err);

/* The site of place @i, as they were asked for: of its entry. */
static inline const struct instr_plan_site *instr_plan_place(const struct instr_plan *plan,
							     size_t i)
{
	return &plan->site[plan->place_site ? plan->place_site[i] : i];
}

/*
 * Fits the plan to a slab that has served others: @cells is what its cells hold,
 * all of them. A place that has a cell keeps it. -ENOSPC: there are too few.
 */
int instr_plan_settle(struct instr_plan *plan, const struct instr_cell *cells,
		      struct instr_err *err);

/* Where a trap at @offset leads, or NULL. It calls nothing: a handler may use it. */
const struct instr_trap *instr_plan_trap(const struct instr_plan *plan, uint64_t offset);

/* The calls of @site, out of the slab's data, as many bytes as the plan says. */
uint64_t instr_plan_count(const struct instr_plan *plan,
			  const struct instr_plan_site *site, const void *data);

/* Bytes of the whole slab, but for the annex. */
static inline uint64_t instr_plan_len(const struct instr_plan *plan)
{
	return plan->code_len + plan->data_len + plan->kept_len + plan->times_len;
}

/* The code of a site's block as it will lie in the slab. */
const uint8_t *instr_plan_block(const struct instr_plan *plan,
				const struct instr_plan_site *site);

/* ---- times.c: how long functions took -------------------------------------- */

/* How a function was left. */
enum instr_exit {
	INSTR_EXIT_RETURN,
	INSTR_EXIT_EXCEPTION,
	INSTR_EXIT_LONGJMP,	/* or another way to jump out of it */
	INSTR_EXIT_THREAD,	/* its thread ended, or its process did */
	INSTR_EXIT_EXEC,	/* its process runs another program now */
	INSTR_EXIT_INSIDE,	/* it is still being executed */
	INSTR_EXIT_MAX,
};

const char *instr_exit_name(enum instr_exit exit);	/* "return" "exception" ... */

/* Values of bucket n are in [instr_bucket_start(n), instr_bucket_start(n + 1)). */
#define INSTR_BUCKETS	1376
uint64_t instr_bucket_start(unsigned int bucket);

/*
 * Of one function, in one process; times are ticks of the time stamp counter. The calls are
 * the sum of @exits. What ended its thread or is inside has no part in the times.
 */
struct instr_times {
	uint64_t calls;
	uint64_t exits[INSTR_EXIT_MAX];
	uint64_t total, self;	/* @self: without what timed callees took */
	uint64_t min, max;	/* 0 where there is none */
	uint64_t bucket[INSTR_BUCKETS];
};

/*
 * Adds what the slab's times, of plan->times_len bytes at @times, and the process's frames,
 * of plan->frames_len bytes, say of @site. Calls without an exit are counted as
 * INSTR_EXIT_INSIDE: the caller knows what became of them.
 */
void instr_times_add(struct instr_times *sum, const struct instr_plan *plan,
		     const struct instr_plan_site *site, const void *times,
		     const void *frames);

/* Where the record of a timed site's function lies in each lane. */
uint64_t instr_plan_record(const struct instr_plan_site *site);

/* Adds @times, of another process or image. */
void instr_times_merge(struct instr_times *sum, const struct instr_times *times);
/*
 * The value that @part (0 to 1) of the exits are not above, within 1.6 %; 0 where there
 * are none.
 */
uint64_t instr_times_quantile(const struct instr_times *times, double part);

/* ---- insn.c: for people --------------------------------------------------- */

/* Writes "mov rax, [rip+0x1234]" (Intel syntax) and returns its length, or -EILSEQ. */
int instr_insn_format(const uint8_t *bytes, size_t len, uint64_t vaddr,
		      char *text, size_t text_len);

#endif
