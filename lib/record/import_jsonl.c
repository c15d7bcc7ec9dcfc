/*
 * import_jsonl.c - JSON Lines: an object a line, each key a field
 *
 * One index over the whole chunk serves all its lines. Where simdjson cannot make it, because a
 * string is open or holds a control byte, every line is scanned by itself, so that the one that is
 * wrong is found and the others are kept. Blank lines are no records.
 */
#include "base/charset.h"
#include "record/import.h"
#include "record/json_columns.h"

/* Over this a chunk is one large record, and 4 bytes a byte for its index are too many. */
enum { INDEX_UP_TO = 16 << 20 };

typedef struct {
	ds_chunk *ch;
	ds_json_columns *columns;
	const uint32_t *index; /* next token of the chunk, or NULL */
	ds_good_rows rows;
	uint64_t seen; /* records so far, refused ones included */
} work;

static ds_rc refuse(work *w, uint64_t line_number, ds_str line, const ds_json_scan *s, ds_err *e)
{
	ds_json_scan here = *s;
	here.where -= (size_t)(line.at - w->ch->bytes.at);
	ds_json_scan_fail(&here, e);
	return ds_reject(w->ch, line_number, line, e);
}

static ds_rc add_line(work *w, uint64_t number, ds_str line, ds_err *e)
{
	size_t first = (size_t)(line.at - w->ch->bytes.at), end = first + line.n;
	ds_json_scan s = { .text = w->ch->bytes.at, .at = first, .end = end, .index = w->index };
	bool fits;
	if (!ds_json_peek(&s)) {
		if (s.at >= end)
			return DS_OK;
	}
	DS_TRY(ds_check_record(w->ch, number, line, &fits, e));
	uint64_t record = w->seen++;
	if (!fits)
		return DS_OK;
	if (ds_json_columns_add(w->columns, &s)) {
		ds_json_peek(&s);
		if (s.at >= end) {
			ds_good_rows_add(&w->rows, w->ch->mem, record);
			w->index = s.index;
			return DS_OK;
		}
		s.why = "more after the object";
		s.where = s.at;
		ds_json_columns_undo(w->columns);
	}
	return refuse(w, number, line, &s, e);
}

static ds_rc add_lines(work *w, ds_err *e)
{
	const uint32_t *index = w->index;
	ds_str rest = w->ch->bytes, line;
	uint64_t number = w->ch->first_record;
	if (number == 1 && ds_str_starts(rest, DS_S("\xEF\xBB\xBF"))) {
		rest.at += 3; /* RFC 8259 lets a parser ignore it; the index sees it as a value */
		rest.n -= 3;
		w->index = NULL;
	}
	for (; ds_next_line(&rest, &line); number++) {
		DS_TRY(add_line(w, number, line, e));
		/* Behind a line that was refused, or scanned, the next token is looked for. */
		w->index = w->index ? w->index : index;
		while (w->index && *w->index < (size_t)(rest.at - w->ch->bytes.at))
			w->index++;
	}
	return DS_OK;
}

static bool line_ends_between(const char *text, size_t from, size_t to)
{
	return from < to && (text[from] == '\n' || memchr(text + from, '\n', to - from));
}

/*
 * The usual chunk: an object a line and nothing wrong. Lines are not looked for: where every object
 * has a LF behind it and there are as many objects as lines, no LF can be within one. false: it is
 * another kind of chunk, to be taken line by line; what was added is to be dropped.
 */
static bool add_at_once(work *w)
{
	ds_str all = w->ch->bytes;
	uint64_t limit = w->ch->input->how->max_record;
	ds_json_scan s = { .text = all.at, .end = all.n, .index = w->index };
	size_t behind = 0;
	if (!w->index)
		return false;
	for (;;) {
		ds_json_peek(&s); /* what it gives may be a NUL that is there */
		if (s.at >= s.end)
			break;
		if (w->rows.n && !line_ends_between(all.at, behind, s.at))
			return false;
		size_t first = s.at;
		if (!ds_json_columns_add(w->columns, &s))
			return false;
		behind = s.index[-1] + 1u;
		if (limit && behind - first > limit)
			return false;
		ds_good_rows_add(&w->rows, w->ch->mem, w->rows.n);
	}
	return w->rows.n == w->ch->n_records &&
	       (all.at[all.n - 1] != '\n' || line_ends_between(all.at, behind, all.n));
}

static ds_rc parse(ds_chunk *ch, ds_block **out, ds_err *e)
{
	DS_AUTO(ds_json_columns)
	columns = ds_json_columns_new(ch->mem, ch->bytes.at, ch->n_records);
	ds_json_index *index = ds_source_take_index(ch->input->source);
	work w = { .ch = ch, .columns = columns };
	uint64_t lone = 0;
	if (ch->bytes.n <= INDEX_UP_TO)
		w.index = ds_json_index_make(index, ch->bytes);
	const uint32_t *tokens = w.index;
	ds_rc rc = DS_OK;
	bool marked = ch->input->charset && memchr(ch->bytes.at, DS_CHARSET_MARK, ch->bytes.n);
	if (marked || !add_at_once(&w)) {
		ds_json_columns_reset(columns);
		w = (work){ .ch = ch, .columns = columns, .index = tokens };
		rc = add_lines(&w, e);
	}
	ds_source_give_index(ch->input->source, index);
	DS_TRY(rc);
	DS_TRY(ds_json_columns_finish(columns, out, &lone, e));
	(*out)->row_of = w.rows.row_of;
	ds_source_count_lone(ch->input->source, lone);
	return DS_OK;
}

const ds_importer ds_import_jsonl = {
	.name = "jsonl",
	.what = "JSON Lines, an object a line",
	.suffixes = ".jsonl .ndjson .jsonlines",
	.keeps_bytes = true,
	.of_text = true,
	.cut = ds_cut_lines,
	.parse = parse,
};
