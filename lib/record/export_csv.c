/*
 * export_csv.c - CSV (RFC 4180) and TSV, with a row of names first
 *
 * The columns are those of --columns, else those of the first block; a field that turns up later has
 * no column any more, and that is an error, because it would be lost in silence. TSV knows no
 * quotes: tab, LF, CR and backslash become \t \n \r \\.
 */
#include "record/export.h"

#include "base/mem.h"

typedef struct {
	const ds_output_opts *how;
	ds_out *out;
	ds_arena *mem, *scratch;
	ds_str *names;
	size_t n;
	bool tsv, begun;
} table;

static ds_rc open_table(void **state, const ds_output_opts *c, ds_out *out, bool tsv, ds_err *e)
{
	table *t = DS_NEW(table, 1);
	t->how = c;
	t->out = out;
	t->tsv = tsv;
	t->mem = ds_arena_new(4096);
	t->scratch = ds_arena_new(1 << 20);
	*state = t;
	return DS_OK;
}

static ds_rc open_csv(void **state, const ds_output_opts *c, ds_out *out, ds_err *e)
{
	return open_table(state, c, out, false, e);
}

static ds_rc open_tsv(void **state, const ds_output_opts *c, ds_out *out, ds_err *e)
{
	return open_table(state, c, out, true, e);
}

static void close_table(void *state)
{
	table *t = state;
	if (!t)
		return;
	ds_arena_free(t->mem);
	ds_arena_free(t->scratch);
	ds_mem_free(t);
}

static void add_csv(ds_text *t, ds_str s)
{
	bool quote = s.n && (memchr(s.at, ',', s.n) || memchr(s.at, '"', s.n) ||
				    memchr(s.at, '\n', s.n) || memchr(s.at, '\r', s.n));
	if (!quote) {
		ds_text_add(t, s.at, s.n);
		return;
	}
	ds_text_byte(t, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.at[i] == '"')
			ds_text_byte(t, '"');
		ds_text_byte(t, s.at[i]);
	}
	ds_text_byte(t, '"');
}

static void add_tsv(ds_text *t, ds_str s)
{
	static const char letter[128] = { ['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r', ['\\'] = '\\' };
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.at[i];
		char l = c < 128 ? letter[c] : 0;
		if (l)
			ds_text_byte(t, '\\');
		ds_text_byte(t, l ? l : (char)c);
	}
}

static void choose_columns(table *t, const ds_block *b)
{
	if (t->how->columns) {
		ds_str rest = ds_str_of(t->how->columns);
		t->names = ds_arena_get(t->mem, sizeof(*t->names) * (rest.n + 1));
		while (rest.at)
			t->names[t->n++] = ds_str_cut(rest, ',', &rest);
		return;
	}
	t->names = ds_arena_get(t->mem, sizeof(*t->names) * (b->n_cols + 1u));
	for (uint32_t i = 0; i < b->n_cols; i++)
		t->names[t->n++] = ds_arena_str(t->mem, b->cols[i].name);
}

static void add_row_end(ds_text *text)
{
	ds_text_byte(text, '\n');
}

static void add_cell(table *t, ds_text *text, size_t i, ds_str s)
{
	if (i)
		ds_text_byte(text, t->tsv ? '\t' : ',');
	/* A row of one empty cell would be no row. */
	if (!t->tsv && t->n == 1 && s.n == 0)
		ds_text_add(text, "\"\"", 2);
	else if (t->tsv)
		add_tsv(text, s);
	else
		add_csv(text, s);
}

static ds_rc check_columns(const table *t, const ds_block *b, ds_err *e)
{
	for (uint32_t i = 0; !t->how->columns && i < b->n_cols; i++) {
		size_t k = 0;
		while (k < t->n && !ds_str_eq(t->names[k], b->cols[i].name))
			k++;
		if (k == t->n)
			return ds_fail(e, DS_BAD,
				"field '%.*s' is not in the first block, whose fields "
				"are the columns; --columns names them",
				DS_FMT(b->cols[i].name));
	}
	return DS_OK;
}

static ds_rc add_rows(table *t, ds_text *text, ds_block *b, ds_err *e)
{
	ds_text cell = ds_text_new(t->scratch, 4096);
	const ds_col **cols = ds_arena_get(t->scratch, sizeof(*cols) * (t->n + 1));
	for (size_t i = 0; i < t->n; i++) {
		ds_str name = ds_arena_str(t->scratch, t->names[i]);
		DS_TRY(ds_block_get(b, name.at, &cols[i], e));
	}
	for (uint32_t row = 0; row < b->n_rows; row++) {
		for (size_t i = 0; i < t->n; i++) {
			cell.n = 0;
			if (cols[i])
				ds_text_plain(&cell, cols[i], row);
			add_cell(t, text, i, (ds_str){ cell.at, cell.n });
		}
		add_row_end(text);
	}
	return DS_OK;
}

static ds_rc write_block(void *state, ds_block *b, ds_err *e)
{
	table *t = state;
	ds_arena_reset(t->scratch);
	ds_text text = ds_text_new(t->scratch, DS_BLOCK_BYTES);
	if (!t->begun) {
		t->begun = true;
		choose_columns(t, b);
		for (size_t i = 0; i < t->n; i++)
			add_cell(t, &text, i, t->names[i]);
		add_row_end(&text);
	}
	DS_TRY(check_columns(t, b, e));
	DS_TRY(add_rows(t, &text, b, e));
	return ds_out_write(t->out, text.at, text.n, e);
}

const ds_exporter ds_export_csv = {
	.name = "csv",
	.what = "CSV with a row of names (RFC 4180)",
	.suffixes = ".csv",
	.open = open_csv,
	.write = write_block,
	.close = close_table,
};
const ds_exporter ds_export_tsv = {
	.name = "tsv",
	.what = "tab-separated with a row of names, \\t \\n \\r \\\\ escaped",
	.suffixes = ".tsv .tab",
	.open = open_tsv,
	.write = write_block,
	.close = close_table,
};
