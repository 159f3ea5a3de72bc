/* SPDX-License-Identifier: GPL-2.0 */
/* Files that appear whole, or not at all. */
#ifndef INSTRCTL_REPLACE_H
#define INSTRCTL_REPLACE_H

#include "libinstr/libinstr.h"

/*
 * Makes the file, which only its owner may read, anew. -EEXIST: there is one that is not of
 * the user that we are, or of which @is_ours says no.
 */
int replace_file(const char *path, const uint8_t *bytes, size_t len, bool (*is_ours)(int fd),
		 struct instr_err *err);

/*
 * Makes the file anew, whichever was there, so that anybody may read it whom the umask lets.
 * What is no file (/dev/null) stays as it is, and so does the old file if this fails.
 */
int replace_output(const char *path, const void *bytes, size_t len, struct instr_err *err);
/* Says now whether that is going to be possible, as far as that can be known. */
int replace_check(const char *path, struct instr_err *err);

#endif
