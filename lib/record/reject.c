/*
 * reject.c - records that cannot be read, as --on-error says
 */
#include "record/import.h"

#include "base/charset.h"
#include "record/export.h"

ds_rc ds_reject_named(ds_chunk *ch, const char *name, uint64_t record, ds_str raw, ds_err *e)
{
	ds_at(e, DS_BAD, "%s:%llu", name, (unsigned long long)record);
	if (ch->input->how->on_error == DS_ON_STOP) {
		/* Compressed bytes may be damaged long before it is found: what came of them is lost. */
		if (!ch->input->how->salvage || !ch->input->compressed)
			return DS_BAD;
		ds_source_damaged(ch->input, e->msg, raw.n);
	}
	ds_bad *bad = ds_arena_get(ch->mem, sizeof(*bad));
	*bad = (ds_bad){ .raw = raw,
		.rest = ch->spill,
		.marked = ch->input->charset,
		.why = ds_arena_str(ch->mem, ds_str_of(e->msg)) };
	ch->spill = NULL;
	*ch->last_bad = bad;
	ch->last_bad = &bad->next;
	return DS_OK;
}

ds_rc ds_reject(ds_chunk *ch, uint64_t record, ds_str raw, ds_err *e)
{
	return ds_reject_named(ch, ch->input->name, record, raw, e);
}

ds_rc ds_check_charset(ds_str text, const char *charset, ds_err *e)
{
	enum { SHOWN = 4 };
	const char *at = charset && text.n ? memchr(text.at, DS_CHARSET_MARK, text.n) : NULL;
	ds_buf bytes = { 0 };
	if (!at)
		return DS_OK;
	for (int i = 0; i < SHOWN; i++, at += DS_CHARSET_MARK_BYTES) {
		if (text.at + text.n - at < DS_CHARSET_MARK_BYTES ||
			(unsigned char)*at != DS_CHARSET_MARK)
			break;
		ds_buf_fmt(&bytes, " %02X", (unsigned char)ds_charset_marked(at));
	}
	ds_fail(e, DS_BAD, "bytes that are no %s:%s", charset, ds_buf_text(&bytes));
	ds_buf_free(&bytes);
	return DS_BAD;
}

bool ds_goes_on(const ds_input_opts *c)
{
	return c->salvage || c->on_error != DS_ON_STOP;
}

ds_rc ds_check_record(ds_chunk *ch, uint64_t record, ds_str raw, bool *fits, ds_err *e)
{
	uint64_t limit = ch->input->how->max_record;
	*fits = !limit || raw.n <= limit;
	if (*fits && ds_check_charset(raw, ch->input->charset, e) == DS_OK)
		return DS_OK;
	if (*fits) {
		*fits = false;
		return ds_reject(ch, record, raw, e);
	}
	ds_fail(e, DS_BAD, "%zu bytes, the limit is %llu (--max-record)", raw.n,
		(unsigned long long)limit);
	return ds_reject(ch, record, raw, e);
}

ds_rc ds_reject_line(
	const ds_input_opts *c, ds_block *b, uint32_t row, ds_arena *mem, ds_str *out, ds_err *e)
{
	ds_block *one;
	ds_output_opts json = { .to = "jsonl" };
	ds_sink_part part = { 0 };
	*out = (ds_str){ "", 0 };
	if (c->on_error != DS_ON_REJECT)
		return DS_OK;
	DS_TRY(ds_block_copy(&one, mem, b, &row, 1, e));
	DS_TRY(ds_exporter_find("jsonl")->encode(&json, one, &part, e));
	*out = part.text;
	out->n -= out->n && out->at[out->n - 1] == '\n';
	return DS_OK;
}

ds_rc ds_reject_large(ds_chunk *ch, ds_block *b, ds_err *e)
{
	uint64_t limit = ch->input->how->max_record, bytes;
	uint32_t n = 0;
	if (!limit || ds_block_raw_bytes(b) <= limit)
		return DS_OK;
	uint32_t *kept = ds_arena_get(ch->mem, b->n_rows * sizeof(*kept));
	for (uint32_t i = 0; i < b->n_rows; i++) {
		ds_str raw;
		DS_TRY(ds_block_row_bytes(b, i, &bytes, e));
		if (bytes <= limit) {
			kept[n++] = i;
			continue;
		}
		DS_TRY(ds_reject_line(ch->input->how, b, i, ch->mem, &raw, e));
		ds_fail(e, DS_BAD, "%llu bytes, the limit is %llu (--max-record)",
			(unsigned long long)bytes, (unsigned long long)limit);
		uint64_t record = b->origin_record + (b->row_of ? b->row_of[i] : i);
		if (b->origin)
			DS_TRY(ds_reject_named(ch, b->origin, record, raw, e));
		else
			DS_TRY(ds_reject_named(
				ch, ch->names[b->row_of ? b->row_of[i] : i], 1, raw, e));
	}
	return n == b->n_rows ? DS_OK : ds_block_select(b, kept, n, e);
}

void ds_good_rows_add(ds_good_rows *r, ds_arena *mem, uint64_t offset)
{
	if (offset != r->n && !r->row_of) { /* the first one that is out of step */
		r->cap = 2 * r->n + 64;
		r->row_of = ds_arena_get(mem, r->cap * sizeof(*r->row_of));
		for (size_t i = 0; i < r->n; i++)
			r->row_of[i] = i;
	}
	if (r->row_of && r->n == r->cap) {
		uint64_t *more = ds_arena_get(mem, 2 * r->cap * sizeof(*more));
		memcpy(more, r->row_of, r->n * sizeof(*more));
		r->row_of = more;
		r->cap *= 2;
	}
	if (r->row_of)
		r->row_of[r->n] = offset;
	r->n++;
}
