// SPDX-License-Identifier: GPL-2.0
/*
 * Plans at work, in this process: what the module does to many, a signal handler
 * and private pages do to one. Built twice, as a position-independent program
 * and as a fixed one, and without sanitizers, which change the code.
 *
 * Functions of host_entry.S are called in each combination of flags, and leave
 * the state that they left before; private copies of libraries compute what they
 * did; and this process goes on with all of its libc instrumented.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <math.h>
#include <pthread.h>
#include <regex.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <zlib.h>

#include "clean.h"
#include "host_state.h"
#include "tap.h"

#define PAGE 4096UL

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE (1 << 1)
#endif

/* ---- a plan at work --------------------------------------------------------- */

struct host {
	struct instr_file *file;
	const struct instr_func *func;
	struct instr_plan *plan;
	uint8_t *base;		/* the address of position 0 */
	uint8_t *slab;
	uint64_t *counter;	/* the slab's data, which begins with: */
	struct instr_control *control;
	struct host *next;
};

/* All that are at work; the handler walks them. */
static struct host *hosts;
static volatile unsigned long nr_traps;

static const struct instr_trap *trap_find(const struct instr_plan *plan, uint64_t offset)
{
	size_t first = 0, end = plan->nr_traps;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (plan->traps[middle].offset < offset)
			first = middle + 1;
		else
			end = middle;
	}
	return first < plan->nr_traps && plan->traps[first].offset == offset ?
	       &plan->traps[first] : NULL;
}

/* Uses nothing of libc, which may be what is instrumented. */
static void on_trap(int signal, siginfo_t *info, void *context)
{
	greg_t *rip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	uint8_t *at = (uint8_t *)*rip - (signal == SIGTRAP);

	(void)info;
	for (struct host *host = hosts; host; host = host->next) {
		const struct instr_trap *trap =
			trap_find(host->plan, (uint64_t)(at - host->base));

		if (!trap)
			continue;
		nr_traps++;
		*rip = (greg_t)(host->base + (int64_t)trap->target);
		return;
	}
	__builtin_trap();
}

static void handle_traps(void)
{
	struct sigaction action = {
		.sa_sigaction = on_trap,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGTRAP, &action, NULL);
	sigaction(SIGILL, &action, NULL);
}

static void copy(uint8_t *to, const uint8_t *from, size_t len)
{
	asm volatile("rep movsb" : "+D" (to), "+S" (from), "+c" (len) : : "memory");
}

/* With @new: shows the probes, else the file. No call in it: it may patch libc. */
static void show(const struct host *host, bool new)
{
	for (size_t i = 0; i < host->plan->nr_sites; i++) {
		const struct instr_site *site = &host->plan->sites[i];

		copy(host->base + site->offset, new ? site->new : site->old, site->len);
	}
}

static bool file_is_as_planned(const struct host *host)
{
	for (size_t i = 0; i < host->plan->nr_sites; i++) {
		const struct instr_site *site = &host->plan->sites[i];

		if (memcmp(host->base + site->offset, site->old, site->len))
			return false;
	}
	return true;
}

static bool host_map_slab(struct host *host)
{
	const struct instr_plan *plan = host->plan;
	uint8_t *want = host->base + plan->slab_start;

	host->slab = mmap(want, plan->code_len + plan->data_len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE,
			  -1, 0);
	if (host->slab != want)
		return false;
	for (size_t i = 0; i < plan->nr_chunks; i++)
		memcpy(want + plan->chunk[i].offset, plan->chunk[i].bytes, plan->chunk[i].len);
	host->counter = (uint64_t *)(want + plan->code_len);
	host->control = (struct instr_control *)host->counter;
	host->control->gate = INSTR_GATE_MANY;
	return !mprotect(want, plan->code_len, PROT_READ | PROT_EXEC);
}

static bool host_open_text(const struct host *host)
{
	const struct instr_plan *plan = host->plan;
	uint64_t first = plan->sites[0].offset & -PAGE;
	uint64_t end = (plan->sites[plan->nr_sites - 1].offset | (PAGE - 1)) + 1;

	return !mprotect(host->base + first, end - first, PROT_READ | PROT_WRITE | PROT_EXEC);
}

/* Plans @glob of the file @path that is loaded with @load, but shows nothing yet. */
static bool host_prepare(struct host *host, const char *path, const char *glob, uint64_t load,
			 uint8_t top)
{
	CLEAN(free) struct instr_place *place = NULL;
	struct instr_err err = { 0 };
	size_t nr;

	memset(host, 0, sizeof(*host));
	if (instr_file_open(path, &host->file, &err) ||
	    instr_file_funcs(host->file, &host->func, &nr, &err) ||
	    instr_places_match(host->file, &glob, 1, &place, &nr, &err) ||
	    instr_plan_create(host->file, place, nr, (struct instr_distance){ top },
			      &host->plan, &err)) {
		printf("# %s\n", err.text);
		return false;
	}
	host->base = (uint8_t *)(load + instr_file_text_vaddr(host->file, 0));
	if (!CHECK(file_is_as_planned(host)) || !CHECK(host_map_slab(host)) ||
	    !CHECK(host_open_text(host)))
		return false;
	host->next = hosts;
	hosts = host;
	return true;
}

static void host_finish(struct host *host)
{
	if (hosts == host)
		hosts = host->next;
	if (host->counter)
		munmap(host->slab, host->plan->code_len + host->plan->data_len);
	instr_plan_destroy(host->plan);
	instr_file_close(host->file);
}

static const struct instr_plan_site *host_site(const struct host *host, const char *name)
{
	for (size_t i = 0; i < host->plan->nr; i++) {
		if (!strcmp(host->func[host->plan->site[i].place.func].name, name))
			return &host->plan->site[i];
	}
	return NULL;
}

static uint64_t host_count(const struct host *host, const char *name)
{
	const struct instr_plan_site *site = host_site(host, name);

	return site ? instr_plan_count(host->plan, site, host->counter) : UINT64_MAX;
}

static uint64_t self_load(void)
{
	struct link_map *map = dlopen(NULL, RTLD_NOW);

	return map->l_addr;
}

/* ---- functions of ours ------------------------------------------------------ */

static struct state before[NR_STATE_FUNCTIONS][NR_STATES];

static void run_all_before(void)
{
	for (size_t i = 0; i < NR_STATE_FUNCTIONS; i++) {
		for (unsigned int n = 0; n < NR_STATES; n++)
			CHECK(state_run(i, n, &before[i][n]));
	}
}

/*
 * Into a window is not through its entry. @counted: what the gate lets through of
 * each call.
 */
static void compare_all(const struct host *host, uint64_t counted)
{
	struct state now;

	for (size_t i = 0; i < NR_STATE_FUNCTIONS; i++) {
		const char *name = state_functions[i].name;
		uint64_t count = strncmp(name, "probe_", 6) ? 0 : host_count(host, name);

		for (unsigned int n = 0; n < NR_STATES; n++) {
			if (!CHECK(state_run(i, n, &now)) ||
			    !CHECK(state_is(&before[i][n], &now, name))) {
				printf("# %s, state %u\n", name, n);
				break;
			}
		}
		if (!strncmp(name, "probe_", 6) &&
		    !CHECK(host_count(host, name) == count + counted * NR_STATES))
			printf("# %s\n", name);
	}
}

static uint64_t fs_base(void)
{
	uint64_t base;

	__asm__("mov %%fs:0, %0" : "=r"(base));
	return base;
}

static void compare_behind_the_gate(const struct host *host)
{
	struct instr_control *control = host->control;

	control->gate = INSTR_GATE_SHUT;
	compare_all(host, 0);
	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		return;
	/* Another thread's child; a place that is free again; then ours. */
	control->vfork[0] = fs_base() + 4096;
	control->vfork[1] = 1;
	control->gate = INSTR_GATE_VFORK;
	compare_all(host, 1);
	control->vfork[2] = fs_base();
	compare_all(host, 0);
	memset(control, 0, sizeof(*control));
	compare_all(host, 1);
	control->gate = INSTR_GATE_MANY;
	compare_all(host, 1);
}

static void state_survives_at(uint8_t top)
{
	struct host host;

	if (!CHECK(host_prepare(&host, "/proc/self/exe", "probe_*", self_load(), top))) {
		host_finish(&host);
		return;
	}
	show(&host, true);
	nr_traps = 0;
	compare_all(&host, 1);
	CHECK(nr_traps >= 11 * NR_STATES);
	compare_behind_the_gate(&host);
	show(&host, false);
	host_finish(&host);
}

static const struct instr_distance *self_distances(struct instr_file **file)
{
	return instr_file_open("/proc/self/exe", file, NULL) ? NULL : instr_distances(*file);
}

static void state_survives_at_each_distance(void)
{
	CLEAN(file) struct instr_file *file = NULL;
	const struct instr_distance *distance = self_distances(&file);

	run_all_before();
	for (; CHECK(distance) && distance->top; distance++)
		state_survives_at(distance->top);
}

static void sites_are_what_they_should_be(void)
{
	CLEAN(file) struct instr_file *file = NULL;
	const struct instr_distance *distance = self_distances(&file);
	struct host host;

	if (!CHECK(distance) ||
	    !host_prepare(&host, "/proc/self/exe", "probe_*", self_load(), distance->top))
		return;
	CHECK(host_site(&host, "probe_frame")->how == INSTR_HOW_JUMP);
	CHECK(host_site(&host, "probe_many")->fragile == (distance->top != 0xcc));
	CHECK(host_site(&host, "probe_padded")->how == INSTR_HOW_JUMP);
	CHECK(host_site(&host, "probe_branches_inside")->reason == INSTR_REASON_LOOP);
	CHECK(host_site(&host, "probe_call_stack")->reason == INSTR_REASON_INSN);
	CHECK(host_site(&host, "probe_short")->reason == INSTR_REASON_NEIGHBOUR);
	CHECK(!host_site(&host, "probe_flags_dead")->flags_live);
	CHECK(host_site(&host, "probe_flags")->flags_live);
	if (distance->top != 0xcc)
		CHECK(host_site(&host, "probe_frame")->patch_len > 5);
	host_finish(&host);
}

static void *call_often(void *arg)
{
	for (int i = 0; i < 100000; i++)
		((void (*)(void))arg)();
	return NULL;
}

static void counters_of_threads_are_exact(void)
{
	CLEAN(file) struct instr_file *file = NULL;
	const struct instr_distance *distance = self_distances(&file);
	pthread_t thread[4];
	struct host host;

	if (!CHECK(distance) ||
	    !host_prepare(&host, "/proc/self/exe", "probe_load", self_load(), distance->top))
		return;
	show(&host, true);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, call_often, probe_load);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	CHECK(host_count(&host, "probe_load") == 400000);
	show(&host, false);
	host_finish(&host);
}

/* ---- libraries -------------------------------------------------------------- */

/* A copy of our own, so that what we use stays as it is. */
static void *open_copy(const char *path, char *copy_path)
{
	char command[256];

	sprintf(copy_path, "/tmp/instr-unit-%d.so", (int)getpid());
	snprintf(command, sizeof(command), "cp %s %s", path, copy_path);
	return system(command) ? NULL : dlopen(copy_path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
}

static uint64_t load_of(void *handle)
{
	struct link_map *map;

	dlinfo(handle, RTLD_DI_LINKMAP, &map);
	return map->l_addr;
}

#define TEXT_LEN 200000

static unsigned char text[TEXT_LEN], packed[2][TEXT_LEN + 1000], unpacked[TEXT_LEN];

static void text_init(void)
{
	uint32_t random = 1;

	for (size_t i = 0; i < TEXT_LEN; i++) {
		random = random * 1664525 + 1013904223;
		text[i] = random >> 24 < 100 && i > 1000 ? text[i - (random & 511) - 1]
							 : (unsigned char)(random >> 28);
	}
}

static size_t pack(void *lib, int level, unsigned char *to)
{
	__typeof__(&compress2) fn = dlsym(lib, "compress2");
	uLongf len = sizeof(packed[0]);

	return fn(to, &len, text, TEXT_LEN, level) == Z_OK ? len : 0;
}

static bool unpack(void *lib, const unsigned char *from, size_t from_len)
{
	__typeof__(&uncompress) fn = dlsym(lib, "uncompress");
	uLongf len = sizeof(unpacked);

	memset(unpacked, 0, sizeof(unpacked));
	return fn(unpacked, &len, from, from_len) == Z_OK && len == TEXT_LEN &&
	       !memcmp(text, unpacked, TEXT_LEN);
}

static void zlib_packs(void *lib, struct host *host)
{
	__typeof__(&crc32) crc = dlsym(lib, "crc32");

	for (int level = 0; level <= 9; level++) {
		show(host, false);
		memset(packed, 0, sizeof(packed));

		size_t len = pack(lib, level, packed[0]);

		show(host, true);
		CHECK(len && pack(lib, level, packed[1]) == len);
		CHECK(!memcmp(packed[0], packed[1], len));
		CHECK(unpack(lib, packed[1], len));
	}
	CHECK(host_count(host, "compress2") == 10);
	CHECK(host_count(host, "uncompress") == 10);

	uint64_t count = host_count(host, "crc32");

	for (int i = 0; i < 1000; i++)
		crc(0, text, 10);
	CHECK(host_count(host, "crc32") == count + 1000);
	show(host, false);
}

static void zlib_packs_at(uint8_t top)
{
	char path[64];
	void *lib = open_copy("/lib/x86_64-linux-gnu/libz.so.1", path);
	struct host host;

	if (!CHECK(lib))
		return;
	if (CHECK(host_prepare(&host, path, "*", load_of(lib), top)))
		zlib_packs(lib, &host);
	host_finish(&host);
	dlclose(lib);
	unlink(path);
}

static void zlib_packs_as_before(void)
{
	text_init();
	zlib_packs_at(0xcc);
	zlib_packs_at(0x06);
	zlib_packs_at(0x3f);
}

static const char *const math[] = {
	"sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh",
	"atanh", "exp", "exp2", "exp10", "expm1", "log", "log2", "log10", "log1p", "logb",
	"sqrt", "cbrt", "erf", "erfc", "lgamma", "tgamma", "ceil", "floor", "trunc", "rint",
	"nearbyint", "round", "j0", "j1", "y0", "y1", "fabs", "significand", "gamma",
};

#define NR_MATH (sizeof(math) / sizeof(math[0]))
#define NR_VALUES 200

static double math_results[2][NR_MATH][NR_VALUES];

static void math_run(void *lib, double results[NR_MATH][NR_VALUES])
{
	for (size_t i = 0; i < NR_MATH; i++) {
		double (*fn)(double) = (double (*)(double))dlsym(lib, math[i]);

		for (int n = 0; fn && n < NR_VALUES; n++)
			results[i][n] = fn(ldexp(n - 100.3, n % 17 - 8));
	}
}

static void math_computes_as_before(void)
{
	char path[64];
	void *lib = open_copy("/lib/x86_64-linux-gnu/libm.so.6", path);
	struct host host;
	uint64_t sum = 0;

	if (!CHECK(lib))
		return;
	math_run(lib, math_results[0]);
	if (CHECK(host_prepare(&host, path, "*", load_of(lib), 0xcc))) {
		show(&host, true);
		math_run(lib, math_results[1]);
		show(&host, false);
		CHECK(!memcmp(math_results[0], math_results[1], sizeof(math_results[0])));
		for (size_t i = 0; i < host.plan->nr_sites; i++)
			sum += instr_plan_count(host.plan, &host.plan->site[i], host.counter);
		CHECK(sum >= NR_MATH * NR_VALUES / 2);
		CHECK(host_count(&host, "cbrt") == NR_VALUES);
	}
	host_finish(&host);
	dlclose(lib);
	unlink(path);
}

/* ---- libc of this process --------------------------------------------------- */

static int compare_ints(const void *a, const void *b)
{
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static bool libc_sorts(void)
{
	static int number[5000];

	srand(1);
	for (int i = 0; i < 5000; i++)
		number[i] = rand();
	qsort(number, 5000, sizeof(number[0]), compare_ints);
	for (int i = 1; i < 5000; i++) {
		if (number[i] < number[i - 1])
			return false;
	}
	return true;
}

static bool libc_allocates(void)
{
	char *block[500];

	for (size_t i = 0; i < 500; i++) {
		block[i] = malloc(i * 37 + 1);
		memset(block[i], (int)i, i * 37 + 1);
	}
	for (size_t i = 0; i < 500; i++) {
		block[i] = realloc(block[i], i * 53 + 2);
		if ((uint8_t)block[i][i * 37] != (uint8_t)i)
			return false;
		free(block[i]);
	}
	return true;
}

static bool libc_formats(void)
{
	char line[200];
	double value;

	snprintf(line, sizeof(line), "%s %d %.17g %5.2Lf %p", "text", -5, 0.1, 2.5L, (void *)line);
	return sscanf(line, "text -5 %lf", &value) == 1 && value == 0.1 &&
	       strtod("1e22", NULL) == 1e22;
}

static bool libc_matches(void)
{
	regex_t regex;
	bool matches;

	if (regcomp(&regex, "^(a|b)*c+[0-9]{2,}$", REG_EXTENDED))
		return false;
	matches = !regexec(&regex, "ababcc123", 0, NULL, 0) &&
		  regexec(&regex, "abab123", 0, NULL, 0);
	regfree(&regex);
	return matches;
}

static bool libc_jumps(void)
{
	volatile int times = 0;
	jmp_buf back;

	if (setjmp(back) < 3)
		longjmp(back, ++times);
	return times == 3;
}

static bool libc_starts(void)
{
	char *const argv[] = { (char *)"true", NULL };
	int status, spawned;
	pid_t pid = fork();

	if (!pid)
		_exit(42);
	if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 42)
		return false;
	spawned = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ);
	return !spawned && waitpid(pid, &status, 0) == pid && !status && system("exit 3") == 3 << 8;
}

static volatile sig_atomic_t signalled;

static void on_signal(int signal)
{
	signalled = signal;
}

static bool libc_signals(void)
{
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	return signalled == SIGUSR1;
}

static void *libc_thread(void *arg)
{
	*(bool *)arg = libc_allocates() && libc_formats();
	return NULL;
}

static bool libc_threads(void)
{
	bool good[4] = { false };
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, libc_thread, &good[i]);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	return good[0] && good[1] && good[2] && good[3];
}

static struct link_map *libc_map(void)
{
	struct link_map *map = dlopen(NULL, RTLD_NOW);

	while (map && !strstr(map->l_name, "libc.so.6"))
		map = map->l_next;
	return map;
}

static void libc_works_at(uint8_t top)
{
	struct link_map *map = libc_map();
	bool good[8];
	struct host host;

	if (!CHECK(map) || !CHECK(host_prepare(&host, map->l_name, "*", map->l_addr, top)))
		return;
	show(&host, true);
	good[0] = libc_sorts();
	good[1] = libc_allocates();
	good[2] = libc_formats();
	good[3] = libc_matches();
	good[4] = libc_jumps();
	good[5] = libc_starts();
	good[6] = libc_signals();
	good[7] = libc_threads();
	show(&host, false);
	for (int i = 0; i < 8; i++)
		CHECK(good[i]);
	CHECK(host_count(&host, "qsort") == 1);
	CHECK(host_count(&host, "regcomp") == 1 && host_count(&host, "regexec") == 2);
	/* The slab stays: another thread could still be in it. */
	hosts = host.next;
}

static void libc_of_this_process_works(void)
{
	libc_works_at(0xcc);
	libc_works_at(0x06);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	handle_traps();
	RUN(state_survives_at_each_distance);
	RUN(sites_are_what_they_should_be);
	RUN(counters_of_threads_are_exact);
	RUN(zlib_packs_as_before);
	RUN(math_computes_as_before);
	RUN(libc_of_this_process_works);
	return tap_done();
}
