// SPDX-License-Identifier: GPL-2.0
#include "live.h"

#include <linux/bug.h>

struct instr_live instr_live;

void instr_live_check(void)
{
	WARN_ON(atomic_read(&instr_live.sessions));
	WARN_ON(atomic_read(&instr_live.overlays));
	WARN_ON(atomic_read(&instr_live.spaces));
	WARN_ON(atomic_read(&instr_live.views));
	WARN_ON(atomic64_read(&instr_live.pages));
	WARN_ON(atomic64_read(&instr_live.pinned));
}
