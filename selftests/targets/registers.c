// SPDX-License-Identifier: GPL-2.0
/*
 * Built with -fipa-ra: who calls a local function keeps values in the registers that it
 * knows that function to leave alone, whatever the ABI says; integers, and vectors.
 */
#include "unwinds.h"

FRAME static long light(long value)
{
	__asm__ volatile("nop; nop; nop; nop; nop");
	return value + 1;
}

FRAME static double light_double(double value)
{
	__asm__ volatile("nop; nop; nop; nop; nop");
	return value + 1;
}

/* What is called leaves two ways. */
FRAME static long branchy(long value)
{
	__asm__ volatile("nop; nop; nop; nop; nop");
	if (value % 2)
		return light(value);
	return value + 1;
}

/* More values than there are registers that anybody saves. */
FRAME static long integers(const long *from)
{
	long a = from[0], b = from[1], c = from[2], d = from[3], e = from[4], f = from[5];
	long g = from[6], h = from[7], i = from[8], j = from[9], k = from[10];

	for (int turn = 0; turn < 100; turn++) {
		a = light(a);
		b ^= a; c += b; d ^= c; e += d; f ^= e; g += f;
		h ^= branchy(g);
		i += h; j ^= i; k += j; a ^= k >> 7;
	}
	return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ i ^ j ^ k;
}

FRAME static double doubles(const double *from)
{
	double a = from[0], b = from[1], c = from[2], d = from[3], e = from[4], f = from[5];

	for (int turn = 0; turn < 100; turn++) {
		a = light_double(a);
		b += a; c += b * 0.5; d -= c; e += d * 0.25; f -= e;
		a = light_double(a - f * 0.125);
	}
	return a + b + c + d + e + f;
}

/* The same with nothing called; the compiler must not see that. */
static long integers_expected(const long *from)
{
	volatile long a = from[0];
	long b = from[1], c = from[2], d = from[3], e = from[4], f = from[5];
	long g = from[6], h = from[7], i = from[8], j = from[9], k = from[10];

	for (int turn = 0; turn < 100; turn++) {
		a = a + 1;
		b ^= a; c += b; d ^= c; e += d; f ^= e; g += f;
		h ^= g + 1;
		i += h; j ^= i; k += j; a ^= k >> 7;
	}
	return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ i ^ j ^ k;
}

int main(void)
{
	const long times = scaled(20000);
	long integer[11], sum = 0;
	double real[6], first = 0;

	for (long i = 0; i < times; i++) {
		for (int j = 0; j < 11; j++)
			integer[j] = i * 7919 + j * 104729;
		CHECK(integers(integer) == integers_expected(integer));
		sum += integers(integer);
		for (int j = 0; j < 6; j++)
			real[j] = j + 0.5;
		if (!i)
			first = doubles(real);
		CHECK(doubles(real) == first);
	}
	printf("%ld %.17g\n", sum, first);
	return unwinds_failed;
}
