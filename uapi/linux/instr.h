/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/instr: instrument the text of running programs.
 *
 * Opening the device (CAP_SYS_ADMIN in the initial user namespace) begins a
 * session. All that a session makes, overlays and attached processes, ends with
 * the last close of the descriptor, however the owner died.
 *
 *   overlay   what is changed in the text of one ELF file: sites, a trap table
 *             and the code of a slab. It changes nothing by itself.
 *   scope     the processes that the session attached, or all. Each mapping of an
 *             overlay's file in a process of the scope, present or future,
 *             becomes a view: it shows the overlay's pages instead of the
 *             file's. The file and its page cache are never written.
 *   slab      what a view needs beside the text: [code][data], mapped at one
 *             distance from the text in every process, so that the code is the
 *             same bytes everywhere. Code is read-only and shared, data is
 *             private to each process and zero in a fork child. More code can
 *             lie at a distance of its own: the annex.
 *   space     one instrumented address space. It outlives the process as long
 *             as the session lives, so that the data can still be read.
 *
 * Positions. An *offset* counts bytes from the start of the file. A *base* is
 * the address at which a mapping has, or would have, offset 0; a *position* is
 * relative to it and may lie outside of the file: byte n of the slab lies at
 * position slab_start + n, byte n of its annex at annex_start + n.
 *
 * Every structure begins with its size, as the caller knows it. A longer one
 * than the kernel's is accepted if the surplus is zero, a shorter one is refused.
 * Padding must be zero. No call does half of what
 * it was asked for: on any error nothing has changed.
 *
 * What errors mean, in all calls:
 *   EINVAL      a size too small, a value out of its range, misaligned
 *   E2BIG       the structure is longer than known here, and not by zeros
 *   EOPNOTSUPP  unknown flags
 *   ENOTTY      unknown command
 *   EFAULT      a pointer that can't be read or written
 *   ENOENT      no such overlay or space in this session
 *   ESRCH       no such process
 *   ESHUTDOWN   the session was removed by another one (INSTR_REMOVE)
 *   ENOMEM      out of memory
 */
#ifndef _UAPI_LINUX_INSTR_H
#define _UAPI_LINUX_INSTR_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define INSTR_ABI	6

/* The longest patch of a site, in bytes. */
#define INSTR_SITE_MAX	8

/* Limits of one overlay; more is refused with EINVAL. */
#define INSTR_SITES_MAX	(1U << 20)
#define INSTR_TRAPS_MAX	(1U << 23)
#define INSTR_CODE_MAX	(1ULL << 30)	/* bytes of slab code, and its annex */
#define INSTR_DATA_MAX	(1ULL << 26)	/* bytes of slab data, and of kept data */
#define INSTR_POINTERS_MAX	(1U << 16)
#define INSTR_SHAPES_MAX	64
#define INSTR_TIMES_MAX	(1ULL << 32)	/* bytes of times, and of frames */

#define INSTR_IOC	0xF7

/**
 * struct instr_info - ioctl(INSTR_INFO): what the module is and holds
 * @size: sizeof(struct instr_info)
 * @flags: must be 0
 * @out_abi: INSTR_ABI of the module
 * @out_session_id: id of the calling session, as others see it
 * @out_sessions: live sessions, of all users
 * @out_overlays: live overlays
 * @out_spaces: live spaces
 * @out_views: live views
 * @out_pages: patched pages held
 * @out_pinned: pages that are pinned in processes, or kept of some that have ended
 * @out_tsc_khz: ticks of the time stamp counter in a millisecond; 0: what measures
 *	times can't work here (the counter is not stable, or the processor lets programs
 *	not read their FS base), and overlays with times are refused
 * @pad: 0
 *
 * The counts are of the whole machine. They are all zero, but for the caller's
 * own session, when nothing is instrumented.
 */
struct instr_info {
	__u32 size;
	__u32 flags;
	__u32 out_abi;
	__u32 out_session_id;
	__u32 out_sessions;
	__u32 out_overlays;
	__u32 out_spaces;
	__u32 out_views;
	__u64 out_pages;
	__u64 out_pinned;
	__u32 out_tsc_khz;
	__u32 pad;
};
#define INSTR_INFO		_IOWR(INSTR_IOC, 0x00, struct instr_info)

/* A vfork child shares its parent's data; it is told from its siblings by this. */
#define INSTR_VFORKS_MAX	61

/* struct instr_control: @gate */
#define INSTR_GATE_SOLO		0	/* there is one thread: it counts */
#define INSTR_GATE_MANY		1	/* there are several: all count */
#define INSTR_GATE_VFORK	2	/* but those whose FS base is in @vfork */
#define INSTR_GATE_SHUT		3	/* nobody counts */

/**
 * struct instr_control - the first bytes of a slab's data
 * @gate: who counts: INSTR_GATE_*
 * @vfork: FS bases of the threads that have a vfork child now: the child has the
 *	same. An end of 0; 1 is no thread's
 * @frames: address of the process's frames (struct instr_thread), with INSTR_FRAMES_OPEN
 *	while @gate is INSTR_GATE_SOLO or INSTR_GATE_MANY; 0: there are none, or nothing is measured (any more)
 *
 * Written by the module, before the child runs, and before its parent runs again;
 * read by the code of the slab. In a fork child it is zero, as all data is.
 */
struct instr_control {
	__u64 gate;
	__u64 vfork[INSTR_VFORKS_MAX + 1];
	__u64 frames;
};

#define INSTR_FRAMES_OPEN	1ULL

/*
 * Frames: memory of a process in which the code of all its slabs keeps what it knows of
 * functions that were entered and not left yet. It begins with the table of its threads.
 * A thread is looked for by its FS base, from entry INSTR_THREAD_HASH(fs_base) on,
 * around the end of the table, up to a free entry.
 *
 * Entries are made by the module: a thread that has none goes, in the code of any slab,
 * to an int3 at byte INSTR_THREAD_TRAP with the address of the entry that it wants, free
 * or left, in RDI, having made sure that the page is there, and 1 in RAX. It goes on
 * behind the int3 with RAX = 0: look again, or RAX = 1: there will be no entry. When
 * nobody is left to answer the int3 becomes a nop, for threads that were on their way.
 */
#define INSTR_THREADS		4096
#define INSTR_THREADS_LEN	((__u64)INSTR_THREADS * sizeof(struct instr_thread))
#define INSTR_THREAD_HASH(fs_base) \
	((__u32)((fs_base) >> 6) * 0x9e3779b1U >> 20)
#define INSTR_THREAD_TRAP	0xff0

/* struct instr_thread: @fs_base of entries that are no thread's */
#define INSTR_THREAD_FREE	0	/* nor has ever been */
#define INSTR_THREAD_LEFT	1	/* flag: of a thread that ended; for one with the same FS base */

/* Lane 0 is for all threads that got no lane of their own. */
#define INSTR_LANES		8

/**
 * struct instr_thread - an entry of the table of threads
 * @fs_base: of the thread, with INSTR_THREAD_LEFT or not, or INSTR_THREAD_FREE. Written
 *	last
 * @lane: 0, or one of 1 to INSTR_LANES - 1 that no other thread of the process has
 * @stack_start: its own stack: what it runs on if it does not run on another one, which
 *	it got from sigaltstack() or made itself
 * @stack_end: first address behind it; both 0: not known
 * @born: time stamp of when this entry was made
 * @slab: for the code of slabs, zero in the beginning
 *
 * When a thread is made that has the FS base of one that ended, its entry is marked as left,
 * and its lane is 0.
 */
struct instr_thread {
	__u64 fs_base;
	__u64 lane;
	__u64 stack_start;
	__u64 stack_end;
	__u64 born;
	__u64 slab[3];
};

/*
 * Behind those (struct instr_unwinds) is, at byte INSTR_STACK_PAGES_AT of the frames,
 * the table of all pages of stacks that functions were entered on which are measured.
 */
#define INSTR_STACK_PAGES_AT	0x41000
#define INSTR_STACK_PAGES	16384

/**
 * struct instr_stack_page - an entry of that table
 * @page: address of the page; 0: none. It stays what it is
 * @slab: for the code of slabs
 */
struct instr_stack_page {
	__u64 page;
	__u64 slab[3];
};

/*
 * Return slots: code of a slab that functions return to instead of to their callers, as
 * many as struct instr_overlay_create says. Slot n begins n * INSTR_SLOT_LEN bytes behind
 * the first, and calls what the function does: the return address on the stack is
 * INSTR_SLOT_RETURN bytes behind its start. Where it goes on from there says entry n of a
 * table of struct instr_return, with which what the slab keeps begins: a function that is
 * called from one place has one slot for that, and all of its frames share it.
 *
 * A process that leaves the scope, and a fork child, has no slots on its stacks any more:
 * the module puts the addresses back that they stand for. It looks at the pages that the
 * table of stacks' pages names, if they are writable and anonymous memory, and there at each
 * aligned word. One that is INSTR_SLOT_RETURN bytes behind the start of a slot that is not
 * free becomes the slot's @to, or what that stands for if it is a slot's, too. A thread that
 * is interrupted while it takes a slot may still put it on its stack later.
 */
#define INSTR_SLOT_LEN		32
#define INSTR_SLOT_RETURN	6

/**
 * struct instr_return - where a slot returns to
 * @to: address; 0: the slot is free. It stays what it is
 * @slab: for the code of the slab, zero in the beginning
 */
struct instr_return {
	__u64 to;
	__u64 slab[3];
};

/**
 * struct instr_slabs - which slabs with times the process has; in frames, behind the
 *	table of threads
 * @start: address of a slab; 0: there are no more from here on
 * @len: bytes of its code; 0: it isn't there yet
 *
 * Entries are added, @start first, and stay as they are: they are read with no lock, at any
 * time. Where a slab finds no room, who unwinds a stack is not told of its code, and stops
 * if a signal has interrupted that.
 */
#define INSTR_SLABS		64

struct instr_slabs {
	struct {
		__u64 start;
		__u64 len;
	} slab[INSTR_SLABS];
};

/**
 * struct instr_unwinds - what who unwinds stacks was told by the code of slabs; in frames,
 *	behind the table of slabs
 * @lookups: how often code of a slab was looked up
 * @functions: of how many functions; one that is in two slabs counts twice
 *
 * Written by that code. A program that never unwinds through a slab has zeros here. The
 * module shows them to everybody (INSTR_CMD_SPACE_GET), but does not believe them.
 */
struct instr_unwinds {
	__u64 lookups;
	__u64 functions;
};

#define INSTR_UNWINDS_AT	(INSTR_THREADS_LEN + sizeof(struct instr_slabs))
#define INSTR_FRAMES_MIN	(INSTR_UNWINDS_AT + sizeof(struct instr_unwinds))

/**
 * struct instr_overlay_create - ioctl(INSTR_OVERLAY_CREATE)
 * @size: sizeof(struct instr_overlay_create)
 * @flags: must be 0
 * @file_fd: the executable or library, open for reading
 * @out_overlay_id: the new overlay
 * @slab_start: position of the slab, in bytes, page-aligned
 * @code_len: bytes of code, page-aligned, at least a page
 * @data_len: bytes of data behind the code, page-aligned, at least a page. It
 *	begins with struct instr_control
 * @kept_len: bytes behind the data, page-aligned, or 0: data that a fork child
 *	has as its parent had it (INSTR_POINTERS)
 * @layout: 0, or a number that stands for every byte of code that might ever be
 *	written to a slab of this file with this geometry. A process keeps its slabs
 *	for ever: one that was left by an earlier session serves a later one with
 *	the same layout, its counters begin at 0 again. Otherwise its place is taken. A
 *	part of the code may be left for what is not known in advance: who writes
 *	there reads first what is there.
 * @annex_start: position of the annex, page-aligned; 0 if there is none. It does not
 *	overlap the slab
 * @annex_len: bytes of code in the annex, page-aligned, or 0: there is none. Together
 *	with @code_len at most INSTR_CODE_MAX
 * @times_len: bytes behind what is kept, page-aligned, or 0: data that gets memory only
 *	where it is written to, is not limited by INSTR_DATA_MAX, and is read by
 *	INSTR_TIMES_READ
 * @frames_len: 0, or with @times_len the length of the frames (struct instr_thread) that a
 *	process with such a slab gets, page-aligned, at least INSTR_FRAMES_MIN: the same
 *	in all overlays of the session (EINVAL)
 * @slots_start: position of the first return slot, page-aligned; 0 if there are none. All
 *	of them lie in the code
 * @nr_slots: how many there are; their table (struct instr_return) lies in what is kept.
 *	0: there are none. Only with @frames_len, which then has all stack pages
 *
 * The annex is code as the other is, for jumps of another displacement than most. A
 * slab has its place only where its annex has too.
 *
 * Sessions do not share a file: EBUSY if another one has an overlay of it.
 * Within one session several overlays of a file are alternatives: a process
 * takes the first whose slab finds its place free.
 *
 * EBADF: not open for reading. ENOEXEC: not a regular file with pages of its
 * own (DAX, secret memory, huge pages).
 */
struct instr_overlay_create {
	__u32 size;
	__u32 flags;
	__s32 file_fd;
	__u32 out_overlay_id;
	__aligned_u64 slab_start;	/* two's complement */
	__aligned_u64 code_len;
	__aligned_u64 data_len;
	__aligned_u64 kept_len;
	__aligned_u64 layout;
	__aligned_u64 annex_start;	/* two's complement */
	__aligned_u64 annex_len;
	__aligned_u64 times_len;
	__aligned_u64 frames_len;
	__aligned_u64 slots_start;	/* two's complement */
	__aligned_u64 nr_slots;
};
#define INSTR_OVERLAY_CREATE	_IOWR(INSTR_IOC, 0x01, struct instr_overlay_create)

/**
 * struct instr_slab_io - ioctl(INSTR_SLAB_WRITE), ioctl(INSTR_SLAB_READ): the code
 *	of a slab
 * @size: sizeof(struct instr_slab_io)
 * @flags: must be 0
 * @overlay_id: the overlay
 * @pad: must be 0
 * @offset: where in the slab's code, in bytes: from 0 on the code at slab_start,
 *	from code_len on the annex
 * @len: bytes, at most 64 MiB
 * @ptr: address of the bytes to write, or of where to put those that are read
 *
 * Code is immortal: threads, stacks and pages copied by a debugger may refer to
 * it for ever. A byte that is not zero can't be changed (EEXIST), a zero byte in
 * the request leaves what is there. There may be code from the beginning, of an
 * earlier session (see @layout): what a slab has room for beyond that, one finds
 * out by reading it.
 */
struct instr_slab_io {
	__u32 size;
	__u32 flags;
	__u32 overlay_id;
	__u32 pad;
	__aligned_u64 offset;
	__aligned_u64 len;
	__aligned_u64 ptr;
};
#define INSTR_SLAB_WRITE	_IOW(INSTR_IOC, 0x02, struct instr_slab_io)

/**
 * struct instr_site - a changed place in the text
 * @offset: of its first byte
 * @len: bytes changed, 1 to INSTR_SITE_MAX; they lie in one page
 * @flags: INSTR_SITE_FRAGILE or 0
 * @pad: must be 0
 * @old: the file's bytes
 * @new: the bytes to show
 */
struct instr_site {
	__aligned_u64 offset;
	__u8 len;
	__u8 flags;
	__u8 pad[6];
	__u8 old[INSTR_SITE_MAX];
	__u8 new[INSTR_SITE_MAX];
};

/*
 * A debugger that sets a breakpoint at an instruction boundary inside of this
 * site, or right behind it, would change where its jump leads. In a process that is being traced the
 * site shows int3 (0xCC) and, behind it, the old bytes; the trap table must
 * have an entry for its offset.
 */
#define INSTR_SITE_FRAGILE	0x01
#define INSTR_SITE_FLAGS_ALL	0x01

/**
 * struct instr_trap - where a trap at a place in the text leads
 * @offset: of the trapping byte (int3, or an opcode that is invalid)
 * @target: position in the slab's code, or its annex, that execution goes on at
 *
 * An entry is immortal, as code is.
 */
struct instr_trap {
	__aligned_u64 offset;
	__aligned_u64 target;		/* two's complement */
};

/**
 * struct instr_origin - what code of a slab stands for
 * @code: position in the slab's code, or its annex, of an instruction
 * @offset: of the instruction of the file that it was; with INSTR_ORIGIN_ANY or not
 *
 * A program that handles a fault of an instruction (SIGSEGV, SIGBUS, SIGFPE, SIGILL) may
 * look at where that is. If it is at @code, the fault is told to have happened at @offset,
 * and execution goes on there: registers and memory have to be what they would be in the
 * text. A handler that returns comes to the site again, so that all that its code does
 * before the instruction is done, and counted, once more. Debuggers see @code.
 *
 * With INSTR_ORIGIN_ANY it is the same for all signals that have a handler, or dump core,
 * whoever sends them, but for SIGTRAP and SIGSYS, which tell of what has been done. A system
 * call that the kernel begins again is begun at its origin, if it has such a one: behind
 * others the thread stays where it is. An entry is immortal, as code is.
 */
struct instr_origin {
	__aligned_u64 code;		/* two's complement */
	__aligned_u64 offset;
};

#define INSTR_ORIGIN_ANY	(1ULL << 63)

/* struct instr_row: @flags */
#define INSTR_FLAGS_KEPT	0	/* they are what they were, or nobody needs them */
#define INSTR_FLAGS_AX		1	/* in AH, as LAHF has it; AL is 1 if OF was set */
#define INSTR_FLAGS_AH		2	/* in AH; OF is what it was */

/**
 * struct instr_row - where, in front of an instruction, is what it found in the beginning
 * @at: of the instruction, in bytes from the start of the code
 * @depth: how far RSP is below where it was; this and what follows in words of 8 bytes
 * @ax: RAX lies so far below where RSP was; 0: in the register
 * @cx: the same of RCX
 * @flags: INSTR_FLAGS_*: where the arithmetic flags are
 * @flags_at: with INSTR_FLAGS_AX, where the AX lies that has them; 0: in the register
 * @counted: 1: the call is counted, unless the gate let the thread pass uncounted
 * @pad: must be 0
 *
 * Nothing below @depth is looked at: @ax, @cx and @flags_at are not greater.
 */
struct instr_row {
	__u8 at;
	__u8 depth;
	__u8 ax;
	__u8 cx;
	__u8 flags;
	__u8 flags_at;
	__u8 counted;
	__u8 pad;
};

#define INSTR_ROWS_MAX	31

/**
 * struct instr_shape - code that counts, as there is much of the same kind
 * @nr: number of rows, at least 1
 * @pad: must be 0
 * @row: by ascending @at, the first of which is 0; behind @nr they are zero
 */
struct instr_shape {
	__u8 nr;
	__u8 pad[7];
	struct instr_row row[INSTR_ROWS_MAX];
};

/**
 * struct instr_rewind - how a thread is taken out of code that counts
 * @code: position of the code in the slab, or its annex
 * @offset: of the instruction of the file that it is executed in place of. With
 *	INSTR_REWIND_POINTER: of a word in what is kept, a multiple of 8. With
 *	INSTR_REWIND_ROUTINE: 0
 * @counter: where calls are counted: offset in the slab's data, behind struct
 *	instr_control, a multiple of 8; 0: nowhere. More threads than one add to it with LOCK,
 *	or to another
 * @shape: index of its struct instr_shape in the request
 * @flags: INSTR_REWIND_*
 *
 * Before a handler sees a signal that interrupts a thread in front of an instruction of
 * @code, or a core dump does, registers and RSP become what they were, a call that is
 * counted is taken back, and the thread is at @offset: as if it had not come here yet. When
 * the handler returns it comes again. If the stack can't be read without sleeping the thread
 * stays where it is. The signals are those of INSTR_ORIGIN_ANY, and a rewind comes before an
 * origin that has it not. What is behind a pointer can't come again: it goes on, to where the
 * pointer led, and is counted if it was not. An entry is immortal, as code is.
 */
struct instr_rewind {
	__aligned_u64 code;		/* two's complement */
	__aligned_u64 offset;
	__u32 counter;
	__u16 shape;
	__u16 flags;
};

#define INSTR_REWIND_CALL	0x01	/* the site is a call: what it pushed is taken, too */
#define INSTR_REWIND_POINTER	0x02	/* it goes on */
#define INSTR_REWIND_ROUTINE	0x04	/* it was called, by other such code */
#define INSTR_REWIND_FLAGS_ALL	0x07

/**
 * struct instr_publish - ioctl(INSTR_PUBLISH): set an overlay's sites
 * @size: sizeof(struct instr_publish)
 * @flags: must be 0
 * @overlay_id: the overlay
 * @out_bad: the index of the site, trap, origin, shape or rewind that is to blame for an
 *	error
 * @nr_sites: number of @sites; 0 shows the file as it is
 * @nr_traps: number of @traps
 * @sites: address of an array of struct instr_site, by ascending offset
 * @traps: address of an array of struct instr_trap, by ascending offset
 * @nr_origins: number of @origins, at most INSTR_TRAPS_MAX
 * @nr_rewinds: number of @rewinds, at most INSTR_TRAPS_MAX
 * @origins: address of an array of struct instr_origin, by ascending code
 * @rewinds: address of an array of struct instr_rewind, by ascending code
 * @shapes: address of an array of struct instr_shape, which @rewinds refer to
 * @nr_shapes: number of @shapes, at most INSTR_SHAPES_MAX
 * @pad: must be 0
 *
 * The sites replace those published before: a page changes as a whole, and no
 * thread is stopped. The traps, origins and rewinds are added to those published before.
 * When the call returns, no process runs a state that was published earlier, but for
 * threads that are inside of the slab.
 *
 * ESTALE: the file has other bytes than @old. EEXIST: a trap of that offset
 * leads elsewhere already, or an origin of that code does, or a rewind of that code is
 * another. ERANGE: a site, a target, an origin or a rewind outside of its place, not
 * ascending, overlapping, straddling a page, or a fragile site with no trap; or a shape that
 * is none. out_bad is set for these three. ENOSPC: the overlay would have more than
 * INSTR_SHAPES_MAX shapes in all.
 */
struct instr_publish {
	__u32 size;
	__u32 flags;
	__u32 overlay_id;
	__u32 out_bad;
	__u32 nr_sites;
	__u32 nr_traps;
	__aligned_u64 sites;
	__aligned_u64 traps;
	__u32 nr_origins;
	__u32 nr_rewinds;
	__aligned_u64 origins;
	__aligned_u64 rewinds;
	__aligned_u64 shapes;
	__u32 nr_shapes;
	__u32 pad;
};
#define INSTR_PUBLISH		_IOWR(INSTR_IOC, 0x03, struct instr_publish)

/**
 * struct instr_attach - ioctl(INSTR_ATTACH): take a process into the scope
 * @size: sizeof(struct instr_attach)
 * @flags: INSTR_ATTACH_*
 * @pid: the process, in the caller's pid namespace; any of its threads will do
 * @out_views: views that it has now
 *
 * The process stays in the scope across exec, until it ends, or is detached.
 * A mapping that can't be served leaves the process as it is, and is told by
 * an event (INSTR_EVENT_REFUSED) and in the space's dump.
 *
 * Its children, and theirs, are known to the session as long as they live: events tell of
 * them, and INSTR_CMD_PROCESS_GET lists them. They are measured only if they are followed.
 * With INSTR_ATTACH_FOLLOW a fork child is in the scope before its first instruction, with
 * an address space, and counters, of its own; what it executes later is not, unless
 * INSTR_ATTACH_FOLLOW_EXEC is set. A child in its parent's address space is not measured
 * before it executes another image; one that goes on there without an end of its
 * parent's wait (clone(2) with CLONE_VM and no CLONE_VFORK) counts as a thread of it.
 *
 * With INSTR_ATTACH_EXACT the text and the pointers of a process with no other thread are
 * the files' own, byte for byte, while a vfork child runs in it. Otherwise such a child runs
 * the changed text, and is not counted. Each time the changed pages go out of the page
 * tables of all processes that map the file, which get them back when they need them.
 *
 * EEXIST: in the scope already. EPERM: a kernel thread. ENOEXEC: a 32-bit
 * process. EINVAL: INSTR_ATTACH_FOLLOW_EXEC alone.
 */
#define INSTR_ATTACH_ON_EXEC		0x01	/* only from its next exec on */
#define INSTR_ATTACH_FOLLOW		0x02
#define INSTR_ATTACH_FOLLOW_EXEC	0x04
#define INSTR_ATTACH_EXACT		0x08
#define INSTR_ATTACH_FLAGS_ALL		0x0f

struct instr_attach {
	__u32 size;
	__u32 flags;
	__s32 pid;
	__u32 out_views;
};
#define INSTR_ATTACH		_IOWR(INSTR_IOC, 0x04, struct instr_attach)

/**
 * struct instr_detach - ioctl(INSTR_DETACH): take a process out of the scope
 * @size: sizeof(struct instr_detach)
 * @flags: must be 0
 * @pid: the process; 0: all of the scope, and what is known of their descendants
 * @pad: must be 0
 *
 * It runs the file's own text when the call returns. Its spaces remain to be
 * read. Children of its that are followed stay in the scope. ESRCH: not in the scope.
 */
struct instr_detach {
	__u32 size;
	__u32 flags;
	__s32 pid;
	__u32 pad;
};
#define INSTR_DETACH		_IOW(INSTR_IOC, 0x05, struct instr_detach)

/**
 * struct instr_space_next - ioctl(INSTR_SPACE_NEXT): walk the session's spaces
 * @size: sizeof(struct instr_space_next)
 * @flags: 0, or INSTR_SPACE_GONE: only those that have @out_gone
 * @space_id: in: 0, or the last space seen; out: the next one
 * @out_pid: the process, also after its end, in the caller's pid namespace; 0 if
 *	it is not in that
 * @out_live: 1 while the address space exists and is in the scope
 * @out_refused: errno of the last mapping that could not be served, or 0
 * @out_private: patched pages that the process does not show, as it has private
 *	copies of them (breakpoints, uprobes, self-modified text)
 * @out_slabs: slabs that are mapped in it
 * @out_unset: pointers (INSTR_POINTERS) that lead where they did, as they were not
 *	relocated, or not bound, when we looked last
 * @out_exec: 1: the address space ended, as its process runs another program now
 * @out_gone: 1: the address space has ended, and nothing of it changes any more: when all
 *	has been read it can be forgotten (INSTR_SPACE_FORGET)
 * @pad: 0
 * @out_comm: name of the process when the space began, NUL-terminated
 *
 * ENOENT: there is no further space.
 */
#define INSTR_SPACE_GONE	0x01

struct instr_space_next {
	__u32 size;
	__u32 flags;
	__u32 space_id;
	__s32 out_pid;
	__u32 out_live;
	__u32 out_refused;
	__u32 out_private;
	__u32 out_slabs;
	__u32 out_unset;
	__u32 out_exec;
	__u32 out_gone;
	__u32 pad;
	__u8 out_comm[16];
};
#define INSTR_SPACE_NEXT	_IOWR(INSTR_IOC, 0x06, struct instr_space_next)

/**
 * struct instr_data_read - ioctl(INSTR_DATA_READ): read counters
 * @size: sizeof(struct instr_data_read)
 * @flags: must be 0
 * @space_id: the space, live or gone
 * @overlay_id: the overlay
 * @offset: of the first counter in the slab's data, in bytes, a multiple of 8
 * @nr: number of counters
 * @ptr: address of an array of __u64
 *
 * Each result is the sum over all slabs of that overlay in the space; it is 0
 * where there is none. The process may write its data itself: what is read is
 * its word, and nobody else's.
 */
struct instr_data_read {
	__u32 size;
	__u32 flags;
	__u32 space_id;
	__u32 overlay_id;
	__aligned_u64 offset;
	__aligned_u64 nr;
	__aligned_u64 ptr;
};
#define INSTR_DATA_READ		_IOW(INSTR_IOC, 0x07, struct instr_data_read)

/**
 * struct instr_remove - ioctl(INSTR_REMOVE): end a session, of anybody
 * @size: sizeof(struct instr_remove)
 * @flags: must be 0
 * @session_id: the session; 0: all but the calling one
 * @out_removed: how many were ended
 *
 * It is as if its owner had closed it: all processes run the files' own text
 * when the call returns. The owner's next call fails with ESHUTDOWN. ENOENT: no
 * such session.
 */
struct instr_remove {
	__u32 size;
	__u32 flags;
	__u32 session_id;
	__u32 out_removed;
};
#define INSTR_REMOVE		_IOWR(INSTR_IOC, 0x08, struct instr_remove)

#define INSTR_SLAB_READ		_IOW(INSTR_IOC, 0x09, struct instr_slab_io)

/**
 * struct instr_pointer - a pointer of the process that is to lead into the slab
 * @position: of the pointer, in the mappings of the overlay's file or right behind
 *	them, a multiple of 8
 * @target: position in the slab's code that it becomes; not in the annex
 * @kept: where what it was is kept: offset behind the slab's data, a multiple of 8
 * @lazy_start: a pointer to here, up to @lazy_end, is not bound yet, and is left
 * @lazy_end: equal to @lazy_start: there is nothing of that kind
 */
struct instr_pointer {
	__aligned_u64 position;		/* two's complement, all but @kept */
	__aligned_u64 target;
	__aligned_u64 kept;
	__aligned_u64 lazy_start;
	__aligned_u64 lazy_end;
};

/**
 * struct instr_pointers - ioctl(INSTR_POINTERS): redirect pointers, not text
 * @size: sizeof(struct instr_pointers)
 * @flags: must be 0
 * @overlay_id: the overlay
 * @nr: number of @pointers, 1 to INSTR_POINTERS_MAX
 * @ready: 0, or the position of a page in the file's mappings: as long as it is
 *	writable the pointers have no value yet (PT_GNU_RELRO)
 * @pointers: address of an array of struct instr_pointer
 *
 * In each process of the scope, as soon as @ready says so, the pointer's value is
 * kept, and it leads to @target; when the process leaves the scope it leads where it
 * did, if the process has not changed it. A fork child has its parent's pointers.
 *
 * EBUSY: the overlay has pointers already, or is in use in a process. ERANGE: one of
 * the values is outside of its place.
 */
struct instr_pointers {
	__u32 size;
	__u32 flags;
	__u32 overlay_id;
	__u32 nr;
	__aligned_u64 ready;		/* two's complement */
	__aligned_u64 pointers;
};
#define INSTR_POINTERS		_IOW(INSTR_IOC, 0x0a, struct instr_pointers)

/**
 * struct instr_times_read - ioctl(INSTR_TIMES_READ): read times, or frames
 * @size: sizeof(struct instr_times_read)
 * @flags: must be 0
 * @space_id: the space, live or gone
 * @overlay_id: the overlay: the times of a slab are read; 0: the space's frames are
 * @slab: which of the overlay's slabs in the space, from 0 on; 0 for frames
 * @pad: must be 0
 * @offset: of the first byte, in times or frames
 * @len: bytes, at most 64 MiB
 * @ptr: address of where to put them
 * @out_address: where byte 0 of the times, or frames, lies in the process
 *
 * What has never been written to is zero. Of a space that is gone they are what they were
 * when it ended. The process may write both itself.
 *
 * ENXIO: there is no such slab, no times, or no frames.
 */
struct instr_times_read {
	__u32 size;
	__u32 flags;
	__u32 space_id;
	__u32 overlay_id;
	__u32 slab;
	__u32 pad;
	__aligned_u64 offset;
	__aligned_u64 len;
	__aligned_u64 ptr;
	__u64 out_address;
};
#define INSTR_TIMES_READ	_IOWR(INSTR_IOC, 0x0b, struct instr_times_read)

/**
 * struct instr_threads_read - ioctl(INSTR_THREADS_READ): which threads are there
 * @size: sizeof(struct instr_threads_read)
 * @flags: must be 0
 * @space_id: the space
 * @nr: room for that many
 * @ptr: address of an array of __u64: the FS base of each thread that lives
 * @out_nr: how many there are, also if that is more than @nr
 * @pad: 0
 */
struct instr_threads_read {
	__u32 size;
	__u32 flags;
	__u32 space_id;
	__u32 nr;
	__aligned_u64 ptr;
	__u32 out_nr;
	__u32 pad;
};
#define INSTR_THREADS_READ	_IOWR(INSTR_IOC, 0x0c, struct instr_threads_read)

/**
 * struct instr_space_forget - ioctl(INSTR_SPACE_FORGET): what was read of a space is all
 * @size: sizeof(struct instr_space_forget)
 * @flags: must be 0
 * @space_id: the space, of an address space that has ended
 * @pad: must be 0
 *
 * Its counters and times take memory until then, or until the session ends. EBUSY: the
 * address space exists.
 */
struct instr_space_forget {
	__u32 size;
	__u32 flags;
	__u32 space_id;
	__u32 pad;
};
#define INSTR_SPACE_FORGET	_IOW(INSTR_IOC, 0x0d, struct instr_space_forget)

/**
 * struct instr_attach_all - ioctl(INSTR_ATTACH_ALL): take all processes into the scope
 * @size: sizeof(struct instr_attach_all)
 * @flags: INSTR_ATTACH_FOLLOW, INSTR_ATTACH_EXACT, INSTR_ALL_*
 * @uid: with INSTR_ALL_UID: only those of this effective user, in the caller's namespace
 * @cgroup_fd: with INSTR_ALL_CGROUP: only those below this directory of cgroup version 2
 * @comm: with INSTR_ALL_COMM: only those whose name matches this shell pattern, which ends
 *	with a NUL
 * @out_views: views that there are now
 * @pad: must be 0
 *
 * Those that map a file of an overlay now, and all that will, from the first instruction of
 * what they execute or load; in all namespaces. Processes that map none cost nothing, and
 * nothing is told of them: there are only the events of spaces. The filters are asked when
 * a file is mapped, and when a process is forked: who was let in stays.
 *
 * With INSTR_ATTACH_FOLLOW fork children are processes like any other; otherwise they are
 * measured from their next exec on, and known, and told of, until then. Processes that are
 * in the scope by INSTR_ATTACH, and their children, are treated as that says.
 *
 * INSTR_DETACH with 0 is the end of it. EEXIST: it is so already. EBADF: not a cgroup's
 * directory. EINVAL: a value that no filter of the flags asks for, or a pattern without end.
 */
#define INSTR_ALL_UID			0x10
#define INSTR_ALL_CGROUP		0x20
#define INSTR_ALL_COMM			0x40
#define INSTR_ALL_FLAGS_ALL \
	(INSTR_ATTACH_FOLLOW | INSTR_ATTACH_EXACT | INSTR_ALL_UID | INSTR_ALL_CGROUP | \
	 INSTR_ALL_COMM)

struct instr_attach_all {
	__u32 size;
	__u32 flags;
	__u32 uid;
	__s32 cgroup_fd;
	__u8 comm[32];
	__u32 out_views;
	__u32 pad;
};
#define INSTR_ATTACH_ALL	_IOWR(INSTR_IOC, 0x0e, struct instr_attach_all)

#endif /* _UAPI_LINUX_INSTR_H */
