/*
 * import_csv.c - CSV (RFC 4180) and TSV: a record a row, the first row names the fields
 *
 * All values are text; an empty cell is an empty string. In CSV a quoted cell may hold commas and
 * line ends, and "" in it is a quote; a quote within an unquoted cell is an ordinary byte. TSV has
 * no quotes; its rows end with LF, or with CR LF where the first row does.
 */
#include "record/import.h"
#include "record/json_columns.h"

#include "base/hash.h"
#include "record/export.h"

typedef struct {
	bool tsv, escapes, crlf, named, begun; /* crlf: of TSV */
	ds_str *names;
	size_t n;
	enum { CELL_START, PLAIN, QUOTED, QUOTE_SEEN } look; /* of the cut */
} table;

static ds_rc open_table(ds_input *in, bool tsv)
{
	ds_arena *mem = ds_source_mem(in->source);
	table *t = ds_arena_zero(mem, sizeof(*t));
	t->tsv = tsv;
	t->escapes = in->how->tsv_escapes;
	in->state = t;
	if (in->how->columns) {
		ds_str rest = ds_str_of(in->how->columns);
		t->names = ds_arena_get(mem, sizeof(*t->names) * (rest.n + 1));
		while (rest.at)
			t->names[t->n++] = ds_str_cut(rest, ',', &rest);
		t->named = true;
	}
	return DS_OK;
}

static ds_rc open_csv(ds_input *in, ds_err *e)
{
	return open_table(in, false);
}

static ds_rc open_tsv(ds_input *in, ds_err *e)
{
	return open_table(in, true);
}

/* Over bytes in a row of which look is known; behind its end, or where the bytes end. */
static size_t row_walk(void *state, ds_str bytes, bool first, bool *ended)
{
	table *t = state;
	int look = first ? CELL_START : (int)t->look;
	size_t i = 0;
	*ended = false;
	while (i < bytes.n && !*ended) {
		char c = bytes.at[i];
		if (look == QUOTED) {
			const char *quote = memchr(bytes.at + i, '"', bytes.n - i);
			i = quote ? (size_t)(quote + 1 - bytes.at) : bytes.n;
			look = quote ? QUOTE_SEEN : QUOTED;
			continue;
		}
		i++;
		if (c == '"' && look != PLAIN)
			look = QUOTED; /* opens, or is the second of two */
		else if (c == '\n')
			*ended = true;
		else
			look = c == ',' ? CELL_START : PLAIN;
	}
	t->look = look;
	return i;
}

static size_t last_row(void *state, ds_str bytes)
{
	table here = { 0 };
	size_t end = 0;
	for (bool ended = true; end < bytes.n;) {
		size_t n = row_walk(&here, (ds_str){ bytes.at + end, bytes.n - end }, true, &ended);
		if (!ended)
			break;
		end += n;
	}
	return end;
}

/* Numbers in messages are those of lines, as an editor shows them. */
static const ds_ends csv_ends = { last_row, row_walk, true },
		     tsv_ends = { ds_last_line_end, ds_line_walk, true };

static char unescape_tsv(char c)
{
	return c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == '\\' ? '\\' : 0;
}

/* A cell without its quotes or escapes, undone in place. */
static ds_str undo_tsv(char *at, size_t n)
{
	char *w = at;
	for (size_t i = 0; i < n; i++) {
		char c = at[i] == '\\' && i + 1 < n ? unescape_tsv(at[i + 1]) : 0;
		*w++ = c ? c : at[i];
		i += c != 0;
	}
	return (ds_str){ at, (size_t)(w - at) };
}

/* The cell at *p, which is left at what ended it. false: text behind a closing quote, or none. */
static bool csv_cell(char **p, char *end, ds_str *cell)
{
	char *at = *p, *w = at;
	if (at == end || *at != '"') {
		while (at < end && *at != ',' && *at != '\n')
			at++;
		size_t n = (size_t)(at - *p);
		if (n && at < end && *at == '\n' && at[-1] == '\r')
			n--;
		*cell = (ds_str){ *p, n };
		*p = at;
		return true;
	}
	char *first = w = ++at;
	for (;;) {
		char *quote = at < end ? memchr(at, '"', (size_t)(end - at)) : NULL;
		if (!quote)
			return false;
		memmove(w, at, (size_t)(quote - at));
		w += quote - at;
		at = quote + 1;
		if (at == end || *at != '"')
			break;
		*w++ = '"';
		at++;
	}
	*cell = (ds_str){ first, (size_t)(w - first) };
	if (at + 1 < end && at[0] == '\r' && at[1] == '\n')
		at++;
	*p = at;
	return at == end || *at == ',' || *at == '\n';
}

static ds_str tsv_cell(const table *t, char **p, char *end)
{
	char *at = *p;
	while (at < end && *at != '\t' && *at != '\n')
		at++;
	ds_str cell = { *p, (size_t)(at - *p) };
	if (t->crlf && cell.n && (at == end || *at == '\n') && at[-1] == '\r')
		cell.n--;
	if (t->escapes && memchr(cell.at, '\\', cell.n))
		cell = undo_tsv(*p, cell.n);
	*p = at;
	return cell;
}

/* The cells of a row: *n of them, of which cap are kept. false: quotes are broken. */
static bool read_row(const table *t, char **p, char *end, ds_str *cells, size_t cap, size_t *n)
{
	char separator = t->tsv ? '\t' : ',';
	for (*n = 0;; ++*p) {
		ds_str cell;
		if (t->tsv)
			cell = tsv_cell(t, p, end);
		else if (!csv_cell(p, end, &cell))
			return false;
		if (*n < cap)
			cells[*n] = cell;
		++*n;
		if (*p == end || **p != separator)
			break;
	}
	*p += *p < end;
	return true;
}

static ds_rc take_names(ds_input *in, ds_chunk *ch, ds_err *e)
{
	table *t = in->state;
	ds_arena *mem = ds_source_mem(in->source);
	char *at = (char *)(uintptr_t)ch->bytes.at, *p = at, *end = at + ch->bytes.n;
	if (ds_str_starts(ch->bytes, DS_S("\xEF\xBB\xBF")))
		p = at += 3;
	const char *lf = memchr(at, '\n', (size_t)(end - at));
	t->crlf = t->tsv && lf && lf > at && lf[-1] == '\r';
	if (!t->named) {
		size_t cap = ds_count_byte(ch->bytes, t->tsv ? '\t' : ',') + 1;
		t->names = ds_arena_get(ch->mem, sizeof(*t->names) * cap);
		if (!read_row(t, &p, end, t->names, cap, &t->n))
			return ds_fail(
				e, DS_BAD, "%s:1: a quoted cell that does not end", in->name);
		ds_str *names = ds_arena_get(mem, sizeof(*names) * t->n);
		for (size_t i = 0; i < t->n; i++)
			names[i] = ds_arena_str(mem, t->names[i]);
		t->names = names;
		t->named = true;
	}
	DS_AUTO(ds_map) seen = ds_map_new(t->n);
	for (size_t i = 0; i < t->n; i++) {
		bool is_new;
		ds_map_put(seen, t->names[i], &is_new);
		if (!is_new)
			return ds_fail(e, DS_BAD, "%s:1: two columns are named '%.*s'", in->name,
				DS_FMT(t->names[i]));
	}
	ch->bytes = (ds_str){ p, (size_t)(end - p) };
	return DS_OK;
}

static uint64_t n_lines(ds_str s)
{
	return ds_count_byte(s, '\n') + (s.n && s.at[s.n - 1] != '\n');
}

static ds_rc cut(ds_input *in, ds_chunk *ch, bool *more, ds_err *e)
{
	table *t = in->state;
	DS_TRY(ds_cut(in, ch, t->tsv ? &tsv_ends : &csv_ends, t, more, e));
	if (*more && !t->begun) {
		const char *first = ch->bytes.at;
		if (ch->bad)
			return ds_fail(e, DS_BAD, "%s:1: a first row over --max-record", in->name);
		DS_TRY(take_names(in, ch, e));
		t->begun = true;
		in->n_records = n_lines((ds_str){ first, (size_t)(ch->bytes.at - first) });
		ch->first_record = in->n_records + 1;
	}
	ch->n_records = n_lines(ch->bytes);
	in->n_records += ch->n_records;
	return DS_OK;
}

typedef struct {
	ds_chunk *ch;
	const table *t;
	ds_block *b;
	ds_colb **cols;
	ds_colb *more; /* for the columns beyond what a block may have */
	ds_str *cells;
	ds_good_rows rows;
} work;

static size_t n_own(const table *t)
{
	return t->n < DS_MAX_COLUMNS ? t->n : DS_MAX_COLUMNS - 1;
}

static void add_more(work *w)
{
	uint64_t unused = 0;
	ds_text object = ds_text_new(w->ch->mem, 256);
	for (size_t i = n_own(w->t); i < w->t->n; i++) {
		ds_text_byte(&object, object.n ? ',' : '{');
		ds_text_json_str(&object, w->t->names[i], &unused);
		ds_text_byte(&object, ':');
		ds_text_json_str(&object, w->cells[i], &unused);
	}
	ds_text_byte(&object, '}');
	ds_colb_bytes(w->more, (ds_str){ object.at, object.n });
}

static ds_rc refuse(work *w, bool ended, size_t n, uint64_t number, ds_str raw, ds_err *e)
{
	if (!ended)
		ds_fail(e, DS_BAD, "a quoted cell that does not end, or text behind its end");
	else
		ds_fail(e, DS_BAD, "%zu cells, the columns are %zu", n, w->t->n);
	return ds_reject(w->ch, number, raw, e);
}

/* The row at `row`, its line end included. */
static ds_rc add_row(work *w, ds_str row, uint64_t number, uint64_t record, ds_err *e)
{
	bool fits, ended;
	char *p = (char *)(uintptr_t)row.at; /* the chunk is ours; cells are undone in place */
	size_t n;
	ds_str raw = row;
	while (raw.n && (raw.at[raw.n - 1] == '\n' || raw.at[raw.n - 1] == '\r'))
		raw.n--;
	DS_TRY(ds_check_record(w->ch, number, raw, &fits, e));
	if (!fits)
		return DS_OK;
	if (w->ch->input->how->on_error == DS_ON_REJECT)
		raw = ds_arena_str(w->ch->mem, raw);
	ended = read_row(w->t, &p, p + row.n, w->cells, w->t->n, &n);
	if (!ended || n != w->t->n)
		return refuse(w, ended, n, number, raw, e);
	for (size_t i = 0; i < n_own(w->t); i++)
		ds_colb_bytes(w->cols[i], w->cells[i]);
	if (w->more)
		add_more(w);
	ds_good_rows_add(&w->rows, w->ch->mem, record);
	return DS_OK;
}

static bool is_blank(const table *t, ds_str row)
{
	if (t->tsv && t->n == 1)
		return false; /* there it is an empty value */
	return row.at[0] == '\n' || (row.n == 2 && row.at[0] == '\r' && row.at[1] == '\n');
}

static ds_rc add_rows(work *w, ds_err *e)
{
	uint64_t number = w->ch->first_record, record = 0;
	for (ds_str rest = w->ch->bytes; rest.n;) {
		table fresh = { .tsv = w->t->tsv };
		bool ended;
		ds_str row = { rest.at,
			(fresh.tsv ? ds_line_walk : row_walk)(&fresh, rest, true, &ended) };
		uint64_t lines = n_lines(row);
		if (!is_blank(w->t, row))
			DS_TRY(add_row(w, row, number, record++, e));
		rest = (ds_str){ rest.at + row.n, rest.n - row.n };
		number += lines;
	}
	return DS_OK;
}

static ds_rc parse(ds_chunk *ch, ds_block **out, ds_err *e)
{
	work w = { .ch = ch, .t = ch->input->state };
	ds_block *b = w.b = ds_block_new(ch->mem, (uint32_t)ch->n_records);
	w.cells = ds_arena_get(ch->mem, sizeof(*w.cells) * (w.t->n + 1));
	w.cols = ds_arena_get(ch->mem, sizeof(*w.cols) * (w.t->n + 1));
	for (size_t i = 0; i < n_own(w.t); i++)
		w.cols[i] = ds_colb_new_n(b, w.t->names[i], DS_T_UTF8);
	if (n_own(w.t) < w.t->n)
		w.more = ds_colb_new(b, DS_MORE, DS_T_JSON);
	DS_TRY(add_rows(&w, e));
	b->n_rows = (uint32_t)w.rows.n;
	b->row_of = w.rows.row_of;
	for (size_t i = 0; i < n_own(w.t); i++)
		DS_TRY(ds_colb_put(w.cols[i], e));
	if (w.more)
		DS_TRY(ds_colb_put(w.more, e));
	*out = b;
	return DS_OK;
}

const ds_importer ds_import_csv = {
	.name = "csv",
	.what = "CSV, the first row names the fields unless --columns does",
	.suffixes = ".csv",
	.of_text = true,
	.open = open_csv,
	.cut = cut,
	.parse = parse,
};
const ds_importer ds_import_tsv = {
	.name = "tsv",
	.what = "tab-separated, no quotes (--tsv-escapes undoes \\t \\n \\r \\\\)",
	.suffixes = ".tsv .tab",
	.of_text = true,
	.open = open_tsv,
	.cut = cut,
	.parse = parse,
};
