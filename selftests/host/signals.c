// SPDX-License-Identifier: GPL-2.0
#include "signals.h"

#include <dlfcn.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host.h"

#define INTERPOSE __attribute__((visibility("default")))

/* libc's function of the name of the one that asks. */
#define REAL(name) ({								\
	static __typeof__(&name) __found;					\
	if (!__found)								\
		__found = (__typeof__(&name))dlsym(RTLD_NEXT, #name);		\
	__found;									\
})

/* Of a set of signals: the two. */
#define TRAP_BIT	1U
#define ILL_BIT		2U

static bool shared;
/* What the program believes its dispositions to be. */
static struct sigaction believed[2];
/* Which of the two the program believes that it blocks, and which came meanwhile. */
static __thread unsigned int blocked, pending;

static unsigned int bit_of(int signal)
{
	return signal == SIGTRAP ? TRAP_BIT : signal == SIGILL ? ILL_BIT : 0;
}

static struct sigaction *believed_of(int signal)
{
	return &believed[signal == SIGILL];
}

static unsigned int bits_in(const sigset_t *set)
{
	return (sigismember(set, SIGTRAP) == 1 ? TRAP_BIT : 0) |
	       (sigismember(set, SIGILL) == 1 ? ILL_BIT : 0);
}

static void bits_add(sigset_t *set, unsigned int bits)
{
	if (bits & TRAP_BIT)
		sigaddset(set, SIGTRAP);
	if (bits & ILL_BIT)
		sigaddset(set, SIGILL);
}

/* @set without the two, in *@copy; NULL stays NULL. */
static const sigset_t *stripped(const sigset_t *set, sigset_t *copy)
{
	if (!set || !shared)
		return set;
	*copy = *set;
	sigdelset(copy, SIGTRAP);
	sigdelset(copy, SIGILL);
	return copy;
}

/* ---- the handler: it calls nothing of libc, which may be what traps ------------ */

static long system_call(long number, long a, long b, long c, long d)
{
	register long r10 asm("r10") = d;

	asm volatile("syscall" : "+a" (number) : "D" (a), "S" (b), "d" (c), "r" (r10)
		     : "rcx", "r11", "memory");
	return number;
}

static void send_self(int signal)
{
	long thread = system_call(SYS_gettid, 0, 0, 0, 0);

	system_call(SYS_tgkill, system_call(SYS_getpid, 0, 0, 0, 0), thread, signal, 0);
}

static void die_of(int signal)
{
	/* struct kernel_sigaction: handler, flags, restorer, mask */
	const unsigned long by_default[4] = { 0 };

	system_call(SYS_rt_sigaction, signal, (long)by_default, 0, sizeof(by_default[3]));
	send_self(signal);
}

static void hand_on(int signal, siginfo_t *info, void *context)
{
	struct sigaction *action = believed_of(signal);
	void (*handler)(int, siginfo_t *, void *) = action->sa_sigaction;
	bool sent = info->si_code <= 0;

	if (sent && blocked & bit_of(signal)) {
		pending |= bit_of(signal);
		return;
	}
	if (sent && action->sa_handler == SIG_IGN)
		return;
	if (action->sa_handler == SIG_IGN || action->sa_handler == SIG_DFL) {
		die_of(signal);
		return;
	}
	if (action->sa_flags & (int)SA_RESETHAND)
		action->sa_handler = SIG_DFL;
	/* One that takes the signal only does not look at the rest. */
	handler(signal, info, context);
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
	if (!host_trap(signal, info, context))
		hand_on(signal, info, context);
}

/* ---- dispositions ------------------------------------------------------------- */

/* Traps come from anywhere, the program's handler included: SA_NODEFER. */
static void handler_install(int signal)
{
	const struct sigaction *action = believed_of(signal);
	struct sigaction ours = {
		.sa_sigaction = on_trap,
		.sa_flags = SA_SIGINFO | SA_NODEFER |
			    (action->sa_flags & (SA_ONSTACK | SA_RESTART)),
	};

	stripped(&action->sa_mask, &ours.sa_mask);
	REAL(sigaction)(signal, &ours, NULL);
}

INTERPOSE int sigaction(int signal, const struct sigaction *restrict action,
			struct sigaction *restrict old)
{
	struct sigaction copy;

	if (!shared)
		return REAL(sigaction)(signal, action, old);
	if (bit_of(signal)) {
		if (action)
			copy = *action;
		if (old)
			*old = *believed_of(signal);
		if (action) {
			*believed_of(signal) = copy;
			handler_install(signal);
		}
		return 0;
	}
	if (action) {
		copy = *action;
		stripped(&action->sa_mask, &copy.sa_mask);
	}
	return REAL(sigaction)(signal, action ? &copy : NULL, old);
}

INTERPOSE sighandler_t signal(int number, sighandler_t handler)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART }, old;

	if (!shared || !bit_of(number))
		return REAL(signal)(number, handler);
	sigaction(number, &action, &old);
	return old.sa_handler;
}

/* ---- masks ------------------------------------------------------------------ */

static unsigned int blocked_then(int how, unsigned int bits)
{
	switch (how) {
	case SIG_BLOCK:
		return blocked | bits;
	case SIG_UNBLOCK:
		return blocked & ~bits;
	default:
		return bits;
	}
}

static void pending_send(void)
{
	unsigned int now = pending & ~blocked;

	pending &= blocked;
	if (now & TRAP_BIT)
		send_self(SIGTRAP);
	if (now & ILL_BIT)
		send_self(SIGILL);
}

static int mask_change(__typeof__(&sigprocmask) change, int how, const sigset_t *set,
		       sigset_t *old)
{
	unsigned int before = blocked, then = before;
	sigset_t copy;
	int ret;

	if (!shared)
		return change(how, set, old);
	if (set)
		then = blocked_then(how, bits_in(set));
	ret = change(how, stripped(set, &copy), old);
	if (ret)
		return ret;
	blocked = then;
	if (old)
		bits_add(old, before);
	pending_send();
	return 0;
}

INTERPOSE int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
	return mask_change(REAL(sigprocmask), how, set, old);
}

INTERPOSE int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
	return mask_change(REAL(pthread_sigmask), how, set, old);
}

INTERPOSE int sigsuspend(const sigset_t *set)
{
	sigset_t copy;

	return REAL(sigsuspend)(stripped(set, &copy));
}

INTERPOSE int ppoll(struct pollfd *fds, nfds_t nr, const struct timespec *timeout,
		    const sigset_t *set)
{
	sigset_t copy;

	return REAL(ppoll)(fds, nr, timeout, stripped(set, &copy));
}

INTERPOSE int pselect(int nr, fd_set *restrict read, fd_set *restrict write,
		      fd_set *restrict except, const struct timespec *restrict timeout,
		      const sigset_t *restrict set)
{
	sigset_t copy;

	return REAL(pselect)(nr, read, write, except, timeout, stripped(set, &copy));
}

INTERPOSE int epoll_pwait(int fd, struct epoll_event *events, int nr, int timeout,
			  const sigset_t *set)
{
	sigset_t copy;

	return REAL(epoll_pwait)(fd, events, nr, timeout, stripped(set, &copy));
}

void signals_share(void)
{
	sigset_t both, before;

	sigemptyset(&both);
	bits_add(&both, TRAP_BIT | ILL_BIT);
	sigaction(SIGTRAP, NULL, believed_of(SIGTRAP));
	sigaction(SIGILL, NULL, believed_of(SIGILL));
	handler_install(SIGTRAP);
	handler_install(SIGILL);
	pthread_sigmask(SIG_UNBLOCK, &both, &before);
	blocked = bits_in(&before);
	shared = true;
}
