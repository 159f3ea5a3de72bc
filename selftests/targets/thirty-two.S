/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A 32-bit program: thirty-two PROGRAM ARG...
 *
 * It makes two children, by fork(2) and vfork(2), which end at once, waits for each, and
 * then executes what it was told.
 */
/* Of the 32-bit calls; the compiler has headers of the other ones only. */
#define NR_exit		1
#define NR_fork		2
#define NR_waitpid	7
#define NR_execve	11
#define NR_vfork	190

	.globl _start
_start:
	mov %esp, %esi
	mov $NR_fork, %eax
	call make
	mov $NR_vfork, %eax
	/* Not called: the child would return with what the parent needs. */
	int $0x80
	test %eax, %eax
	jz end
	call wait
	mov $NR_execve, %eax
	mov 8(%esi), %ebx
	lea 8(%esi), %ecx
	xor %edx, %edx
	int $0x80
	mov $99, %ebx
	jmp end_with

make:
	int $0x80
	test %eax, %eax
	jz end
wait:
	mov $NR_waitpid, %eax
	mov $-1, %ebx
	xor %ecx, %ecx
	xor %edx, %edx
	int $0x80
	ret

end:
	xor %ebx, %ebx
end_with:
	mov $NR_exit, %eax
	int $0x80

	.section .note.GNU-stack, "", @progbits
