// SPDX-License-Identifier: GPL-2.0
/*
 * instrctl remove: end sessions.
 */

#include <limits.h>
#include <stdint.h>

#include "cmd.h"
#include "libinstr/dev.h"
#include "say.h"

const char help_remove[] =
	"Ends sessions, whoever owns them: when it returns, their programs run the files'\n"
	"own text again. Their owners are told so, and lose what was not read yet.\n"
	"\n"
	"  ID         as \"instrctl show sessions\" prints it\n"
	"  -a, --all  all sessions\n";

static int remove_one(struct instr_dev *dev, uint32_t session_id)
{
	struct instr_err err = { 0 };
	unsigned int removed;

	if (instr_dev_remove(dev, session_id, &removed, &err))
		return say_error(&err, EXIT_NO);
	if (session_id)
		say(SAY_NOTE, "session %u was ended", session_id);
	else
		say(SAY_NOTE, "%u session%s ended", removed, removed == 1 ? " was" : "s were");
	return EXIT_DONE;
}

/* All that can be removed are, also behind one that can't. */
static int remove_each(struct instr_dev *dev, int nr, const uint32_t *ids)
{
	int status = EXIT_DONE;

	for (int i = 0; i < nr; i++)
		if (remove_one(dev, ids[i]))
			status = EXIT_NO;
	return status;
}

int cmd_remove(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "all", no_argument, NULL, 'a' },
		OPT_COMMON
	};
	struct instr_err err = { 0 };
	struct instr_dev *dev;
	bool all = false;
	int status;

	while (opt_next(argc, argv, ":a" OPT_COMMON_SHORT, longs) == 'a')
		all = true;
	if (all == (optind < argc))
		return usage_error(all ? "--all and an ID: choose one" : "which session: ID, or --all?");

	uint32_t ids[argc];

	/* First look at all of the command line. */
	for (int i = optind; i < argc; i++)
		ids[i - optind] = opt_number("ID", argv[i], 1, UINT32_MAX);
	if (instr_dev_open(&dev, &err))
		return say_error(&err, EXIT_NO);
	status = all ? remove_one(dev, 0) : remove_each(dev, argc - optind, ids);
	instr_dev_close(dev);
	return status;
}
