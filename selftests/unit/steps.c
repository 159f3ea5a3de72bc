// SPDX-License-Identifier: GPL-2.0
/*
 * Steps: a program is run instruction by instruction, to see whether what exits.c says
 * is what happens: a function whose exits are known ends at one of them, and at one of
 * them it ends.
 *
 *	steps [PROGRAM [ARGUMENT]...]
 */

#include <elf.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exits.h"
#include "file.h"
#include "tap.h"

#define OBJECTS_MAX 64
#define FRAMES_MAX 65536
#define COMPLAINTS_MAX 20

/* A file whose text is mapped. */
struct object {
	uint64_t start, end;	/* addresses in the process */
	uint64_t bias;		/* address - vaddr */
	struct instr_file *file;	/* NULL: not one that can be read */
	struct exits_text text;
	struct exits *exits;	/* by function; NULL: not known */
	bool *is_known;
	uint32_t *entry;	/* by byte: number of the function that begins there, + 1 */
};

/* A call that hasn't ended. */
struct frame_of {
	const struct object *object;
	size_t func;
	uint64_t sp;		/* where its return address is */
};

static struct object objects[OBJECTS_MAX];
static size_t nr_objects;
static struct frame_of frames[FRAMES_MAX];
static size_t nr_frames;
static uint64_t nr_steps, nr_entered, nr_left, nr_unwound, nr_wrong;

/* ---- what is mapped ---------------------------------------------------------- */

static void find_exits(struct object *object)
{
	const struct func_table *funcs = object->text.funcs;

	object->exits = calloc(funcs->nr, sizeof(*object->exits));
	object->is_known = calloc(funcs->nr, sizeof(*object->is_known));
	object->entry = calloc(object->text.len, sizeof(*object->entry));
	for (size_t i = 0; i < funcs->nr; i++) {
		uint64_t at = funcs->func[i].vaddr - object->text.vaddr;

		if (funcs->func[i].is_alias || at >= object->text.len)
			continue;
		object->is_known[i] = !exits_find(&object->text, i, &object->exits[i]);
		if (object->is_known[i])
			object->entry[at] = (uint32_t)i + 1;
	}
}

static void read_object(struct object *object, const char *path, uint64_t offset)
{
	if (path[0] != '/' || instr_file_open(path, &object->file, NULL))
		return;
	if (exits_text_init(&object->text, object->file, NULL)) {
		instr_file_close(object->file);
		object->file = NULL;
		return;
	}
	object->bias = object->start - (offset + object->file->skew);
	find_exits(object);
}

static struct object *add_object(pid_t pid, uint64_t address)
{
	char path[64], line[4400], name[4200];
	struct object *new = NULL;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	while (maps && !new && nr_objects < OBJECTS_MAX && fgets(line, sizeof(line), maps)) {
		uint64_t start, end, offset;

		name[0] = '\0';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %4199s",
			   &start, &end, &offset, name) < 3 || address < start || address >= end)
			continue;
		new = &objects[nr_objects++];
		*new = (struct object){ .start = start, .end = end };
		read_object(new, name, offset);
	}
	if (maps)
		fclose(maps);
	return new;
}

static struct object *find_object(pid_t pid, uint64_t address)
{
	static struct object *last;

	if (last && address >= last->start && address < last->end)
		return last;
	for (size_t i = 0; i < nr_objects; i++) {
		if (address >= objects[i].start && address < objects[i].end)
			return last = &objects[i];
	}
	return last = add_object(pid, address);
}

/* ---- what happens ------------------------------------------------------------ */

static const char *name_of(const struct frame_of *frame)
{
	return frame->object->text.funcs->func[frame->func].name;
}

static void complain(const char *what, const struct frame_of *frame, uint64_t address)
{
	if (nr_wrong++ < COMPLAINTS_MAX)
		printf("# %s: %s, at vaddr 0x%" PRIx64 "\n", name_of(frame), what,
		       address - frame->object->bias);
}

static void on_entry(pid_t pid, const struct user_regs_struct *regs)
{
	const struct object *object = find_object(pid, regs->rip);
	uint64_t at;

	if (!object || !object->file)
		return;
	at = regs->rip - object->bias - object->text.vaddr;
	if (at >= object->text.len || !object->entry[at] || nr_frames == FRAMES_MAX)
		return;
	frames[nr_frames++] = (struct frame_of){ object, object->entry[at] - 1, regs->rsp };
	nr_entered++;
}

static const struct exit *find_exit(const struct frame_of *frame, uint64_t address)
{
	const struct exits *exits = &frame->object->exits[frame->func];
	uint64_t vaddr = address - frame->object->bias;

	for (size_t i = 0; i < exits->nr; i++) {
		if (exits->exit[i].vaddr == vaddr)
			return &exits->exit[i];
	}
	return NULL;
}

/* The instruction at @before has been executed. */
static void on_exit_of_top(const struct user_regs_struct *before,
			   const struct user_regs_struct *after)
{
	struct frame_of *top = &frames[nr_frames - 1];
	const struct exit *exit = find_exit(top, before->rip);

	if (!exit || (exit->kind == EXIT_BRANCH && after->rip == before->rip + exit->len))
		return;
	/* A recursive call's exit is that of another frame. */
	if (top->sp != before->rsp) {
		complain("an exit, but the stack is not as at the entry", top, before->rip);
		return;
	}
	nr_frames--;
	nr_left++;
}

/* It isn't called, and takes from the stack what it was started with. */
static bool is_program_entry(const struct frame_of *frame)
{
	const struct object *object = frame->object;

	return object->text.funcs->func[frame->func].vaddr ==
	       elf64_getehdr(object->file->elf)->e_entry;
}

static bool is_unwinder(pid_t pid, uint64_t address)
{
	const struct object *object = find_object(pid, address);
	const char *name;
	size_t func;

	if (!object || !object->file || !func_find(object->text.funcs, address - object->bias,
						   &func))
		return false;
	name = object->text.funcs->func[func].name;
	return strstr(name, "longjmp") || strstr(name, "_Unwind_") ||
	       strstr(object->file->path, "libgcc_s");
}

static void on_step(pid_t pid, const struct user_regs_struct *before,
		    const struct user_regs_struct *after)
{
	nr_steps++;
	if (nr_frames)
		on_exit_of_top(before, after);
	while (nr_frames && frames[nr_frames - 1].sp < after->rsp) {
		if (is_program_entry(&frames[nr_frames - 1]) || is_unwinder(pid, before->rip))
			nr_unwound++;
		else
			complain("it has ended, but not by an exit", &frames[nr_frames - 1],
				 before->rip);
		nr_frames--;
	}
	on_entry(pid, after);
}

/* ---- running ----------------------------------------------------------------- */

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (ptrace(PTRACE_TRACEME, 0, 0, 0))
		_exit(126);
	execvp(argv[0], argv);
	_exit(127);
}

static bool step(pid_t pid, int *status)
{
	int signal = WSTOPSIG(*status) == SIGTRAP ? 0 : WSTOPSIG(*status);

	return !ptrace(PTRACE_SINGLESTEP, pid, 0, signal) && waitpid(pid, status, 0) == pid &&
	       WIFSTOPPED(*status);
}

/* False: it can't be traced. */
static bool run(char **argv)
{
	struct user_regs_struct before, after;
	pid_t pid = start(argv);
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return false;
	ptrace(PTRACE_GETREGS, pid, 0, &before);
	on_entry(pid, &before);
	while (step(pid, &status)) {
		if (ptrace(PTRACE_GETREGS, pid, 0, &after))
			break;
		on_step(pid, &before, &after);
		before = after;
	}
	return true;
}

static char **arguments;

static void functions_end_at_their_exits(void)
{
	if (!run(arguments)) {
		SKIP("%s can't be traced", arguments[0]);
		return;
	}
	printf("# %s: %" PRIu64 " instructions, %" PRIu64 " functions entered, %" PRIu64
	       " left, %" PRIu64 " unwound\n", arguments[0], nr_steps, nr_entered, nr_left,
	       nr_unwound);
	CHECK(!nr_wrong);
	CHECK(nr_entered > 500 && nr_left > nr_entered / 10 * 9);
}

int main(int argc, char **argv)
{
	static char *shortest[] = { "true", NULL };

	arguments = argc > 1 ? argv + 1 : shortest;
	RUN(functions_end_at_their_exits);
	return tap_done();
}
