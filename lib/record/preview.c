/*
 * preview.c - the first records, a field a line, cut to the terminal's width
 */
#include "record/preview.h"

#include "base/mem.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { SHOWN = 20, NAME_WIDTH = 10 };

typedef struct {
	ds_out *out;
	uint64_t n_rows;
	size_t width;
} view;

static ds_rc open_view(void **state, const ds_output_opts *c, ds_out *out, ds_err *e)
{
	view *v = DS_NEW(view, 1);
	struct winsize w;
	v->out = out;
	v->width = 100;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 40)
		v->width = w.ws_col;
	*state = v;
	return DS_OK;
}

static void close_view(void *state)
{
	ds_mem_free(state);
}

/* How many bytes of s take at most `most` columns; wide characters count two. */
static size_t bytes_for(ds_str s, size_t most)
{
	size_t i = 0, used = 0;
	while (i < s.n) {
		uint8_t c = (uint8_t)s.at[i];
		size_t n = c < 0xC0 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
		size_t wide = c < 0xE2 ? 1 : 2;
		if (used + wide > most || i + n > s.n)
			break;
		used += wide;
		i += n;
	}
	return i;
}

static void add_field(view *v, ds_text *t, const ds_json_field *f, uint32_t row)
{
	ds_text value = ds_text_new(t->mem, 256);
	uint64_t unused = 0;
	size_t most = v->width - NAME_WIDTH - 8;
	if (f->col->type == DS_T_BYTES && !ds_col_null(f->col, row)) {
		char text[64];
		int n = snprintf(text, sizeof(text), "(%zu bytes)", ds_col_bytes(f->col, row).n);
		ds_text_add(&value, text, (size_t)n);
	} else {
		ds_text_json_value(&value, f, row, &unused);
	}
	size_t n = bytes_for((ds_str){ value.at, value.n }, most);
	ds_text_add(t, "  ", 2);
	ds_text name = ds_text_new(t->mem, f->col->name.n);
	ds_text_json_str(&name, f->col->name, &unused);
	ds_text_add(t, name.at + 1, name.n - 2);
	for (size_t i = name.n - 2; i < NAME_WIDTH; i++)
		ds_text_byte(t, ' ');
	ds_text_byte(t, ' ');
	ds_text_add(t, value.at, n);
	if (n < value.n)
		ds_text_add(t, " …", sizeof(" …") - 1);
	ds_text_byte(t, '\n');
}

static ds_rc write_block(void *state, ds_block *b, ds_err *e)
{
	view *v = state;
	ds_text t = ds_text_new(b->mem, 4096);
	uint32_t shown = v->n_rows >= SHOWN ? 0 : SHOWN - (uint32_t)v->n_rows;
	for (uint32_t i = 0; shown && i < b->n_cols; i++)
		DS_TRY(ds_col_decode(b, &b->cols[i], e));
	for (uint32_t row = 0; row < b->n_rows && row < shown; row++) {
		char head[32];
		int n = snprintf(
			head, sizeof(head), "%llu\n", (unsigned long long)(v->n_rows + row));
		ds_text_add(&t, head, (size_t)n);
		for (uint32_t i = 0; i < b->n_cols; i++) {
			ds_json_field f = { &b->cols[i], false };
			if (ds_col_has(f.col, row))
				add_field(v, &t, &f, row);
		}
	}
	v->n_rows += b->n_rows;
	return ds_out_write(v->out, t.at, t.n, e);
}

static ds_rc finish(void *state, ds_err *e)
{
	view *v = state;
	ds_buf line = { 0 };
	if (v->n_rows <= SHOWN)
		return DS_OK;
	ds_buf_fmt(&line,
		"… and %llu more records; -o FILE keeps them, --to jsonl prints them all\n",
		(unsigned long long)(v->n_rows - SHOWN));
	ds_rc rc = ds_out_write(v->out, line.at, line.n, e);
	ds_buf_free(&line);
	return rc;
}

const ds_exporter ds_preview = {
	.name = "preview",
	.what = "for people",
	.open = open_view,
	.write = write_block,
	.finish = finish,
	.close = close_view,
};
