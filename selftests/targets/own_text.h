/* SPDX-License-Identifier: GPL-2.0 */
/* A page of the program's own text, as its file has it. */
#ifndef OWN_TEXT_H
#define OWN_TEXT_H

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

#define OWN_TEXT_PAGE	4096

/* Reads the bytes of the file that are mapped at @page. Returns 0, or -1. */
static int own_text_read(const void *page, uint8_t *bytes)
{
	extern const char __ehdr_start[];
	uintptr_t vaddr = (uintptr_t)page - (uintptr_t)__ehdr_start;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr head;
	int ret = -1;

	if (fd < 0 || pread(fd, &head, sizeof(head), 0) != sizeof(head))
		return -1;
	for (int i = 0; ret && i < head.e_phnum; i++) {
		Elf64_Phdr load;

		if (pread(fd, &load, sizeof(load), (off_t)(head.e_phoff + i * sizeof(load))) !=
		    sizeof(load))
			break;
		if (load.p_type == PT_LOAD && vaddr - load.p_vaddr < load.p_filesz &&
		    pread(fd, bytes, OWN_TEXT_PAGE,
			  (off_t)(vaddr - load.p_vaddr + load.p_offset)) > 0)
			ret = 0;
	}
	close(fd);
	return ret;
}

#endif
