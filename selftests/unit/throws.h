/* SPDX-License-Identifier: GPL-2.0 */
/* Functions that leave others by exceptions; "timed_" are those that are timed. */
#ifndef THROWS_H
#define THROWS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Each returns 0, or what went wrong. */
int throws_through(int frames);			/* timed_frame: @frames + 1 calls, exceptions */
int throws_again(int frames);			/* caught and rethrown in each frame */
int throws_in_cleanup(int frames);		/* a destructor of each frame throws and catches */
int throws_past(int frames);			/* through timed_frame, below one with a destructor */
int throws_through_c(int frames);		/* timed_sort_compare, called by qsort(3) */
/* Out of a handler of SIGSEGV: @function, called by timed_fault_caller, reads its argument. */
int throws_in_handler(int (*function)(volatile int *));
extern unsigned long fault_address;		/* where it did */
int timed_fault_cleaned(volatile int *at);	/* has something to destroy */
int timed_fault_caught(volatile int *at);	/* catches it, and throws it again */
int throws_later(int frames);			/* as std::exception_ptr, in another thread */
int throws_and_calls(int frames);		/* what is called behind the catch returns */

int timed_c_frame(int frames, int (*last)(int), int arg);	/* throws_c.c */

#ifdef __cplusplus
}
#endif
#endif
