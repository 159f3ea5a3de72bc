// SPDX-License-Identifier: GPL-2.0
/*
 * One of many processes: crowd REPORT HOW N
 *
 * It calls a64l() of libc, once before main(), and goes on as HOW says. At its end each
 * process appends a line "PID CALLS" to the file REPORT.
 *
 *	run		N calls in all
 *	wait		half of them once standard input has ended
 *	fork=M		M fork children, with N calls each; then as wait
 *	exec=M		M fork children that execute this program, to run; then as wait
 *	lives=M PROGRAM	M vfork children that execute that instead, two at once
 *	load=FILE	nothing is free in its address space when it loads FILE, a library, and
 *			calls its tick(), N times
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int calls;

/* The compiler knows what it does, and that once is enough. */
static long (*volatile function)(const char *) = a64l;

static void call(int nr)
{
	for (; nr > 0; nr--, calls++)
		function("z");
}

__attribute__((constructor)) static void begin(void)
{
	call(1);
}

static void report(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0666);
	char line[64];
	int len = snprintf(line, sizeof(line), "%d %d\n", getpid(), calls);

	if (fd < 0 || write(fd, line, len) != len)
		abort();
	close(fd);
}

static void wait_for_end(void)
{
	char byte;

	while (read(0, &byte, 1) > 0)
		;
}

static void make_children(char **argv, int nr, bool execute)
{
	for (int i = 0; i < nr; i++) {
		if (fork())
			continue;
		calls = 0;
		if (execute)
			execl("/proc/self/exe", argv[0], argv[1], "run", argv[3], NULL);
		call(atoi(argv[3]));
		report(argv[1]);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
}

static void make_lives(char **argv, int nr)
{
	char *child[] = { argv[4], argv[1], "run", argv[3], NULL };

	for (int i = 0; i < nr; i++) {
		if (posix_spawn(NULL, argv[4], NULL, NULL, child, environ))
			abort();
		if (i)
			wait(NULL);
	}
	while (wait(NULL) > 0)
		;
}

/* But for a hole where a small library has room. */
static void cram(void)
{
	const size_t hole_len = 1 << 16;
	void *hole = mmap(NULL, hole_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t len = 1UL << 46; len >= 4096; len >>= 1)
		while (mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			    -1, 0) != MAP_FAILED)
			;
	munmap(hole, hole_len);
}

static void load(const char *path, int nr)
{
	void (*tick)(void);
	void *volatile memory;
	void *library;

	/* What the loader needs for that. */
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	memory = malloc(1 << 18);
	free(memory);
	cram();
	library = dlopen(path, RTLD_NOW);
	tick = library ? dlsym(library, "tick") : NULL;
	if (!tick) {
		fprintf(stderr, "%s\n", dlerror());
		abort();
	}
	while (nr--)
		tick();
}

int main(int argc, char **argv)
{
	int nr = argc > 3 ? atoi(argv[3]) : 1;

	if (argc < 4)
		return 2;
	if (!strncmp(argv[2], "fork=", 5))
		make_children(argv, atoi(argv[2] + 5), false);
	if (!strncmp(argv[2], "exec=", 5))
		make_children(argv, atoi(argv[2] + 5), true);
	if (!strncmp(argv[2], "lives=", 6))
		make_lives(argv, atoi(argv[2] + 6));
	if (!strncmp(argv[2], "load=", 5)) {
		load(argv[2] + 5, nr);
	} else if (!strcmp(argv[2], "run")) {
		call(nr - 1);
	} else {
		call(nr / 2 - 1);
		wait_for_end();
		call(nr - nr / 2);
	}
	report(argv[1]);
	return 0;
}
