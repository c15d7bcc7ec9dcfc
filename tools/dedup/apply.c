/*
 * apply.c - what was decided, done to the block
 */
#include "base/mem.h"
#include "dedup.h"

const char *const apply_counters[] = { "exact", "near", "emptied", "against", "full buckets",
	NULL };

/* A value of `id` or `dup_of`, in a column of numbers or, where one of them is none, of strings. */
static void put_id(ds_colb *col, ds_type type, ds_seen_id id)
{
	int64_t v = 0;
	if (type == DS_T_I64 && ds_str_i64(id.text, &v))
		ds_colb_i64(col, v);
	else
		ds_colb_bytes(col, id.text);
}

ds_rc row_id(ds_block *b, const ds_col *col, uint32_t row, ds_seen_id *id, ds_err *e)
{
	int64_t v;
	bool has = col && ds_col_has(col, row) && !ds_col_null(col, row);
	id->is_number = !has || col->type == DS_T_I64 ||
			(col->type == DS_T_JSON && ds_str_i64(ds_col_bytes(col, row), &v));
	return ds_block_id(b, row, &id->text, e);
}

/* The ids of all rows; with `add` the field is filled in where a record has none. */
static ds_rc name_rows(applier *a, ds_block *b, bool add, ds_seen_id *ids, ds_err *e)
{
	const ds_col *col;
	bool lacking = false;
	DS_TRY(ds_block_get(b, "id", &col, e));
	for (uint32_t row = 0; row < b->n_rows; row++) {
		DS_TRY(row_id(b, col, row, &ids[row], e));
		lacking |= !col || !ds_col_has(col, row) || ds_col_null(col, row);
		a->text_ids |= !ids[row].is_number;
	}
	if (!lacking || !add)
		return DS_OK;
	ds_type type = a->text_ids ? DS_T_UTF8 : DS_T_I64;
	ds_colb *to = ds_colb_new(b, "id", type);
	for (uint32_t row = 0; row < b->n_rows; row++)
		put_id(to, type, ids[row]);
	return ds_colb_put(to, e);
}

static ds_seen_id name_of(const applier *a, uint32_t number)
{
	return a->verdicts ? verdicts_name(a->verdicts, number) : ds_seen_id_of(a->seen, number);
}

static ds_rc mark_rows(const applier *a, ds_block *b, const signed_block *s, ds_err *e)
{
	bool number = !a->text_ids;
	size_t n = 0;
	for (size_t i = 0; i < s->n_items; i++) {
		if (s->items[i].dup_of == DS_NO_TEXT)
			continue;
		ds_seen_id id = name_of(a, s->items[i].dup_of);
		number &= id.is_number;
		n++;
	}
	if (!n) {
		ds_block_remove(b, "dup_of"); /* of an earlier run */
		return DS_OK;
	}
	ds_type type = number ? DS_T_I64 : DS_T_UTF8;
	ds_colb *to = ds_colb_new(b, "dup_of", type);
	for (uint32_t row = 0; row < b->n_rows; row++) {
		const row_items *r = &s->rows[row];
		uint32_t dup = r->n ? s->items[r->first].dup_of : DS_NO_TEXT;
		if (dup == DS_NO_TEXT)
			ds_colb_absent(to);
		else
			put_id(to, type, name_of(a, dup));
	}
	return ds_colb_put(to, e);
}

/*
 * The text without the pieces that repeat, which may overlap; where they are lines, each with the line end
 * that follows it. *at: the next item of the row; those of this text come one after another.
 */
static ds_str cut_text(
	ds_str text, const signed_block *s, size_t *at, size_t end_item, bool lines, ds_arena *mem)
{
	char *out = ds_arena_bytes(mem, text.n ? text.n : 1), *w = out;
	const char *p = text.at, *end = p + text.n;
	for (; *at < end_item; ++*at) {
		const char *start = s->texts[*at].at, *after = start + s->texts[*at].n;
		if (start < text.at || start >= end)
			break;
		if (s->items[*at].dup_of == DS_NO_TEXT)
			continue;
		start = start < p ? p : start;
		memcpy(w, p, (size_t)(start - p));
		w += start - p;
		p = after;
		if (lines && after < end)
			p++;
		else if (lines && w > out)
			w--;
	}
	memcpy(w, p, (size_t)(end - p));
	w += end - p;
	/* A first paragraph that is gone leaves the empty line behind it. */
	if (text.n && text.at[0] != '\n')
		while (out < w && *out == '\n')
			out++;
	return (ds_str){ out, (size_t)(w - out) };
}

/* The row's texts as they are after the cuts; pieces lie in the texts that were signed, whatever was moved since. */
static ds_rc cut_row(
	applier *a, ds_work *w, ds_texts *t, uint32_t row, const signed_block *s, ds_err *e)
{
	const row_items *r = &s->rows[row];
	ds_text_part *parts;
	size_t n, at = r->first;
	bool repeats = false, left = false;
	for (size_t i = r->first; i < r->first + r->n; i++)
		repeats |= s->items[i].dup_of != DS_NO_TEXT;
	if (!repeats) {
		ds_texts_put(t, row, NULL, 0);
		return DS_OK;
	}
	DS_TRY(ds_texts_parts(t, row, &parts, &n, e));
	for (size_t i = 0; i < n && i < r->n_parts; i++) {
		ds_str text = cut_text(r->parts[i].text, s, &at, r->first + r->n,
			a->plan->scope != SCOPE_SPAN, ds_work_mem(w));
		left |= ds_str_trim(text).n > 0;
		if (text.n != r->parts[i].text.n)
			parts[i].now = text;
	}
	ds_texts_put(t, row, parts, n);
	if (!left)
		ds_work_drop(w, row, COUNT_EMPTIED);
	return DS_OK;
}

static ds_rc cut_rows(applier *a, ds_work *w, ds_block *b, const signed_block *s, ds_err *e)
{
	ds_texts t;
	DS_TRY(ds_work_texts(w, &t, e));
	for (uint32_t row = 0; row < b->n_rows; row++)
		DS_TRY(cut_row(a, w, &t, row, s, e));
	return ds_texts_finish(&t, e);
}

/* Counts what was found, and drops whole records. Returns how many items repeat. */
static size_t drop_rows(applier *a, ds_work *w, const signed_block *s)
{
	bool drop = a->plan->scope == SCOPE_TEXT && !a->plan->mark;
	size_t n = 0;
	for (uint32_t row = 0; row < s->n_rows; row++) {
		const row_items *r = &s->rows[row];
		if (r->contaminated)
			ds_work_drop(w, row, COUNT_AGAINST);
		for (size_t i = r->first; i < r->first + r->n; i++) {
			const ds_seen_item *it = &s->items[i];
			if (it->dup_of == DS_NO_TEXT)
				continue;
			n++;
			*(it->same ? &a->n_exact : &a->n_near) += 1;
			if (drop)
				ds_work_drop(w, row, it->same ? COUNT_EXACT : COUNT_NEAR);
			else
				ds_work_count(w, it->same ? COUNT_EXACT : COUNT_NEAR, 1);
		}
	}
	return n;
}

static ds_rc compare(applier *a, ds_block *b, signed_block *s, const ds_seen_id *ids, ds_err *e)
{
	uint64_t first = s->first = ds_seen_count(a->seen);
	ds_seen_take(a->seen, s->sketches);
	s->sketches = NULL;
	DS_TRY(ds_seen_add(a->seen, s->items, s->n_items, e));
	a->over = ds_seen_bytes(a->seen) > a->limit;
	if (a->over)
		return ds_fail(e, DS_USAGE, "more than --memory");
	for (uint32_t row = 0; a->plan->named && row < b->n_rows; row++)
		for (size_t i = s->rows[row].first; i < s->rows[row].first + s->rows[row].n; i++)
			ds_seen_name(a->seen, (uint32_t)(first + i), ids[row]);
	return DS_OK;
}

ds_rc apply_learn(applier *a, ds_work *w, ds_block *b, signed_block *s, ds_err *e)
{
	ds_seen_id *ids = ds_arena_get(ds_work_mem(w), (b->n_rows + 1) * sizeof(*ids));
	if (a->plan->named)
		DS_TRY(name_rows(a, b, false, ids, e));
	DS_TRY(compare(a, b, s, ids, e));
	return keeper_learn(a->keeper, b, s, e);
}

static ds_rc decide(applier *a, ds_work *w, ds_block *b, signed_block *s, ds_err *e)
{
	ds_seen_id *ids = ds_arena_get(ds_work_mem(w), (b->n_rows + 1) * sizeof(*ids));
	if (a->plan->named)
		DS_TRY(name_rows(a, b, a->plan->add_id, ids, e));
	if (a->verdicts)
		return verdicts_decide(a->verdicts, ds_work_mem(w), b, s, e);
	if (a->keeper)
		return keeper_decide(a->keeper, a->seen, s, e);
	uint64_t was_full = ds_seen_full(a->seen);
	DS_TRY(compare(a, b, s, ids, e));
	ds_work_count(w, COUNT_FULL, ds_seen_full(a->seen) - was_full);
	return DS_OK;
}

ds_rc apply_block(applier *a, ds_work *w, ds_block *b, signed_block *s, ds_err *e)
{
	DS_TRY(decide(a, w, b, s, e));
	if (a->report)
		DS_TRY(report_block(a->report, b, s, e));
	a->n_records += b->n_rows;
	a->n_items += s->n_items;
	size_t n = drop_rows(a, w, s);
	if (a->n_items)
		ds_work_note(w, "%.1f %% duplicates",
			100 * (double)(a->n_exact + a->n_near) / (double)a->n_items);
	if (n && a->plan->scope != SCOPE_TEXT)
		return cut_rows(a, w, b, s, e);
	if (a->plan->mark)
		DS_TRY(mark_rows(a, b, s, e));
	return a->plan->tag ? tag_rows(a->plan, a->seen, b, s, e) : DS_OK;
}

void apply_summary(const applier *a, ds_buf *out)
{
	double found = (double)(a->n_exact + a->n_near);
	if (a->plan->scope == SCOPE_TEXT && a->n_records)
		ds_buf_fmt(out, "%.1f %% duplicates", 100 * found / (double)a->n_records);
}
