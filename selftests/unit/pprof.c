// SPDX-License-Identifier: GPL-2.0
/*
 * Profiles: what Go's pprof (../pprof.py) reads in them.
 */

#include "instrctl/pprof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static const struct pprof_file files[] = {
	{ "/bin/a", "0123abcd", 0x1000, 0x5000, 0x1000 },
	{ "/lib/b.so", NULL, 0x401000, 0x402000, 0 },
};

static const struct pprof_function functions[] = {
	{ 0, "first", 0x1100 }, { 0, "operator new(unsigned long)", 0x1200 },
	{ 1, "first", 0x401100 },
};

static const struct pprof_sample samples[] = {
	{ 0, 10, "one", 3, 900, 700 }, { 1, 10, "one", 5, 200, 200 },
	{ 0, 11, "two words", 8, 16, 16 }, { 2, 11, "two words", 1, UINT64_MAX, 0 },
};

static const struct pprof all = {
	2, 3, 4, files, functions, samples, true, 1700000000000000000, 2500000000,
};

static char path[] = "/tmp/instr-pprof.XXXXXX";

static void write_file(const struct pprof *pprof)
{
	FILE *out = fopen(path, "w");
	uint8_t *bytes;
	size_t len;

	pprof_pack(pprof, &bytes, &len);
	fwrite(bytes, 1, len, out);
	fclose(out);
	free(bytes);
}

/* It is true of the file. */
static bool is(const char *expression)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		execl("/usr/bin/python3", "python3", "-B", SELFTESTS "/pprof.py", path,
		      expression, NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return status == 0;
}

static void samples_have_values_and_labels(void)
{
	write_file(&all);
	CHECK(is("p.types == ['calls/count', 'total/nanoseconds', 'self/nanoseconds'] and "
		 "p.default == 'self' and len(p.samples) == 4"));
	CHECK(is("p.sum('calls') == 17 and p.sum('calls', 'first', pid='10', comm='one') == 3 and "
		 "p.sum('total', comm='one') == 1100 and p.sum('self', pid='11') == 16"));
	CHECK(is("p.sum('calls', 'operator new(unsigned long)') == 5"));
	CHECK(is("p.sum('total', 'first', comm='two words') == 16 + 2 ** 63 - 1"));
	CHECK(is("'Duration: 2.5s\\n' in p.head and '2023-11-14' in p.head"));
}

static void functions_are_in_their_files(void)
{
	write_file(&all);
	CHECK(is("sorted(p.functions.values()) == [(1, 0x1100, 'first'), "
		 "(1, 0x1200, 'operator new(unsigned long)'), (2, 0x401100, 'first')]"));
	CHECK(is("p.mappings[0] == ['1:', '0x1000/0x5000/0x1000', '/bin/a', '0123abcd', '[FN]'] and "
		 "p.mappings[1][1:3] == ['0x401000/0x402000/0x0', '/lib/b.so']"));
}

static void without_times(void)
{
	struct pprof pprof = all;

	pprof.timed = false;
	write_file(&pprof);
	CHECK(is("p.types == ['calls/count'] and p.default == 'calls' and p.sum('calls') == 17"));
}

static void without_any_sample(void)
{
	const struct pprof nothing = { .timed = true };

	write_file(&nothing);
	CHECK(is("not p.samples and not p.functions"));
}

static void names_may_be_any_bytes(void)
{
	static const struct pprof_file file = { "\xff\"\n", "", 0, 1, 0 };
	static const struct pprof_function function[] = { { 0, "", 1 }, { 0, "\x80(\\", 2 } };
	static const struct pprof_sample sample[] = { { 0, 1, "", 1, 0, 0 }, { 1, 1, "\xfe", 2, 0, 0 } };
	const struct pprof pprof = { 1, 2, 2, &file, function, sample, false, 0, 0 };

	write_file(&pprof);
	CHECK(is("p.sum('calls') == 3 and p.sum('calls', '\\ufffd(\\\\') == 2 and "
		 "'\\ufffd' in p.labels('comm')"));
}

static void the_same_makes_the_same_bytes(void)
{
	uint8_t *a, *b;
	size_t a_len, b_len;

	pprof_pack(&all, &a, &a_len);
	pprof_pack(&all, &b, &b_len);
	CHECK(a_len == b_len && !memcmp(a, b, a_len));
	free(a);
	free(b);
}

static void many_samples(void)
{
	enum { NR = 20000 };
	struct pprof_function *function = calloc(NR, sizeof(*function));
	struct pprof_sample *sample = calloc(NR, sizeof(*sample));
	struct pprof pprof = all;
	char (*name)[16] = calloc(NR, sizeof(*name));

	for (size_t i = 0; i < NR; i++) {
		snprintf(name[i], sizeof(*name), "f%zu", i);
		function[i] = (struct pprof_function) { i % 2, name[i], 0x1000 + i };
		sample[i] = (struct pprof_sample) { i, (int)i + 1, "comm", i + 1, 0, 0 };
	}
	pprof.nr_functions = pprof.nr_samples = NR;
	pprof.function = function;
	pprof.sample = sample;
	write_file(&pprof);
	CHECK(is("p.sum('calls') == 20000 * 20001 // 2 and p.sum('calls', 'f77') == 78"));
	free(function);
	free(sample);
	free(name);
}

int main(void)
{
	close(mkstemp(path));
	RUN(samples_have_values_and_labels);
	RUN(functions_are_in_their_files);
	RUN(without_times);
	RUN(without_any_sample);
	RUN(names_may_be_any_bytes);
	RUN(the_same_makes_the_same_bytes);
	RUN(many_samples);
	unlink(path);
	return tap_done();
}
