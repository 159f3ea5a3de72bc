// SPDX-License-Identifier: GPL-2.0
/*
 * A screen.
 */

#include "screen.h"

#include <errno.h>
#include <locale.h>
#include <ncurses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <term.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "say.h"
#include "utf8.h"

#define FIRST_ROW	2	/* below the line that sums up, and the heads */

struct screen {
	SCREEN *curses;
	int input_fd;		/* epoll(7): of the terminal, and ... */
	int resize_fd;		/* ... signalfd(2): SIGWINCH */
	sigset_t mask;		/* as it was */
	size_t first;		/* row that is at the top */
	bool paused, help;
};

/* ---- the terminal as it was ---------------------------------------------------- */

/* What a handler of signals may use. */
static struct {
	volatile sig_atomic_t is_open;
	struct termios attributes;
	char text[128];		/* leaves what curses entered */
	size_t len;
} before;

static const int deadly[] = {
	SIGHUP, SIGILL, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2,
	SIGSYS, SIGXCPU, SIGXFSZ,
};

#define NR_DEADLY (sizeof(deadly) / sizeof(*deadly))

static void on_deadly(int number)
{
	if (before.is_open) {
		before.is_open = 0;
		if (write(STDOUT_FILENO, before.text, before.len) < 0)
			before.len = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &before.attributes);
	}
	/* The handler is gone, so that it is deadly now. */
	raise(number);
}

static void add_capability(const char *name)
{
	const char *text = tigetstr((char *)name);
	size_t len;

	if (!text || text == (char *)-1)
		return;
	len = strlen(text);
	if (len > sizeof(before.text) - before.len)
		return;
	memcpy(before.text + before.len, text, len);
	before.len += len;
}

static void on_exit_close(void)
{
	if (before.is_open)
		endwin();
	before.is_open = 0;
}

static void keep_what_was(void)
{
	static bool once;

	before.len = 0;
	add_capability("rmkx");
	add_capability("cnorm");
	add_capability("sgr0");
	add_capability("rmcup");
	if (!once)
		atexit(on_exit_close);
	once = true;
	before.is_open = 1;
}

/* What was ignored stays so: who started us wants it. */
static void catch_deadly(void)
{
	const struct sigaction action = { .sa_handler = on_deadly, .sa_flags = SA_RESETHAND };
	struct sigaction old;

	for (size_t i = 0; i < NR_DEADLY; i++)
		if (!sigaction(deadly[i], NULL, &old) && old.sa_handler == SIG_DFL)
			sigaction(deadly[i], &action, NULL);
}

static void release_deadly(void)
{
	struct sigaction old;

	for (size_t i = 0; i < NR_DEADLY; i++)
		if (!sigaction(deadly[i], NULL, &old) && old.sa_handler == on_deadly)
			signal(deadly[i], SIG_DFL);
}

/* ---- the beginning, and the end -------------------------------------------------- */

static int watch_fd(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int open_input(struct screen *screen, struct instr_err *err)
{
	sigset_t resize;

	sigemptyset(&resize);
	sigaddset(&resize, SIGWINCH);
	sigprocmask(SIG_BLOCK, &resize, &screen->mask);
	screen->resize_fd = signalfd(-1, &resize, SFD_CLOEXEC | SFD_NONBLOCK);
	screen->input_fd = epoll_create1(EPOLL_CLOEXEC);
	if (screen->resize_fd >= 0 && screen->input_fd >= 0 &&
	    !watch_fd(screen->input_fd, STDIN_FILENO) &&
	    !watch_fd(screen->input_fd, screen->resize_fd))
		return 0;
	return instr_fail(err, -errno, "terminal: %s", strerror(errno));
}

static void close_input(const struct screen *screen)
{
	if (screen->input_fd >= 0)
		close(screen->input_fd);
	if (screen->resize_fd >= 0)
		close(screen->resize_fd);
	sigprocmask(SIG_SETMASK, &screen->mask, NULL);
}

static int open_curses(struct screen *screen, struct instr_err *err)
{
	setlocale(LC_CTYPE, "");
	tcgetattr(STDIN_FILENO, &before.attributes);
	screen->curses = newterm(NULL, stdout, stdin);
	if (!screen->curses)
		return instr_fail(err, -ENOTTY, "terminal: can't be used");
	keep_what_was();
	catch_deadly();
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	set_escdelay(25);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	return 0;
}

int screen_check(struct instr_err *err)
{
	int found;

	if (setupterm(NULL, STDOUT_FILENO, &found) == OK) {
		del_curterm(cur_term);
		return 0;
	}
	return instr_fail(err, -ENOTTY, "terminal: TERM=%s is not known", getenv("TERM") ?: "");
}

int screen_open(struct screen **ret, struct instr_err *err)
{
	struct screen *screen = calloc(1, sizeof(*screen));
	int code;

	if (!screen)
		out_of_memory();
	code = open_input(screen, err) ?: open_curses(screen, err);
	if (!code) {
		*ret = screen;
		return 0;
	}
	close_input(screen);
	free(screen);
	return code;
}

void screen_close(struct screen *screen)
{
	if (!screen)
		return;
	endwin();
	before.is_open = 0;
	release_deadly();
	delscreen(screen->curses);
	close_input(screen);
	free(screen);
}

int screen_fd(const struct screen *screen)
{
	return screen->input_fd;
}

bool screen_paused(const struct screen *screen)
{
	return screen->paused;
}

/* ---- keys ------------------------------------------------------------------------- */

static size_t page_rows(void)
{
	return LINES > FIRST_ROW ? (size_t)(LINES - FIRST_ROW) : 1;
}

static void scroll_down(struct screen *screen, const struct board *board, size_t by)
{
	size_t last = board->nr > page_rows() ? board->nr - page_rows() : 0;

	screen->first = screen->first + by < last ? screen->first + by : last;
}

static void scroll_up(struct screen *screen, size_t by)
{
	screen->first = screen->first > by ? screen->first - by : 0;
}

static void obey_scroll(struct screen *screen, const struct board *board, int key)
{
	switch (key) {
	case KEY_UP:
		scroll_up(screen, 1);
		break;
	case KEY_DOWN:
		scroll_down(screen, board, 1);
		break;
	case KEY_PPAGE:
		scroll_up(screen, page_rows());
		break;
	case KEY_NPAGE:
		scroll_down(screen, board, page_rows());
		break;
	case KEY_HOME:
		screen->first = 0;
		break;
	case KEY_END:
		scroll_down(screen, board, board->nr);
		break;
	}
}

static void obey_key(struct screen *screen, struct board *board, int key)
{
	switch (key) {
	case '<':
		board_next_key(board, -1);
		break;
	case '>':
		board_next_key(board, 1);
		break;
	case 'r':
		board->reversed = !board->reversed;
		board_sort(board);
		break;
	case 'p':
		screen->first = 0;
		board_toggle_processes(board);
		break;
	case ' ':
		screen->paused = !screen->paused;
		break;
	case 'h':
	case '?':
		screen->help = true;
		break;
	default:
		obey_scroll(screen, board, key);
	}
}

/* Curses has a handler of SIGWINCH for it, which would miss what is blocked. */
static void obey_resize(struct screen *screen)
{
	struct signalfd_siginfo info;
	struct winsize size;

	if (read(screen->resize_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
}

/* It is readable for ever. */
static bool terminal_is_gone(const struct screen *screen)
{
	struct epoll_event event[2];
	int nr = epoll_wait(screen->input_fd, event, 2, 0);

	for (int i = 0; i < nr; i++)
		if (event[i].events & (EPOLLHUP | EPOLLERR))
			return true;
	return false;
}

enum screen_wish screen_obey(struct screen *screen, struct board *board)
{
	int key;

	if (terminal_is_gone(screen))
		return SCREEN_QUIT;
	obey_resize(screen);
	while ((key = getch()) != ERR) {
		if (key == 'q')
			return SCREEN_QUIT;
		if (screen->help)
			screen->help = false;
		else
			obey_key(screen, board, key);
	}
	return SCREEN_DRAW;
}

/* ---- drawing ---------------------------------------------------------------------- */

/* Names may be anything, and no longer than the line. */
static void draw_text(const char *bytes)
{
	char *text = utf8_text(bytes);
	const char *at = text;
	mbstate_t state = { 0 };

	while (*at) {
		wchar_t wide[2] = { 0 };
		size_t len = mbrtowc(&wide[0], at, strlen(at), &state);

		if (len == (size_t)-1 || len == (size_t)-2) {
			/* The terminal's encoding hasn't got it. */
			memset(&state, 0, sizeof(state));
			len = 1;
			wide[0] = L'?';
		}
		if (!iswprint((wint_t)wide[0]))
			wide[0] = L'?';
		if (getcurx(stdscr) + wcwidth(wide[0]) >= COLS)
			break;
		addwstr(wide);
		at += len;
	}
	free(text);
}

static void draw_summary(const struct screen *screen, const struct board *board)
{
	char text[200];
	time_t seconds = time(NULL);
	struct tm local;

	localtime_r(&seconds, &local);
	snprintf(text, sizeof(text), "instrctl top  %02d:%02d:%02d  %zu process%s  %.0f calls/s  %zu refused%s",
		 local.tm_hour, local.tm_min, local.tm_sec, board->processes,
		 board->processes == 1 ? "" : "es", board->rate, board->refused,
		 screen->paused ? "  paused" : "");
	move(0, 0);
	draw_text(text);
}

static int cell_width(const struct board *board, enum board_key key)
{
	char text[NAME_LEN];
	size_t width = strlen(board_head(board, key));

	if (key == BOARD_NAME)
		return 0;
	for (size_t i = 0; i < board->nr; i++) {
		size_t len = strlen(board_cell(board, &board->row[i], key, text));

		width = len > width ? len : width;
	}
	return (int)width;
}

static void draw_cell(const char *text, int width)
{
	char aligned[NAME_LEN];

	if (width) {
		snprintf(aligned, sizeof(aligned), "%*s  ", width, text);
		draw_text(aligned);
	} else {
		draw_text(text);
	}
}

static void draw_heads(const struct board *board, const int *width)
{
	move(1, 0);
	for (int key = 0; key < BOARD_KEY_MAX; key++) {
		if (!board_has(board, key))
			continue;
		attrset(key == (int)board->key ? A_REVERSE | A_BOLD : A_REVERSE);
		draw_cell(board_head(board, key), width[key]);
	}
	attrset(A_REVERSE);
	while (getcurx(stdscr) + 1 < COLS)
		addch(' ');
	attrset(A_NORMAL);
}

static void draw_row(const struct board *board, const struct board_row *row, const int *width)
{
	char text[NAME_LEN];

	for (int key = 0; key < BOARD_KEY_MAX; key++)
		if (board_has(board, key))
			draw_cell(board_cell(board, row, key, text), width[key]);
}

static void draw_rows(struct screen *screen, const struct board *board)
{
	int width[BOARD_KEY_MAX];

	for (int key = 0; key < BOARD_KEY_MAX; key++)
		width[key] = cell_width(board, key);
	/* There may be fewer rows than there were. */
	scroll_down(screen, board, 0);
	draw_heads(board, width);
	for (size_t i = 0; i < page_rows() && screen->first + i < board->nr; i++) {
		move(FIRST_ROW + (int)i, 0);
		draw_row(board, &board->row[screen->first + i], width);
	}
}

static void draw_help(void)
{
	static const char *const help[] = {
		"up, down, PgUp, PgDn, Home, End   scroll",
		"<  >     the column that sorts",
		"r        the other way round",
		"p        functions, or processes",
		"space    pause: it is counted, but not shown",
		"q        quit",
		"",
		"any key goes back",
	};

	for (size_t i = 0; i < sizeof(help) / sizeof(*help) && (int)i < LINES; i++) {
		move((int)i, 0);
		draw_text(help[i]);
	}
}

void screen_draw(struct screen *screen, const struct board *board)
{
	erase();
	if (screen->help) {
		draw_help();
	} else {
		draw_summary(screen, board);
		draw_rows(screen, board);
	}
	refresh();
}
