/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Measurements: how long functions took in one space, read from the module.
 */
#ifndef INSTRCTL_MEASURE_H
#define INSTRCTL_MEASURE_H

#include "result.h"

/* Fills in what is measured in @space. @execed: it is gone, as another program began. */
int measure_read(struct count *count, const struct targets *targets,
		 struct result_space *space, bool execed, struct instr_err *err);

#endif
