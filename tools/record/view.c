/*
 * view.c - records for people: a field a line, texts as they read, through a pager on a terminal
 */
#include "copy.h"

#include "base/mem.h"
#include "record/export.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHOWN_BYTES = 2000, SHOWN_ITEMS = 64 };

typedef struct {
	pid_t pid;
	int fd;
} pager;

/* stdout becomes a pipe into $PAGER; without one everything goes to the terminal. */
static void pager_start(pager *p)
{
	const char *command = getenv("PAGER");
	int ends[2];
	p->pid = -1;
	p->fd = -1;
	if (!isatty(STDOUT_FILENO) || pipe(ends) != 0)
		return;
	p->pid = fork();
	if (p->pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		signal(SIGXFSZ, SIG_DFL);
		dup2(ends[0], STDIN_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl("/bin/sh", "sh", "-c", command && *command ? command : "less -FRX || cat",
			(char *)NULL);
		_exit(127);
	}
	close(ends[0]);
	p->fd = ends[1];
	if (p->pid > 0)
		return;
	close(ends[1]);
	p->fd = -1;
}

static void pager_end(pager *p)
{
	if (p->fd >= 0)
		close(p->fd);
	if (p->pid > 0)
		while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
			;
}

/* A value of several lines goes below its name, indented. */
static void add_value(ds_buf *out, ds_str value, bool cut)
{
	bool lines = memchr(value.at, '\n', value.n) != NULL;
	ds_buf seen = { 0 };
	add_visible(&seen, value, false);
	ds_str rest = ds_buf_view(&seen);
	while (rest.at) {
		ds_str line = ds_str_cut(rest, '\n', &rest);
		ds_buf_add_c(out, lines ? "\n    " : " ");
		ds_buf_add_str(out, line);
	}
	if (cut)
		ds_buf_add_c(out, lines ? "\n    …" : " …");
	ds_buf_add_byte(out, '\n');
	ds_buf_free(&seen);
}

static bool is_list(ds_type t)
{
	return t == DS_T_U16S || t == DS_T_U32S || t == DS_T_F32S;
}

/* The first bytes of a text, not within a character. */
static ds_str begin_of(ds_str s, bool *cut)
{
	*cut = !opt.full && s.n > SHOWN_BYTES;
	if (*cut) {
		s.n = SHOWN_BYTES;
		while (s.n > 0 && ((unsigned char)s.at[s.n] & 0xc0) == 0x80)
			s.n--;
	}
	return s;
}

static void add_field(ds_buf *out, ds_block *b, const ds_col *c, uint32_t row)
{
	ds_text text = ds_text_new(b->mem, 256);
	bool cut = false;
	ds_buf_add_c(out, "  ");
	add_visible(out, c->name, true);
	ds_buf_add_byte(out, ':');
	if (ds_col_null(c, row)) {
		ds_buf_add_c(out, " null\n");
	} else if (c->type == DS_T_BYTES) {
		ds_buf_add_byte(out, ' ');
		add_grouped(out, ds_col_bytes(c, row).n);
		ds_buf_add_c(out, " bytes\n");
	} else if (is_list(c->type) && !opt.full && c->off[row + 1] - c->off[row] > SHOWN_ITEMS) {
		ds_buf_add_byte(out, ' ');
		add_grouped(out, c->off[row + 1] - c->off[row]);
		ds_buf_fmt(out, " values of %s\n", ds_type_name(c->type));
	} else {
		ds_text_plain(&text, c, row);
		add_value(out, begin_of((ds_str){ text.at, text.n }, &cut), cut);
	}
}

static ds_rc show_block(ds_out *out, ds_block *b, uint64_t *left, ds_err *e)
{
	ds_buf page = { 0 };
	ds_rc rc = DS_OK;
	for (uint32_t i = 0; i < b->n_cols && rc == DS_OK; i++)
		rc = ds_col_decode(b, &b->cols[i], e);
	for (uint32_t row = 0; row<b->n_rows && * left> 0 && rc == DS_OK; row++, --*left) {
		ds_buf_add_c(&page, "record ");
		add_grouped(&page, ds_block_record(b, row));
		ds_buf_add_byte(&page, '\n');
		for (uint32_t i = 0; i < b->n_cols; i++)
			if (ds_col_has(&b->cols[i], row))
				add_field(&page, b, &b->cols[i], row);
		ds_buf_add_byte(&page, '\n');
	}
	if (rc == DS_OK)
		rc = ds_out_write(out, page.at, page.n, e);
	ds_buf_free(&page);
	return rc;
}

static ds_rc show_all(const ds_common *c, ds_out *out, ds_err *e)
{
	DS_AUTO(ds_source) source = NULL;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	uint64_t left = opt.lines > 0 ? (uint64_t)opt.lines : UINT64_MAX;
	DS_TRY(ds_source_open(&source, &c->in, e));
	while (left > 0) {
		ds_block *b;
		ds_arena_reset(mem);
		DS_TRY(ds_source_next(source, mem, &b, e));
		if (!b)
			break;
		DS_TRY(show_block(out, b, &left, e));
		/* A page is worth seeing before the next block comes down a slow pipe. */
		DS_TRY(ds_out_flush(out, e));
	}
	DS_TRY(ds_out_finish(out, e));
	return ds_source_tell(source, e);
}

ds_rc run_view(const ds_common *c, ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	pager p = { -1, -1 };
	if (opt.lines < 0)
		return ds_fail(e, DS_USAGE, "'--lines': %lld is below 0", (long long)opt.lines);
	pager_start(&p);
	if (p.fd >= 0)
		out = ds_out_from_fd(p.fd, "pager");
	else
		DS_TRY(ds_out_open(&out, NULL, e));
	ds_rc rc = show_all(c, out, e);
	pager_end(&p);
	/* A pager that was left with q has shown what was wanted. */
	return p.pid > 0 && rc == DS_PIPE ? DS_OK : rc;
}
