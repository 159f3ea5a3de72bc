// SPDX-License-Identifier: GPL-2.0
/*
 * Plans at work, in this process. Built twice, as a position-independent program
 * and as a fixed one, and without sanitizers, which change the code.
 *
 * Functions of host_entry.S are called in each combination of flags, and leave
 * the state that they left before; private copies of libraries compute what they
 * did; and this process goes on with all of its libc instrumented.
 */

#include <dlfcn.h>
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
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "boundary.h"
#include "clean.h"
#include "host.h"
#include "host_state.h"
#include "tap.h"

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE (1 << 1)
#endif

/* ---- plans at work ---------------------------------------------------------- */

/* As host_prepare(), of one glob, at @distance. */
static bool prepare(struct host *host, const char *path, const char *glob, uint64_t load,
		    struct instr_distance distance)
{
	struct instr_err err = { 0 };

	if (CHECK(!host_prepare(host, path, &glob, 1, load, distance, &err)))
		return true;
	printf("# %s\n", err.text);
	return false;
}

static uint64_t count_of(const struct host *host, const char *name)
{
	const struct instr_plan_site *site = host_site(host, name);

	return CHECK(site) ? host_count(host, site) : UINT64_MAX;
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
		uint64_t count = strncmp(name, "probe_", 6) ? 0 : count_of(host, name);

		for (unsigned int n = 0; n < NR_STATES; n++) {
			if (!CHECK(state_run(i, n, &now)) ||
			    !CHECK(state_is(&before[i][n], &now, name))) {
				printf("# %s, state %u\n", name, n);
				break;
			}
		}
		if (!strncmp(name, "probe_", 6) &&
		    !CHECK(count_of(host, name) == count + counted * NR_STATES))
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
	/* Another thread's child; a place that is free again; then ours. */
	const uint64_t vfork[] = { fs_base() + 4096, 1, fs_base() };

	host_gate(host, INSTR_GATE_SHUT, NULL, 0);
	compare_all(host, 0);
	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		return;
	host_gate(host, INSTR_GATE_VFORK, vfork, 2);
	compare_all(host, 1);
	host_gate(host, INSTR_GATE_VFORK, vfork, 3);
	compare_all(host, 0);
	host_gate(host, INSTR_GATE_SOLO, NULL, 0);
	compare_all(host, 1);
	host_gate(host, INSTR_GATE_MANY, NULL, 0);
	compare_all(host, 1);
}

static void state_survives_at(struct instr_distance distance)
{
	unsigned long nr_traps = host_nr_traps();
	struct host host;

	if (!prepare(&host, "/proc/self/exe", "probe_*", self_load(), distance))
		return;
	host_show(&host, true);
	compare_all(&host, 1);
	CHECK(host_nr_traps() - nr_traps >= 11 * NR_STATES);
	compare_behind_the_gate(&host);
	host_show(&host, false);
	host_finish(&host);
}

#define NR_INSIDES 400

/* "probe_x", "probe_x+1" and so on: every instruction of the functions of ours. */
static size_t every_instruction(char (*place)[48], const char **glob)
{
	CLEAN(file) struct instr_file *file = NULL;
	const struct instr_func *func;
	struct boundary at;
	size_t nr_funcs, nr = 0;

	if (instr_file_open("/proc/self/exe", &file, NULL) ||
	    instr_file_funcs(file, &func, &nr_funcs, NULL))
		return 0;
	for (; nr_funcs--; func++) {
		const uint8_t *code = (const uint8_t *)self_load() + func->vaddr;

		for (uint64_t n = 0; n < func->size && !strncmp(func->name, "probe_", 6) &&
				     nr < NR_INSIDES; n = at.after) {
			if (boundary_find(code, func->size, n, &at))
				break;
			snprintf(place[nr], sizeof(place[nr]), "%s+%u", func->name, (unsigned int)n);
			glob[nr] = place[nr];
			nr++;
		}
	}
	return nr;
}

/* Each instruction is a site of its own: nothing is displaced but that. */
static void compare_every_instruction(uint64_t gate)
{
	static char place[NR_INSIDES][48];
	const char *glob[NR_INSIDES];
	size_t nr = every_instruction(place, glob), refused = 0, missed = 0;
	struct instr_err err = { 0 };
	struct host host;

	if (!CHECK(nr > 100) ||
	    !CHECK(!host_prepare(&host, "/proc/self/exe", glob, nr, self_load(), HOST_ANYWHERE, &err)))
		return;
	host_gate(&host, gate, NULL, 0);
	host_show(&host, true);
	compare_all(&host, 1);
	host_show(&host, false);
	for (size_t i = 0; i < host.plan->nr; i++) {
		const struct instr_plan_site *site = &host.plan->site[i];

		if (site->how == INSTR_HOW_REFUSED)
			refused++;
		else if (site->old[0] != 0xf4)
			missed += !host_count(&host, site);
	}
	/* What probe_jump_short jumps over. */
	CHECK(!refused && missed == 4);
	host_finish(&host);
}

static void every_instruction_can_be_a_site(void)
{
	run_all_before();
	compare_every_instruction(INSTR_GATE_SOLO);
	compare_every_instruction(INSTR_GATE_MANY);
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
		state_survives_at(*distance);
}

static void sites_are_what_they_should_be(void)
{
	CLEAN(file) struct instr_file *file = NULL;
	const struct instr_distance *distance = self_distances(&file);
	struct host host;

	if (!CHECK(distance) ||
	    !prepare(&host, "/proc/self/exe", "probe_*", self_load(), *distance))
		return;
	CHECK(host_site(&host, "probe_frame")->how == INSTR_HOW_JUMP);
	CHECK(host_site(&host, "probe_many")->fragile == (distance->top != 0xcc));
	CHECK(host_site(&host, "probe_padded")->how == INSTR_HOW_JUMP);
	CHECK(host_site(&host, "probe_branches_inside")->reason == INSTR_REASON_LOOP);
	CHECK(host_site(&host, "probe_call_stack")->how == INSTR_HOW_JUMP);
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
	    !prepare(&host, "/proc/self/exe", "probe_load", self_load(), *distance))
		return;
	host_show(&host, true);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, call_often, probe_load);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	CHECK(count_of(&host, "probe_load") == 400000);
	host_show(&host, false);
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
		host_show(host, false);
		memset(packed, 0, sizeof(packed));

		size_t len = pack(lib, level, packed[0]);

		host_show(host, true);
		CHECK(len && pack(lib, level, packed[1]) == len);
		CHECK(!memcmp(packed[0], packed[1], len));
		CHECK(unpack(lib, packed[1], len));
	}
	CHECK(count_of(host, "compress2") == 10);
	CHECK(count_of(host, "uncompress") == 10);

	uint64_t count = count_of(host, "crc32");

	for (int i = 0; i < 1000; i++)
		crc(0, text, 10);
	CHECK(count_of(host, "crc32") == count + 1000);
	host_show(host, false);
}

static void zlib_packs_at(struct instr_distance distance)
{
	char path[64];
	void *lib = open_copy("/lib/x86_64-linux-gnu/libz.so.1", path);
	struct host host;

	if (!CHECK(lib))
		return;
	if (prepare(&host, path, "*", load_of(lib), distance)) {
		zlib_packs(lib, &host);
		host_finish(&host);
	}
	dlclose(lib);
	unlink(path);
}

static void zlib_packs_as_before(void)
{
	text_init();
	zlib_packs_at((struct instr_distance){ 0xcc, 0xe8 });
	zlib_packs_at((struct instr_distance){ 0xcc, 0 });
	zlib_packs_at((struct instr_distance){ 0x06, 0 });
	zlib_packs_at((struct instr_distance){ 0x3f, 0 });
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

	if (!CHECK(lib))
		return;
	math_run(lib, math_results[0]);
	if (prepare(&host, path, "*", load_of(lib), HOST_ANYWHERE)) {
		host_show(&host, true);
		math_run(lib, math_results[1]);
		host_show(&host, false);
		CHECK(!memcmp(math_results[0], math_results[1], sizeof(math_results[0])));
		CHECK(host_count_all(&host) >= NR_MATH * NR_VALUES / 2);
		CHECK(count_of(&host, "cbrt") == NR_VALUES);
		host_finish(&host);
	}
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

static void libc_works_at(struct instr_distance distance)
{
	struct link_map *map = libc_map();
	bool good[8];
	struct host host;

	if (!CHECK(map) || !prepare(&host, map->l_name, "*", map->l_addr, distance))
		return;
	host_show(&host, true);
	good[0] = libc_sorts();
	good[1] = libc_allocates();
	good[2] = libc_formats();
	good[3] = libc_matches();
	good[4] = libc_jumps();
	good[5] = libc_starts();
	good[6] = libc_signals();
	good[7] = libc_threads();
	host_show(&host, false);
	for (int i = 0; i < 8; i++)
		CHECK(good[i]);
	CHECK(count_of(&host, "qsort") == 1);
	CHECK(count_of(&host, "regcomp") == 1 && count_of(&host, "regexec") == 2);
	/* The slab stays: another thread could still be in it. */
	host_leave(&host);
}

static void libc_of_this_process_works(void)
{
	libc_works_at((struct instr_distance){ 0xcc, 0xe8 });
	libc_works_at((struct instr_distance){ 0x06, 0 });
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	host_handle_traps();
	RUN(state_survives_at_each_distance);
	RUN(every_instruction_can_be_a_site);
	RUN(sites_are_what_they_should_be);
	RUN(counters_of_threads_are_exact);
	RUN(zlib_packs_as_before);
	RUN(math_computes_as_before);
	RUN(libc_of_this_process_works);
	return tap_done();
}
