// SPDX-License-Identifier: GPL-2.0
/*
 * The machine: what the code of slabs depends on beside the file.
 */

#include "machine.h"

#include <cpuid.h>
#include <pthread.h>
#include <unistd.h>

#define CPUID_7_ECX_RDPID (1U << 22)

static struct machine here;

static bool cpu_has_rdpid(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && c & CPUID_7_ECX_RDPID;
}

static void machine_look(void)
{
	long processors = sysconf(_SC_NPROCESSORS_CONF);

	for (here.shards = 1; here.shards < MACHINE_SHARDS_MAX; here.shards *= 2) {
		if ((long)here.shards >= processors)
			break;
	}
	here.has_rdpid = cpu_has_rdpid();
}

const struct machine *machine_here(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, machine_look);
	return &here;
}
