// SPDX-License-Identifier: GPL-2.0
/*
 * instr: views of program text. This file is the order of things, and its
 * reverse; DESIGN of each part is at the head of its file.
 */

#include <linux/module.h>

#include "ctl.h"
#include "frames.h"
#include "hook.h"
#include "keep.h"
#include "live.h"
#include "netlink.h"
#include "slab.h"
#include "trap.h"
#include "view.h"
#include "work.h"

static int __init instr_init(void)
{
	int err;

	err = instr_view_init();
	if (err)
		return err;
	err = instr_keep_init();
	if (err)
		goto err_view_exit;
	err = instr_frames_init();
	if (err)
		goto err_times_exit;
	err = instr_trap_init();
	if (err)
		goto err_frames_exit;
	err = instr_work_init();
	if (err)
		goto err_trap_exit;
	err = instr_hook_init();
	if (err)
		goto err_work_exit;
	err = instr_netlink_init();
	if (err)
		goto err_work_exit;
	err = instr_ctl_init();
	if (err)
		goto err_netlink_exit;
	return 0;

err_netlink_exit:
	instr_netlink_exit();
err_work_exit:
	instr_work_exit();
err_trap_exit:
	instr_trap_exit();
err_frames_exit:
	instr_frames_exit();
err_times_exit:
	instr_keep_exit();
err_view_exit:
	instr_view_exit();
	return err;
}

/*
 * Sessions, views and queued work hold references on the module: none is left
 * when this runs, only code of ours that is about to return.
 */
static void __exit instr_exit(void)
{
	instr_ctl_exit();
	instr_netlink_exit();
	instr_hook_exit();
	instr_work_exit();
	instr_code_silence();
	instr_trap_exit();
	instr_view_exit();
	instr_frames_exit();
	instr_keep_exit();
	instr_live_check();
}

module_init(instr_init);
module_exit(instr_exit);
MODULE_DESCRIPTION("Dynamic binary instrumentation by views of program text");
MODULE_LICENSE("GPL");
