// SPDX-License-Identifier: GPL-2.0
/*
 * Unwinding that is no throwing: forced, up to a frame that is jumped to; and exceptions
 * that are not of C++.
 */
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <unwind.h>

#include "unwinds.h"

static std::string order;

struct numbered {
	int number;

	~numbered()
	{
		order += std::to_string(number) + ' ';
	}
};

/* ---- forced ---------------------------------------------------------------------- */

static jmp_buf stopped;
static uintptr_t stop_above;

static _Unwind_Reason_Code stop(int, _Unwind_Action actions, _Unwind_Exception_Class,
				_Unwind_Exception *, _Unwind_Context *context, void *)
{
	if (_Unwind_GetCFA(context) > stop_above || actions & _UA_END_OF_STACK)
		std::longjmp(stopped, actions & _UA_END_OF_STACK ? 2 : 1);
	return _URC_NO_REASON;
}

FRAME static int force(_Unwind_Exception *exception)
{
	_Unwind_Reason_Code code = _Unwind_ForcedUnwind(exception, stop, nullptr);

	KEEP;
	return code;
}

FRAME static int forced_frame(int frames, _Unwind_Exception *exception)
{
	numbered numbered = { frames };
	int value;

	try {
		value = frames ? forced_frame(frames - 1, exception) : force(exception);
	} catch (...) {
		order += "all ";
		throw;
	}
	KEEP;
	return value + 1;
}

FRAME static int forced(int frames)
{
	static _Unwind_Exception exception;
	int got = setjmp(stopped);

	memset(&exception, 0, sizeof(exception));
	stop_above = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
	return got ? got : forced_frame(frames, &exception) + 10;
}

static void check_forced(int frames)
{
	std::string expected;

	for (int i = 0; i <= frames; i++)
		expected += "all " + std::to_string(i) + ' ';
	order.clear();
	CHECK(forced(frames) == 1);
	CHECK(order == expected);
	std::printf("forced, %d\n", frames + 1);
}

/* ---- foreign ----------------------------------------------------------------------- */

static int deleted;

static void on_delete(_Unwind_Reason_Code reason, _Unwind_Exception *)
{
	deleted += reason == _URC_FOREIGN_EXCEPTION_CAUGHT;
}

FRAME static int raise_foreign(_Unwind_Exception *exception)
{
	_Unwind_Reason_Code code = _Unwind_RaiseException(exception);

	KEEP;
	return code;
}

/* No handler of a type is for it. */
FRAME static int foreign_frame(int frames, _Unwind_Exception *exception)
{
	numbered numbered = { frames };
	int value;

	try {
		value = frames ? foreign_frame(frames - 1, exception) : raise_foreign(exception);
	} catch (const std::exception &) {
		order += "wrong ";
		return 0;
	} catch (int) {
		order += "wrong ";
		return 0;
	}
	KEEP;
	return value + 1;
}

static void check_foreign(int frames)
{
	static _Unwind_Exception exception;
	std::string expected;
	int caught = 0;

	memset(&exception, 0, sizeof(exception));
	memcpy(&exception.exception_class, "SOMEBODY", 8);
	exception.exception_cleanup = on_delete;
	order.clear();
	deleted = 0;
	try {
		foreign_frame(frames, &exception);
	} catch (...) {
		caught = 1;
	}
	for (int i = 0; i <= frames; i++)
		expected += std::to_string(i) + ' ';
	CHECK(caught && deleted == 1);
	CHECK(order == expected);
	std::printf("foreign, %d\n", frames + 1);
}

/* ---- walked -------------------------------------------------------------------------- */

struct walk {
	int own;
	bool ended;
};

extern "C" FRAME int walked_frame(int frames, walk *walk);

static _Unwind_Reason_Code step(_Unwind_Context *context, void *arg)
{
	auto *walk = static_cast<struct walk *>(arg);
	auto here = reinterpret_cast<void *>(_Unwind_GetIP(context) - 1);

	walk->own += _Unwind_FindEnclosingFunction(here) ==
		     reinterpret_cast<void *>(walked_frame);
	return _URC_NO_REASON;
}

extern "C" FRAME int walked_frame(int frames, walk *walk)
{
	int value;

	if (frames)
		value = walked_frame(frames - 1, walk);
	else
		value = _Unwind_Backtrace(step, walk) == _URC_END_OF_STACK;
	KEEP;
	return value;
}

static void check_walked(int frames)
{
	walk walk = {};

	CHECK(walked_frame(frames, &walk));
	CHECK(walk.own == frames + 1);
	std::printf("walked, %d\n", frames + 1);
}

int main()
{
	static const int frames[] = { 0, 15, 999 };

	for (int nr : frames) {
		check_forced(nr);
		check_foreign(nr);
		check_walked(nr);
	}
	return unwinds_failed;
}
