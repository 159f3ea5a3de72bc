/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SIGTRAP and SIGILL shared with a program that does not know: its sigaction(2)
 * and signal(2) of these two are remembered instead of done, and no mask of its
 * own ever blocks them. A trap that is no host's is the program's, with the
 * meaning that it would have had.
 *
 * Not covered: dispositions and masks of the two are not passed on to a program
 * that is exec'd, nor a mask to a new thread; sigwait(3), sigpending(2) and
 * signalfd(2) do not see the two; a vfork child that changes them changes its
 * parent's record. The mask of any other handler is told without the two.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

/* From now on. Before, all that is interposed does what libc's does. */
void signals_share(void);

#endif
