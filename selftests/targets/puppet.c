// SPDX-License-Identifier: GPL-2.0
/*
 * A program that does what it is told, a line at a time, and answers each line
 * with one: how often it called what, or what its text looks like to itself.
 *
 * Commands: call N | trap N | threads T N | text | fork N | forks F N |
 * nested N | tfork T N | vforks F N | tvfork T N | vnested N | spawns N | share N |
 * orphan FLAGS N | vhold T | vgo N | import N |
 * table N | callback N | pfork N | pointers | busy T | idle | open FILE NAME | close | lib N | guard |
 * far N | flip WORD VALUE | flop | protect | scribble | scribbled | attack | move |
 * unmap ADDR | child | reap | find WORD VALUE N | leave | exec | lock FLAGS | quit
 */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* With it the data's segment begins at an address that is not a multiple of 8. */
__thread int puppet_thread = 5;

/* A function that gets a jump, and one that is too short for it. */
extern long probed_jump(long value);
extern long probed_trap(long value);

__asm__(".text\n"
	".p2align 4\n"
	".globl probed_jump\n"
	".type probed_jump, @function\n"
	"probed_jump:\n"
	"	push %rbx\n"
	"	mov %rdi, %rbx\n"
	"	lea 1(%rbx), %rax\n"
	"	pop %rbx\n"
	"	ret\n"
	".size probed_jump, .-probed_jump\n"
	".p2align 4\n"
	".globl probed_trap\n"
	".type probed_trap, @function\n"
	"probed_trap:\n"
	"	mov %edi, %eax\n"
	"	ret\n"
	".size probed_trap, .-probed_trap\n"
	".globl probed_next\n"
	".type probed_next, @function\n"
	"probed_next:\n"
	"	ret\n"
	".size probed_next, .-probed_next\n");

/* A page of text that nothing else needs, for "protect" and "move". */
extern long far_function(long value);
extern char far_page[];

__asm__(".text\n"
	".p2align 12\n"
	".globl far_page\n"
	"far_page:\n"
	".globl far_function\n"
	".type far_function, @function\n"
	"far_function:\n"
	"	lea 2(%rdi), %rax\n"
	"	nop\n"
	"	ret\n"
	".size far_function, .-far_function\n"
	".p2align 12\n"
#ifdef PADDING
	/* Text that huge pages fit into. */
	".skip " PADDING ", 0xcc\n"
#endif
	);

static void fail(const char *what)
{
	perror(what);
	exit(99);
}

/* What pointers lead to: a table that the loader relocates, and a variable. */
typedef long (*pointed)(long);

static __attribute__((noinline)) long pointed_at(long value)
{
	__asm__ volatile("");
	return value + 5;
}

pointed callback = pointed_at;
const pointed table[2] = { pointed_at, pointed_at };

static pointed value_of(const pointed *pointer)
{
	return *(const pointed volatile *)pointer;
}

static __attribute__((noinline)) long call(long (*fn)(long), long delta, long nr)
{
	long i;

	for (i = 0; i < nr; i++)
		if (fn(i) != i + delta) {
			fprintf(stderr, "wrong result\n");
			exit(98);
		}
	return nr;
}

static void *thread_calls(void *nr)
{
	return (void *)(call(probed_jump, 1, (long)nr) + call(probed_trap, 0, 10));
}

static long call_threads(long threads, long nr)
{
	pthread_t thread[threads];
	long i, sum = 0;

	for (i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, thread_calls, (void *)nr))
			fail("pthread_create");
	for (i = 0; i < threads; i++) {
		void *ret;

		pthread_join(thread[i], &ret);
		sum += (long)ret;
	}
	return sum;
}

static void hex(char *to, const void *from, size_t len)
{
	const unsigned char *bytes = from;
	size_t i;

	for (i = 0; i < len; i++)
		sprintf(to + 2 * i, "%02x", bytes[i]);
}

/* What we read of ourselves, directly and by /proc/self/mem. */
static void print_text(FILE *out)
{
	char direct[33], file[33], buffer[16] = { 0 };
	FILE *mem = fopen("/proc/self/mem", "r");

	if (!mem || fseeko(mem, (off_t)(uintptr_t)probed_jump, SEEK_SET) ||
	    fread(buffer, 1, sizeof(buffer), mem) != sizeof(buffer))
		fail("/proc/self/mem");
	fclose(mem);
	hex(direct, (const void *)probed_jump, 16);
	hex(file, buffer, 16);
	fprintf(out, "%s %s", direct, file);
}

static void child_calls(long nr, int fd)
{
	FILE *out = fdopen(fd, "w");

	call(probed_jump, 1, nr);
	call(probed_trap, 0, nr);
	print_text(out);
	fclose(out);
	_exit(7);
}

/* Forks a child that calls, and returns what it said of its text. */
static int fork_once(long nr, char *text, size_t len, int depth)
{
	int fd[2], status;
	ssize_t got;
	pid_t pid;

	if (pipe(fd))
		fail("pipe");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		close(fd[0]);
		if (!depth)
			child_calls(nr, fd[1]);
		call(probed_jump, 1, nr);
		status = fork_once(nr, text, len, depth - 1);
		if (write(fd[1], text, strlen(text)) < 0)
			fail("write");
		_exit(WEXITSTATUS(status));
	}
	close(fd[1]);
	got = read(fd[0], text, len - 1);
	text[got > 0 ? got : 0] = 0;
	close(fd[0]);
	waitpid(pid, &status, 0);
	return status;
}

static void command_fork(long nr, int depth)
{
	char text[128];
	int status = fork_once(nr, text, sizeof(text), depth);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 7)
		printf("died %d\n", status);
	else
		printf("%s\n", text);
}

static long fork_many(long forks, long nr)
{
	char text[128];
	long i, good = 0;

	for (i = 0; i < forks; i++) {
		int status = fork_once(nr, text, sizeof(text), 0);

		good += WIFEXITED(status) && WEXITSTATUS(status) == 7;
	}
	return good;
}

static void *thread_forks(void *nr)
{
	return (void *)fork_many((long)nr, 3);
}

static long fork_threads(long threads, long nr)
{
	pthread_t thread[threads];
	long i, sum = 0;

	for (i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, thread_forks, (void *)nr);
	for (i = 0; i < threads; i++) {
		void *ret;

		pthread_join(thread[i], &ret);
		sum += (long)ret;
	}
	return sum;
}

static long call_pointer(const pointed *pointer, long nr)
{
	long i;

	for (i = 0; i < nr; i++)
		call(value_of(pointer), 5, 1);
	return nr;
}

/* Is each pointer what it is in the file? */
static int pointers_are_ours(void)
{
	return value_of(&callback) == pointed_at && value_of(&table[0]) == pointed_at &&
	       value_of(&table[1]) == pointed_at;
}

static long call_import(long nr)
{
	pid_t parent = getppid();
	long i;

	for (i = 1; i < nr; i++)
		if (getppid() != parent)
			return -1;
	return nr;
}

static int pointers_in_child(long nr)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		call_pointer(&table[1], nr);
		call_pointer(&callback, nr);
		_exit(6);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 6;
}

/* ---- children in our own address space ----------------------------------------- */

/* Children that call, and end in each way that such a child can. */
static long vfork_many(long forks, long nr)
{
	volatile long i, good = 0;
	int status;

	for (i = 0; i < forks; i++) {
		pid_t pid = vfork();

		if (!pid) {
			call(probed_jump, 1, nr);
			call(probed_trap, 0, nr);
			if (i % 3 == 1)
				execl("/bin/true", "true", NULL);
			if (i % 3 == 2)
				kill(getpid(), SIGKILL);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		good += i % 3 == 2 ? WIFSIGNALED(status) : status == 0;
	}
	return good;
}

static void *thread_vforks(void *nr)
{
	return (void *)vfork_many((long)nr, 5);
}

static long vfork_threads(long threads, long nr)
{
	pthread_t thread[threads];
	long i, sum = 0;

	for (i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, thread_vforks, (void *)nr);
	for (i = 0; i < threads; i++) {
		void *ret;

		pthread_join(thread[i], &ret);
		sum += (long)ret;
	}
	return sum;
}

/* Many vfork children at once, that call when they are told to. */
static pthread_t hold_thread[64];
static long hold_nr;
static atomic_long hold_begun, hold_calls;

static void *thread_holds(void *unused)
{
	if (!vfork()) {
		hold_begun++;
		while (!hold_calls)
			syscall(SYS_sched_yield);
		call(probed_jump, 1, hold_calls);
		call(probed_trap, 0, hold_calls);
		_exit(0);
	}
	return unused;
}

static void command_vhold(long nr)
{
	for (hold_nr = 0; hold_nr < nr && hold_nr < 64; hold_nr++)
		if (pthread_create(&hold_thread[hold_nr], NULL, thread_holds, NULL))
			fail("pthread_create");
	while (hold_begun < hold_nr)
		sched_yield();
	printf("%ld\n", hold_nr);
}

static void command_vgo(long calls)
{
	long good = 0;
	int status;

	hold_calls = calls;
	for (long i = 0; i < hold_nr; i++)
		pthread_join(hold_thread[i], NULL);
	while (wait(&status) > 0)
		good += status == 0;
	printf("%ld\n", good);
}

/* A child of a child: after the inner one the outer still is one. */
static long vfork_nested(long nr)
{
	int status;
	pid_t pid = vfork();

	if (!pid) {
		pid_t inner = vfork();

		if (!inner) {
			call(probed_jump, 1, nr);
			_exit(0);
		}
		call(probed_jump, 1, nr);
		waitpid(inner, &status, 0);
		_exit(status != 0);
	}
	waitpid(pid, &status, 0);
	return status == 0;
}

static int call_in_child(void *nr)
{
	call(probed_jump, 1, (long)nr);
	return 0;
}

/* A process of its own in our memory, which we do not wait for. */
static long call_shared(long nr)
{
	static char stack[65536] __attribute__((aligned(16)));
	pid_t pid = clone(call_in_child, stack + sizeof(stack), CLONE_VM | SIGCHLD,
			  (void *)nr);
	int status;

	call(probed_jump, 1, nr);
	waitpid(pid, &status, 0);
	return status ? -1 : 2 * nr;
}

/*
 * A child in our memory that kills us, calls when we are gone, and answers in our place.
 * FLAGS: of clone(2), beside CLONE_VM.
 */
static int orphan_calls(void *nr)
{
	pid_t parent = syscall(SYS_getppid);

	syscall(SYS_kill, parent, SIGKILL);
	while (syscall(SYS_getppid) == parent)
		syscall(SYS_sched_yield);
	call(probed_jump, 1, (long)nr);
	call(probed_trap, 0, (long)nr);
	syscall(SYS_write, 1, "orphan\n", 7);
	syscall(SYS_exit_group, 0);
	return 0;
}

static void command_orphan(long flags, long nr)
{
	static char stack[65536] __attribute__((aligned(16)));

	clone(orphan_calls, stack + sizeof(stack), CLONE_VM | flags | SIGCHLD, (void *)nr);
	/* Who is not waited for by us has not killed us yet. */
	for (;;)
		pause();
}

static long spawn_many(long nr)
{
	char *argv[] = { "true", NULL };
	long i, good = 0;
	int status;
	pid_t pid;

	for (i = 0; i < nr; i++) {
		if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, NULL))
			fail("posix_spawn");
		waitpid(pid, &status, 0);
		good += status == 0;
	}
	return good;
}

/* ---- threads in the background ------------------------------------------------ */

static pthread_t busy_thread[64];
static long busy_nr;
static atomic_bool busy_stop;
static atomic_long busy_calls;

static void *thread_busy(void *arg)
{
	long nr = 0;

	(void)arg;
	while (!atomic_load_explicit(&busy_stop, memory_order_relaxed)) {
		nr += call(probed_jump, 1, 100);
		call(probed_trap, 0, 1);
		call_pointer(&table[1], 5);
		call_pointer(&callback, 5);
	}
	atomic_fetch_add(&busy_calls, nr);
	return NULL;
}

static void busy_start(long nr)
{
	busy_stop = false;
	for (busy_nr = 0; busy_nr < nr && busy_nr < 64; busy_nr++)
		pthread_create(&busy_thread[busy_nr], NULL, thread_busy, NULL);
}

static long busy_end(void)
{
	busy_stop = true;
	while (busy_nr)
		pthread_join(busy_thread[--busy_nr], NULL);
	return busy_calls;
}

/* ---- a word that somebody else may change, but only while it is the one given ---- */

static pthread_t flip_thread;
static atomic_bool flip_stop;
static uint64_t *flip_word, flip_value;

/* Returns how often something else than that was changed. */
static void *thread_flips(void *arg)
{
	volatile uint64_t *word = flip_word;
	uint64_t i;
	long lost = 0;

	(void)arg;
	for (i = 1; !atomic_load_explicit(&flip_stop, memory_order_relaxed); i++) {
		*word = flip_value;
		*word = i;
		lost += *word != i;
	}
	return (void *)lost;
}

static void command_flip(uint64_t *word, uint64_t value)
{
	flip_word = word;
	flip_value = value;
	flip_stop = false;
	if (pthread_create(&flip_thread, NULL, thread_flips, NULL))
		fail("pthread_create");
	printf("flip\n");
}

static void command_flop(void)
{
	void *lost;

	flip_stop = true;
	pthread_join(flip_thread, &lost);
	printf("%ld\n", (long)lost);
}

/* ---- a library ------------------------------------------------------------------ */

static void *library;
static long (*library_fn)(long);

static void command_open(const char *file, const char *name)
{
	library = dlopen(file, RTLD_NOW);
	library_fn = library ? (long (*)(long))dlsym(library, name) : NULL;
	printf("%s\n", library_fn ? "opened" : dlerror());
}

static void command_close(void)
{
	printf("%d\n", dlclose(library));
}

/* ---- mappings --------------------------------------------------------------------- */

/* Makes the far page writable and back, and writes what is there already. */
static void command_protect(void)
{
	volatile char *byte = far_page + 64;

	if (mprotect(far_page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC))
		fail("mprotect");
	*byte = *byte;
	if (mprotect(far_page, 4096, PROT_READ | PROT_EXEC))
		fail("mprotect");
	printf("%ld\n", call(far_function, 2, 10));
}

/* Changes a byte of the far page for good; or tells it. */
static void command_scribble(bool write)
{
	volatile unsigned char *byte = (unsigned char *)far_page + 64;

	if (write) {
		if (mprotect(far_page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC))
			fail("mprotect");
		*byte = 0x5a;
	}
	printf("%d\n", *byte);
}

/*
 * Makes the library's text unreadable as code, and code again: the kernel may
 * merge the mapping with its neighbours meanwhile.
 */
static void command_guard(void)
{
	void *page = (void *)((uintptr_t)library_fn & ~4095UL);
	int i;

	for (i = 0; i < 10; i++)
		if (mprotect(page, 4096, PROT_READ) ||
		    mprotect(page, 4096, PROT_READ | PROT_EXEC))
			fail("mprotect");
	printf("%ld\n", call(library_fn, 3, 10));
}

/*
 * Overwrites what a hostile program would: all of its slabs. Says how many
 * mappings it was able to write to.
 */
static void command_attack(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start[16], end[16];
	char line[4500];
	int i, n = 0;

	while (maps && n < 16 && fgets(line, sizeof(line), maps))
		if (strstr(line, "instr-slab") &&
		    sscanf(line, "%lx-%lx", &start[n], &end[n]) == 2)
			n++;
	fclose(maps);
	for (i = 0; i < n; i++) {
		if (mprotect((void *)start[i], end[i] - start[i],
			     PROT_READ | PROT_WRITE))
			fail("mprotect");
		memset((void *)start[i], 0xf4, end[i] - start[i]);
	}
	printf("%d\n", n);
}

/* Moves the far page elsewhere, and calls it there. */
static void command_move(void)
{
	void *there = mremap(far_page, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED,
			     mmap(NULL, 4096, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	char text[33];

	if (there == MAP_FAILED)
		fail("mremap");
	hex(text, there, 16);
	printf("%ld %s\n", call((long (*)(long))there, 2, 10), text);
}

/* A child that does nothing, to be looked at; and its end. */
static pid_t idle_child;

static void command_child(void)
{
	idle_child = fork();
	if (!idle_child)
		for (;;)
			pause();
	printf("%d\n", idle_child);
}

static void command_reap(void)
{
	int status;

	kill(idle_child, SIGKILL);
	waitpid(idle_child, &status, 0);
	printf("%d\n", WIFSIGNALED(status));
}

/* How many of so many children find that in the word as soon as they run. */
static long forks_find(const volatile uint64_t *word, uint64_t value, long nr)
{
	long i, found = 0;
	int status;

	for (i = 0; i < nr; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(*word == value);
		waitpid(pid, &status, 0);
		found += WIFEXITED(status) && WEXITSTATUS(status) == 1;
	}
	return found;
}

/* Leaves a child behind, as a daemon does that puts itself in the background. */
static void command_leave(void)
{
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	printf("%d\n", pid);
	exit(0);
}

/* Begins anew, in the same process. */
static void command_exec(void)
{
	printf("exec\n");
	execl("/proc/self/exe", "puppet", NULL);
	fail("exec");
}

static bool obey(const char *line)
{
	char a[256] = "", b[256] = "";
	long m = 0, n = 0, nr = 0;

	if (sscanf(line, "call %ld", &n) == 1)
		printf("%ld\n", call(probed_jump, 1, n));
	else if (sscanf(line, "trap %ld", &n) == 1)
		printf("%ld\n", call(probed_trap, 0, n));
	else if (sscanf(line, "far %ld", &n) == 1)
		printf("%ld\n", call(far_function, 2, n));
	else if (sscanf(line, "threads %ld %ld", &m, &n) == 2)
		printf("%ld\n", call_threads(m, n));
	else if (sscanf(line, "forks %ld %ld", &m, &n) == 2)
		printf("%ld\n", fork_many(m, n));
	else if (sscanf(line, "tfork %ld %ld", &m, &n) == 2)
		printf("%ld\n", fork_threads(m, n));
	else if (sscanf(line, "vforks %ld %ld", &m, &n) == 2)
		printf("%ld\n", vfork_many(m, n));
	else if (sscanf(line, "tvfork %ld %ld", &m, &n) == 2)
		printf("%ld\n", vfork_threads(m, n));
	else if (sscanf(line, "vnested %ld", &n) == 1)
		printf("%ld\n", vfork_nested(n));
	else if (sscanf(line, "import %ld", &n) == 1)
		printf("%ld\n", call_import(n));
	else if (sscanf(line, "table %ld", &n) == 1)
		printf("%ld\n", call_pointer(&table[1], n));
	else if (sscanf(line, "callback %ld", &n) == 1)
		printf("%ld\n", call_pointer(&callback, n));
	else if (sscanf(line, "pfork %ld", &n) == 1)
		printf("%d\n", pointers_in_child(n));
	else if (!strncmp(line, "pointers", 8))
		printf("%d\n", pointers_are_ours());
	else if (sscanf(line, "share %ld", &n) == 1)
		printf("%ld\n", call_shared(n));
	else if (sscanf(line, "vhold %ld", &n) == 1)
		command_vhold(n);
	else if (sscanf(line, "vgo %ld", &n) == 1)
		command_vgo(n);
	else if (sscanf(line, "orphan %lx %ld", &m, &n) == 2)
		command_orphan(m, n);
	else if (sscanf(line, "spawns %ld", &n) == 1)
		printf("%ld\n", spawn_many(n));
	else if (sscanf(line, "fork %ld", &n) == 1)
		command_fork(n, 0);
	else if (sscanf(line, "nested %ld", &n) == 1)
		command_fork(n, 1);
	else if (sscanf(line, "busy %ld", &n) == 1)
		busy_start(n), printf("busy\n");
	else if (!strcmp(line, "idle"))
		printf("%ld\n", busy_end());
	else if (sscanf(line, "open %255s %255s", a, b) == 2)
		command_open(a, b);
	else if (!strcmp(line, "close"))
		command_close();
	else if (sscanf(line, "lib %ld", &n) == 1)
		printf("%ld\n", call(library_fn, 3, n));
	else if (!strcmp(line, "guard"))
		command_guard();
	else if (!strncmp(line, "scribble", 8))
		command_scribble(!line[8]);
	else if (!strcmp(line, "attack"))
		command_attack();
	else if (!strcmp(line, "protect"))
		command_protect();
	else if (sscanf(line, "flip %lx %lx", &m, &n) == 2)
		command_flip((uint64_t *)m, n);
	else if (!strcmp(line, "flop"))
		command_flop();
	else if (!strcmp(line, "child"))
		command_child();
	else if (!strcmp(line, "reap"))
		command_reap();
	else if (sscanf(line, "find %lx %lx %ld", &m, &n, &nr) == 3)
		printf("%ld\n", forks_find((const uint64_t *)m, n, nr));
	else if (!strcmp(line, "leave"))
		command_leave();
	else if (!strcmp(line, "exec"))
		command_exec();
	else if (sscanf(line, "lock %ld", &n) == 1)
		printf("%d\n", mlockall(n));
	else if (!strcmp(line, "move"))
		command_move();
	else if (sscanf(line, "unmap %ld", &m) == 1)
		printf("%d\n", munmap((void *)m, 4096));
	else if (!strcmp(line, "text"))
		print_text(stdout), printf("\n");
	else
		return false;
	return true;
}

int main(void)
{
	char line[600];

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (!strcmp(line, "quit"))
			break;
		if (!obey(line))
			printf("what?\n");
	}
	return 0;
}
