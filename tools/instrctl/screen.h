/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A screen: a board on a terminal, and the keys that change how it is looked at.
 *
 * However we end, but for SIGKILL, the terminal is given back as it was.
 */
#ifndef INSTRCTL_SCREEN_H
#define INSTRCTL_SCREEN_H

#include "board.h"

struct screen;

/* Says now whether that is going to be possible, as far as that can be known. */
int screen_check(struct instr_err *err);
/* There is one at a time, on standard input and output. */
int screen_open(struct screen **ret, struct instr_err *err);
void screen_close(struct screen *screen);

/* Can be read when a key was pressed, or the terminal has another size. */
int screen_fd(const struct screen *screen);

enum screen_wish {
	SCREEN_DRAW,		/* it is to be drawn again */
	SCREEN_QUIT,
};

/* Obeys what can be read. */
enum screen_wish screen_obey(struct screen *screen, struct board *board);

/* What was counted stays as it was last looked at. */
bool screen_paused(const struct screen *screen);

void screen_draw(struct screen *screen, const struct board *board);

#endif
