// SPDX-License-Identifier: GPL-2.0
/*
 * A program that faults where it is told to, and says what its handler was told: signal,
 * code, instruction, address, and what came of it, which is 5.
 *
 * Commands: call N | read | jump | divide | illegal | wait | child | quit
 */
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

extern long fault_read(const long *from);
extern long fault_divide(long value, long by);
extern long fault_illegal(long value);
extern long fault_wait(void);

__asm__(".text\n"
	".p2align 4\n"
	".globl fault_read\n"
	".type fault_read, @function\n"
	"fault_read:\n"
	"	mov (%rdi), %rax\n"
	"	ret\n"
	".size fault_read, .-fault_read\n"
	".p2align 4\n"
	".globl fault_divide\n"
	".type fault_divide, @function\n"
	"fault_divide:\n"
	"	mov %rdi, %rax\n"
	"	cqto\n"
	"	idiv %rsi\n"
	"	ret\n"
	".size fault_divide, .-fault_divide\n"
	".p2align 4\n"
	".globl fault_illegal\n"
	".type fault_illegal, @function\n"
	"fault_illegal:\n"
	"	ud2\n"
	"	mov %rdi, %rax\n"
	"	ret\n"
	".size fault_illegal, .-fault_illegal\n"
	".p2align 4\n"
	".globl fault_wait\n"
	".type fault_wait, @function\n"
	"fault_wait:\n"
	"	mov $34, %eax\n"	/* pause() */
	"	syscall\n"
	"	mov $5, %eax\n"
	"	ret\n"
	".size fault_wait, .-fault_wait\n");

static const long five = 5;
static volatile bool jumps;
static sigjmp_buf jump;
static char told[128];

/* Mends what was wrong, and returns; or jumps. */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	snprintf(told, sizeof(told), "%d %d %llx %lx", sig, info->si_code,
		 (unsigned long long)regs[REG_RIP], (unsigned long)info->si_addr);
	if (jumps)
		siglongjmp(jump, 1);
	if (info->si_code <= 0)
		return;
	if (sig == SIGSEGV)
		regs[REG_RDI] = (uintptr_t)&five;
	if (sig == SIGFPE)
		regs[REG_RSI] = 1;
	if (sig == SIGILL)
		regs[REG_RIP] += 2;
}

static long obey(const char *line)
{
	if (!strcmp(line, "read"))
		return fault_read(NULL);
	if (!strcmp(line, "divide"))
		return fault_divide(5, 0);
	if (!strcmp(line, "illegal"))
		return fault_illegal(5);
	if (!strcmp(line, "wait"))
		return fault_wait();
	return 0;
}

static long fault_and_jump(void)
{
	long ret = 5;

	jumps = true;
	if (!sigsetjmp(jump, 1))
		ret = fault_read(NULL);
	jumps = false;
	return ret;
}

static void fault_in_child(void)
{
	pid_t pid = fork();

	if (!pid) {
		long ret = fault_read(NULL);

		printf("%s %ld\n", told, ret);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const int signals[] = { SIGSEGV, SIGFPE, SIGILL, SIGBUS };
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	char line[64];
	long n, ret;

	for (int i = 0; i < 4; i++)
		sigaction(signals[i], &action, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		strcpy(told, "none");
		if (!strcmp(line, "quit"))
			break;
		if (sscanf(line, "call %ld", &n) == 1) {
			printf("%ld\n", n);
		} else if (!strcmp(line, "child")) {
			fault_in_child();
		} else {
			ret = !strcmp(line, "jump") ? fault_and_jump() : obey(line);
			printf("%s %ld\n", told, ret);
		}
	}
	return 0;
}
