/*
 * index.c - blocks by their place, from the trailers of a mapped file
 *
 * Streams are found from the end backwards: the footer tells where the trailer and the stream
 * begin, and what lies before the stream is another one.
 */
#include "record/reader_impl.h"

#include "base/mem.h"

typedef struct {
	uint64_t at, end; /* of the stream in the file */
	ds_totals totals;
	ds_str index, chain;
} span;

static ds_rc bad_end(uint64_t end, ds_err *e)
{
	return ds_fail(e, DS_SHORT, "input ended early, or its trailer before byte %llu is damaged",
		(unsigned long long)end);
}

static const uint8_t *bytes_at(const ds_reader *r, uint64_t at)
{
	return (const uint8_t *)r->feed.map.at + at;
}

/* The stream that ends at `end`. */
static ds_rc find_stream(const ds_reader *r, uint64_t end, span *s, ds_err *e)
{
	ds_footer f;
	ds_frame_head h;
	uint64_t least = 3 * DS_HEAD_BYTES + DS_TOTALS_BYTES;
	if (end < least || !ds_footer_get(bytes_at(r, end - DS_HEAD_BYTES), &f) ||
		f.stream_bytes > end || f.stream_bytes < least ||
		f.trailer_bytes > f.stream_bytes ||
		f.trailer_bytes < 2 * DS_HEAD_BYTES + DS_TOTALS_BYTES)
		return bad_end(end, e);
	const uint8_t *head = bytes_at(r, end - f.trailer_bytes), *body = head + DS_HEAD_BYTES;
	if (ds_frame_head_get(head, &h) != DS_HEAD_OK || h.kind != DS_KIND_TRAILER ||
		h.body_bytes != f.trailer_bytes - 2 * DS_HEAD_BYTES ||
		ds_hash64(body, h.body_bytes) != h.body_hash)
		return bad_end(end, e);
	s->at = end - f.stream_bytes;
	s->end = end;
	if (!ds_trailer_cut((ds_str){ (const char *)body, h.body_bytes }, h.first, &s->totals,
		    &s->index, &s->chain) ||
		s->totals.trailer_at != f.stream_bytes - f.trailer_bytes ||
		s->totals.checksum != f.checksum)
		return bad_end(end, e);
	uint64_t exact, hash;
	return ds_stream_head_get(bytes_at(r, s->at), &exact, &hash, e);
}

static ds_rc load_opt(ds_reader *r, const span *s, const ds_index_row *row, ds_err *e)
{
	ds_frame_head h;
	unsigned long long at = s->at + row->offset;
	const uint8_t *head = bytes_at(r, at), *body = head + DS_HEAD_BYTES;
	if (ds_frame_head_get(head, &h) != DS_HEAD_OK || h.kind != row->kind ||
		h.body_bytes != row->bytes - DS_HEAD_BYTES || h.first > h.body_bytes ||
		ds_hash64(body, h.body_bytes) != h.body_hash)
		return ds_fail(e, DS_SHORT, "block at byte %llu: damaged", at);
	return ds_reader_add_opt(r, h.kind, (ds_str){ (const char *)body, h.first }, e);
}

/* Entries of one stream; its optional blocks and chain are taken on the way. */
static ds_rc load_stream(ds_reader *r, const span *s, uint64_t *first, ds_err *e)
{
	uint64_t at = 0, records = 0;
	for (uint64_t i = 0; i < s->totals.frames; i++) {
		ds_index_row row;
		ds_index_get((const uint8_t *)s->index.at + i * DS_INDEX_BYTES, &row);
		if (row.offset < at || row.bytes < DS_HEAD_BYTES ||
			row.offset > s->totals.trailer_at ||
			row.bytes > s->totals.trailer_at - row.offset || row.first != records)
			return ds_fail(e, DS_SHORT, "the trailer's index is damaged");
		at = row.offset + row.bytes;
		records += row.n_rows;
		if (row.kind == DS_KIND_RECORDS)
			r->entries[r->n_entries++] = (ds_index_entry){ s->at + row.offset,
				row.bytes, *first + row.first, row.n_rows };
		else
			DS_TRY(load_opt(r, s, &row, e));
	}
	if (records != s->totals.records)
		return ds_fail(e, DS_SHORT, "the trailer's index is damaged");
	*first += records;
	if (ds_chain_parse(&r->chain, r->mem, s->chain, e) != DS_OK)
		return ds_at(e, DS_SHORT, "the trailer");
	ds_reader_end_chain(r);
	return DS_OK;
}

static ds_rc load(ds_reader *r, ds_err *e)
{
	ds_buf spans = { 0 };
	uint64_t end = r->feed.map.n, frames = 0, first = 0;
	ds_rc rc = end ? DS_OK : bad_end(end, e);
	while (rc == DS_OK && end > 0) {
		span s = { 0 };
		rc = find_stream(r, end, &s, e);
		if (rc == DS_OK) {
			ds_buf_add(&spans, &s, sizeof(s));
			frames += s.totals.frames;
			end = s.at;
		}
	}
	size_t n = spans.n / sizeof(span);
	r->entries = ds_arena_get(r->mem, frames * sizeof(*r->entries));
	while (rc == DS_OK && n-- > 0)
		rc = load_stream(r, &((const span *)(const void *)spans.at)[n], &first, e);
	ds_buf_free(&spans);
	return rc;
}

ds_rc ds_reader_index(ds_reader *r, const ds_index_entry **entries, size_t *n, ds_err *e)
{
	if (!r->feed.mapped)
		return ds_fail(e, DS_BAD,
			"%s: blocks are sought in a plain file only, not in a pipe and not "
			"within compressed data",
			ds_in_name(r->feed.in));
	if (!r->indexed)
		DS_TRY_AT(load(r, e), e, "%s", ds_in_name(r->feed.in));
	r->indexed = true;
	*entries = r->entries;
	*n = r->n_entries;
	return DS_OK;
}

static ds_rc block_at(
	ds_reader *r, const ds_index_entry *x, ds_arena *mem, ds_block **out, ds_err *e)
{
	ds_frame_head h;
	const uint8_t *head = bytes_at(r, x->offset);
	if (ds_frame_head_get(head, &h) != DS_HEAD_OK || h.kind != DS_KIND_RECORDS ||
		h.n_rows != x->n_rows)
		return ds_fail(e, DS_SHORT, "the header is damaged");
	DS_TRY(ds_frame_plausible(&h, ds_reader_max_bytes(r), e));
	if (h.body_bytes + h.data_bytes != x->bytes - DS_HEAD_BYTES)
		return ds_fail(e, DS_SHORT, "it is of another size than the index says");
	const uint8_t *body = head + DS_HEAD_BYTES;
	if (ds_hash64(body, h.body_bytes) != h.body_hash)
		return ds_fail(e, DS_SHORT, "the column table is damaged");
	if ((uintptr_t)body % DS_UNIT) {
		uint8_t *copy = ds_arena_get(mem, x->bytes);
		body = memcpy(copy, body, x->bytes - DS_HEAD_BYTES);
	}
	ds_block *b = ds_block_new(mem, h.n_rows);
	b->offset = x->offset;
	b->origin = ds_in_name(r->feed.in);
	b->first_record = x->first_record;
	b->origin_record = x->first_record + 1;
	b->input_bytes = x->bytes;
	ds_limits limit = ds_reader_limits(r);
	DS_TRY(ds_table_read(b, &h, body, body + h.body_bytes, &limit, e));
	*out = b;
	return DS_OK;
}

ds_rc ds_reader_at(ds_reader *r, const ds_index_entry *at, ds_arena *mem, ds_block **out, ds_err *e)
{
	*out = NULL;
	DS_TRY_AT(block_at(r, at, mem, out, e), e, "%s: block at byte %llu", ds_in_name(r->feed.in),
		(unsigned long long)at->offset);
	return DS_OK;
}
