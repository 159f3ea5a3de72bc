// SPDX-License-Identifier: GPL-2.0
/* A million exceptions, after which there is no more memory in use than before. */
#include <cstdio>
#include <malloc.h>

#include "throws.h"
#include "unwinds.h"

/* Most through two frames, some through a thousand. */
static int throw_times(long times)
{
	int wrong = 0;

	for (long i = 1; i <= times; i++)
		wrong |= throws_through(i % 1000 ? 1 : 999);
	return wrong;
}

int main()
{
	CHECK(!throw_times(2000));

	const size_t used = mallinfo2().uordblks;
	const long resident = resident_kib(), times = scaled(1000000);

	CHECK(!throw_times(times));
	CHECK(mallinfo2().uordblks < used + 65536);
	CHECK(resident_kib() < resident + BOUND_KIB);
	std::printf("%ld exceptions\n", times);
	return unwinds_failed;
}
