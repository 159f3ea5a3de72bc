// SPDX-License-Identifier: GPL-2.0
/* Exceptions in all threads at once, more of them than there are lanes. */
#include <cstdio>
#include <future>
#include <pthread.h>
#include <stdexcept>
#include <thread>
#include <vector>

#include "throws.h"
#include "unwinds.h"

#define THREADS 20

static pthread_barrier_t together;

static void throw_often(int *wrong)
{
	const long times = scaled(2000);

	pthread_barrier_wait(&together);
	for (long i = 0; i < times; i++)
		*wrong |= throws_through(i % 20) | throws_again(i % 5) |
			  throws_in_cleanup(i % 3) | throws_and_calls(1);
}

FRAME static int thrown_to_who_waits(int number)
{
	if (number % 2)
		throw std::out_of_range(std::to_string(number));
	KEEP;
	return number;
}

static int gathered()
{
	std::vector<std::future<int>> results;
	int sum = 0;

	for (int i = 0; i < THREADS; i++)
		results.push_back(std::async(std::launch::async, thrown_to_who_waits, i));
	for (auto &result : results) {
		try {
			sum += result.get();
		} catch (const std::out_of_range &error) {
			sum += 1000 * std::stoi(error.what());
		}
	}
	return sum;
}

int main()
{
	std::vector<std::thread> threads;
	int wrong[THREADS] = {};

	pthread_barrier_init(&together, nullptr, THREADS);
	for (int &mine : wrong)
		threads.emplace_back(throw_often, &mine);
	for (auto &thread : threads)
		thread.join();
	for (int mine : wrong)
		CHECK(!mine);
	for (int i = 0; i < 5; i++)
		std::printf("%d\n", gathered());
	return unwinds_failed;
}
