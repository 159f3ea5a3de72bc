// SPDX-License-Identifier: GPL-2.0
/*
 * Files that appear whole, also in folders that others write to: what is in the way is
 * replaced only if we wrote it, and no link is followed.
 */

#include "replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libinstr/clean.h"
#include "libinstr/err.h"
#include "say.h"

/* Is there one, and may it be replaced? */
static int look_at_old(const char *path, bool (*is_ours)(int fd), bool *is_there,
		       struct instr_err *err)
{
	CLEAN(close) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat old;

	*is_there = fd >= 0 || errno != ENOENT;
	if (!*is_there)
		return 0;
	if (fd < 0 && errno != ELOOP)
		return err_errno(err, -errno, path);
	if (fd >= 0 && !fstat(fd, &old) && S_ISREG(old.st_mode) && old.st_uid == geteuid() &&
	    is_ours(fd))
		return 0;
	instr_fail(err, -EEXIST, "%s: is there already, and not ours", path);
	return instr_hint(err, -EEXIST, "remove it, or name another file: -o FILE");
}

static int write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t done = write(fd, bytes, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		bytes += done;
		len -= (size_t)done;
	}
	return 0;
}

/* Nothing is replaced that was not there. */
static int put_in_place(const char *temporary, const char *path, bool is_there)
{
	if (is_there)
		return rename(temporary, path) ? -errno : 0;
	if (!renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE))
		return 0;
	/* Not every file system can do that. */
	if (errno != EINVAL || link(temporary, path))
		return -errno;
	unlink(temporary);
	return 0;
}

/* A file beside @path, with the bytes. */
static int write_temporary(const char *path, const uint8_t *bytes, size_t len, mode_t mode,
			   char **temporary)
{
	int code, fd;

	if (asprintf(temporary, "%s.XXXXXX", path) < 0)
		out_of_memory();
	fd = mkostemp(*temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	code = fchmod(fd, mode) ? -errno : write_all(fd, bytes, len);
	if (close(fd) && !code)
		code = -errno;
	if (code)
		unlink(*temporary);
	return code;
}

static int rename_temporary(const char *temporary, const char *path, bool is_there)
{
	int code = put_in_place(temporary, path, is_there);

	if (code)
		unlink(temporary);
	return code;
}

int replace_file(const char *path, const uint8_t *bytes, size_t len, bool (*is_ours)(int fd),
		 struct instr_err *err)
{
	CLEAN(free) char *temporary = NULL;
	bool is_there;
	int code = look_at_old(path, is_ours, &is_there, err);

	if (code)
		return code;
	code = write_temporary(path, bytes, len, 0600, &temporary) ?:
	       rename_temporary(temporary, path, is_there);
	return code ? err_errno(err, code, path) : 0;
}

/* ---- for others -------------------------------------------------------------- */

static mode_t current_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

static int check_old(const char *path, struct instr_err *err)
{
	struct stat old;

	if (stat(path, &old) || S_ISREG(old.st_mode))
		return 0;
	return instr_fail(err, -EEXIST, "%s: is there, and no regular file", path);
}

int replace_output(const char *path, const void *bytes, size_t len, struct instr_err *err)
{
	CLEAN(free) char *temporary = NULL;
	int code = check_old(path, err);

	if (code)
		return code;
	code = write_temporary(path, bytes, len, current_mode(), &temporary) ?:
	       rename_temporary(temporary, path, true);
	return code ? err_errno(err, code, path) : 0;
}

int replace_check(const char *path, struct instr_err *err)
{
	CLEAN(free) char *temporary = NULL;
	int code = check_old(path, err);

	if (code)
		return code;
	code = write_temporary(path, NULL, 0, 0600, &temporary);
	if (code)
		return err_errno(err, code, path);
	unlink(temporary);
	return 0;
}
