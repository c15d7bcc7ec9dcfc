/*
 * reader.c - streams, frame after frame
 *
 * Every byte belongs to something that a hash covers or that is checked here, so a changed bit is
 * found: the header hash at once, the hash of table or payload with it, those of columns when the
 * block is checked, the order of frames by their sequence number and the trailer's checksum.
 */
#include "record/reader_impl.h"

#include "base/mem.h"

ds_rc ds_reader_open(ds_reader **out, ds_in *in, ds_err *e)
{
	ds_reader *r = DS_NEW(ds_reader, 1);
	r->mem = ds_arena_new(4096);
	r->sum = ds_hasher_new();
	r->index = ds_hasher_new();
	r->max_record = (uint64_t)1 << 30;
	ds_reader_feed_open(&r->feed, in);
	*out = r;
	return DS_OK;
}

void ds_reader_close(ds_reader *r)
{
	if (!r)
		return;
	ds_reader_feed_close(&r->feed);
	ds_hasher_free(r->sum);
	ds_hasher_free(r->index);
	ds_arena_free(r->mem);
	ds_mem_free(r);
}

void ds_reader_salvage(ds_reader *r, bool on)
{
	r->salvage = r->feed.salvage = on;
}

void ds_reader_limit(ds_reader *r, uint64_t max_record)
{
	r->max_record = max_record;
}

ds_reader_stats ds_reader_get_stats(const ds_reader *r)
{
	return r->stats;
}

/* "input ended early, at byte N" */
static ds_rc ended_early(ds_reader *r, ds_err *e)
{
	return ds_fail(
		e, DS_SHORT, "input ended early, at byte %llu", (unsigned long long)r->feed.at);
}

/* All n bytes, or "input ended early". */
static ds_rc take(ds_reader *r, ds_arena *mem, uint64_t n, const uint8_t **out, ds_err *e)
{
	uint64_t got;
	DS_TRY(ds_reader_feed_take(&r->feed, mem, n, out, &got, e));
	return got == n ? DS_OK : ended_early(r, e);
}

static void begin_stream(ds_reader *r, uint64_t at)
{
	ds_reader_end_chain(r); /* salvaging, the stream before may have lost its trailer */
	r->stream_at = at;
	r->seq = r->first = r->blocks = r->raw_bytes = 0;
	r->broken = false;
	r->chain = NULL;
	ds_hasher_free(r->sum);
	ds_hasher_free(r->index);
	r->sum = ds_hasher_new();
	r->index = ds_hasher_new();
}

/* The header of the next stream; *end where the input ends instead. */
static ds_rc read_header(ds_reader *r, ds_arena *mem, bool *end, ds_err *e)
{
	const uint8_t *head, *payload;
	uint64_t got, exact, hash, at = r->feed.at;
	*end = false;
	DS_TRY(ds_reader_feed_take(&r->feed, mem, DS_HEAD_BYTES, &head, &got, e));
	if (got == 0 && at > 0) {
		*end = true;
		return DS_OK;
	}
	if (at > 0 && !ds_stream_looks((ds_str){ (const char *)head, got }))
		return ds_fail(e, DS_SHORT,
			"the stream ends at byte %llu and is followed by something else",
			(unsigned long long)at);
	if (got < DS_HEAD_BYTES)
		return ended_early(r, e);
	DS_TRY(ds_stream_head_get(head, &exact, &hash, e));
	if (exact > ds_reader_max_bytes(r))
		return ds_fail(e, DS_SHORT,
			"the stream's header claims %llu bytes, the limit is %llu",
			(unsigned long long)exact, (unsigned long long)ds_reader_max_bytes(r));
	begin_stream(r, at);
	ds_hasher_add(r->sum, head, DS_HEAD_BYTES);
	DS_TRY(take(r, mem, ds_pad(exact), &payload, e));
	if (ds_hash64(payload, ds_pad(exact)) != hash)
		return ds_fail(e, DS_SHORT, "the stream's header is damaged");
	DS_TRY(ds_reader_header_chain(
		r, (ds_str){ (const char *)payload, ds_pad(exact) }, exact, e));
	r->state = DS_AT_FRAME;
	return DS_OK;
}

static ds_rc plausible_records(const ds_frame_head *h, uint64_t limit, ds_err *e)
{
	if (h->n_cols > DS_MAX_COLUMNS)
		return ds_fail(
			e, DS_SHORT, "%u columns, the limit is %d", h->n_cols, DS_MAX_COLUMNS);
	if (h->n_rows > DS_MAX_ROWS)
		return ds_fail(e, DS_SHORT, "%u records, the limit is %d", h->n_rows, DS_MAX_ROWS);
	if (h->data_bytes % DS_UNIT || h->data_bytes > limit)
		return ds_fail(e, h->data_bytes >> 40 ? DS_SHORT : DS_BAD,
			"%llu bytes of columns, the limit for this --max-record is %llu",
			(unsigned long long)h->data_bytes, (unsigned long long)limit);
	return DS_OK;
}

ds_rc ds_frame_plausible(const ds_frame_head *h, uint64_t limit, ds_err *e)
{
	if (h->body_bytes % DS_UNIT || h->body_bytes > limit)
		return ds_fail(e, DS_SHORT, "a table of %llu bytes, the limit is %llu",
			(unsigned long long)h->body_bytes, (unsigned long long)limit);
	if (h->kind == DS_KIND_RECORDS)
		return plausible_records(h, limit, e);
	if (h->kind == 0 || (h->kind > DS_KIND_ABORT && h->kind < DS_KIND_OPTIONAL))
		return ds_fail(e, DS_BAD, "a block of kind %u, which is not known here", h->kind);
	if (h->n_cols || h->n_rows || h->data_bytes || h->first > h->body_bytes ||
		ds_pad(h->first) != h->body_bytes)
		return ds_fail(e, DS_SHORT, "a block of kind %#x with impossible sizes", h->kind);
	return DS_OK;
}

/* The next frame's header, verified as far as it goes alone. */
static ds_rc read_head(
	ds_reader *r, ds_arena *mem, const uint8_t **raw, ds_frame_head *h, ds_err *e)
{
	DS_TRY(take(r, mem, DS_HEAD_BYTES, raw, e));
	switch (ds_frame_head_get(*raw, h)) {
	case DS_HEAD_NO_MAGIC:
		return ds_fail(e, DS_SHORT, "no block begins here");
	case DS_HEAD_DAMAGED:
		return ds_fail(e, DS_SHORT, "the header is damaged");
	default:
		break;
	}
	if (h->seq != r->seq && !r->salvage)
		return ds_fail(e, DS_SHORT, "block %llu of its stream where block %llu belongs",
			(unsigned long long)h->seq, (unsigned long long)r->seq);
	if (h->kind == DS_KIND_RECORDS && h->first != r->first && !r->salvage)
		return ds_fail(e, DS_SHORT, "it begins with record %llu, not %llu",
			(unsigned long long)h->first, (unsigned long long)r->first);
	return ds_frame_plausible(h, ds_reader_max_bytes(r), e);
}

/* Salvage: how many blocks are missing before this one. */
static void catch_up(ds_reader *r, const ds_frame_head *h)
{
	if (h->seq == r->seq)
		return;
	if (h->seq > r->seq)
		r->stats.bad_blocks += h->seq - r->seq;
	r->broken = r->stats.damaged = true;
	r->seq = h->seq;
	r->uncounted = false;
}

/* A frame that was taken whole counts, in checksum and index. */
static void enter(ds_reader *r, const uint8_t *raw, const ds_frame_head *h, uint64_t at)
{
	uint8_t row[DS_INDEX_BYTES];
	if (r->salvage)
		catch_up(r, h);
	ds_index_put(row, &(ds_index_row){ at - r->stream_at, r->feed.at - at, r->first, h->n_rows,
				  h->kind });
	ds_hasher_add(r->sum, raw, DS_HEAD_BYTES);
	ds_hasher_add(r->index, row, sizeof(row));
	r->seq++;
}

static ds_rc records(ds_reader *r, ds_arena *mem, const uint8_t *raw, const ds_frame_head *h,
	ds_block **out, ds_err *e)
{
	const uint8_t *body;
	uint64_t at = r->feed.at - DS_HEAD_BYTES;
	/* One read for table and columns: both are multiples of 64. */
	r->frame_end = r->feed.at + h->body_bytes + h->data_bytes;
	DS_TRY(take(r, mem, h->body_bytes + h->data_bytes, &body, e));
	if (ds_hash64(body, h->body_bytes) != h->body_hash)
		return ds_fail(e, DS_SHORT, "the column table is damaged");
	ds_block *b = ds_block_new(mem, h->n_rows);
	b->offset = at;
	b->origin = ds_in_name(r->feed.in);
	b->origin_record = r->records + 1;
	b->input_bytes = r->feed.at - at;
	ds_limits limit = ds_reader_limits(r);
	DS_TRY(ds_table_read(b, h, body, body + h->body_bytes, &limit, e));
	if (r->salvage)
		DS_TRY(ds_block_verify(b, e));
	enter(r, raw, h, at);
	r->first = h->first + h->n_rows;
	r->records += h->n_rows;
	r->blocks++;
	r->raw_bytes += ds_block_raw_bytes(b);
	r->stats.blocks++;
	r->stats.records += h->n_rows;
	*out = b;
	return DS_OK;
}

static ds_rc end_of_stream(
	ds_reader *r, ds_arena *mem, const ds_frame_head *h, ds_str body, ds_err *e)
{
	const uint8_t *foot;
	ds_footer f;
	uint64_t at = r->feed.at - DS_HEAD_BYTES - body.n;
	if (r->salvage)
		catch_up(r, h);
	DS_TRY(ds_reader_trailer(r, h, body, at - r->stream_at, e));
	DS_TRY(take(r, mem, DS_HEAD_BYTES, &foot, e));
	if (!ds_footer_get(foot, &f))
		return ds_fail(e, DS_SHORT, "the end of the trailer is damaged");
	if (!r->broken && (f.trailer_bytes != r->feed.at - at ||
				  f.stream_bytes != r->feed.at - r->stream_at ||
				  f.checksum != ds_hasher_get64(r->sum)))
		return ds_fail(e, DS_SHORT, "the end of the trailer tells other sizes");
	ds_reader_end_chain(r);
	r->state = DS_AT_HEADER;
	return DS_OK;
}

static ds_rc payload(
	ds_reader *r, ds_arena *mem, const uint8_t *raw, const ds_frame_head *h, ds_err *e)
{
	const uint8_t *body;
	uint64_t at = r->feed.at - DS_HEAD_BYTES;
	DS_TRY(take(r, mem, h->body_bytes, &body, e));
	if (ds_hash64(body, h->body_bytes) != h->body_hash)
		return ds_fail(e, DS_SHORT, "its content is damaged");
	if (!ds_zeros(body + h->first, h->body_bytes - h->first))
		return ds_fail(e, DS_SHORT, "it is not padded with zeros");
	ds_str exact = { (const char *)body, h->first };
	if (h->kind == DS_KIND_ABORT) {
		r->state = DS_AT_HEADER; /* salvaging, another stream may follow */
		r->aborted = true;
		return ds_fail(e, DS_SHORT, DS_WRITER_FAILED "%.*s",
			(int)(exact.n < DS_ERR_BYTES ? exact.n : DS_ERR_BYTES), exact.at);
	}
	if (h->kind == DS_KIND_TRAILER)
		return end_of_stream(r, mem, h, (ds_str){ exact.at, h->body_bytes }, e);
	DS_TRY(ds_reader_add_opt(r, h->kind, exact, e));
	enter(r, raw, h, at);
	return DS_OK;
}

/* One step: a header, a block or another frame. *out only for a block of records. */
static ds_rc step(ds_reader *r, ds_arena *mem, ds_block **out, ds_err *e)
{
	const uint8_t *raw;
	ds_frame_head h;
	bool end;
	uint64_t at = r->feed.at;
	if (r->state == DS_AT_HEADER) {
		DS_TRY(read_header(r, mem, &end, e));
		if (end)
			r->state = DS_AT_END;
		return DS_OK;
	}
	ds_rc rc = read_head(r, mem, &raw, &h, e);
	if (rc == DS_OK)
		rc = h.kind == DS_KIND_RECORDS ? records(r, mem, raw, &h, out, e)
					       : payload(r, mem, raw, &h, e);
	return rc == DS_OK ? rc : ds_at(e, rc, "block at byte %llu", (unsigned long long)at);
}

/*
 * Salvage: whether the frame that was found damaged is followed at its end by another one. Then all of
 * it is passed over, and what looks like a frame within it is taken for the data that it is.
 */
static ds_rc ends_well(ds_reader *r, bool *well, ds_err *e)
{
	ds_frame_head h;
	ds_str view;
	*well = false;
	if (!r->frame_end || r->feed.at != r->frame_end)
		return DS_OK;
	DS_TRY(ds_reader_feed_look(&r->feed, DS_HEAD_BYTES, &view, e));
	*well = view.n == DS_HEAD_BYTES &&
		ds_frame_head_get((const uint8_t *)view.at, &h) == DS_HEAD_OK;
	return DS_OK;
}

/* Salvage: from what could not be read at `at` to the next place that can be tried. */
static ds_rc resync(ds_reader *r, uint64_t at, ds_err *e)
{
	bool found, header = false;
	if (!r->stats.damaged)
		r->stats.first_bad_offset = at;
	r->stats.damaged = r->broken = r->uncounted = true;
	DS_TRY(ends_well(r, &found, e));
	if (!found) {
		ds_reader_feed_back(&r->feed, at);
		DS_TRY(ds_reader_feed_search(&r->feed, &found, &header, e));
	}
	r->stats.lost_bytes += r->feed.at - at;
	r->state = !found ? DS_AT_END : header ? DS_AT_HEADER : DS_AT_FRAME;
	return DS_OK;
}

static ds_rc next(ds_reader *r, ds_arena *mem, ds_block **out, ds_err *e)
{
	while (r->state != DS_AT_END && !*out)
		DS_TRY(step(r, mem, out, e));
	return DS_OK;
}

static ds_rc next_salvaged(ds_reader *r, ds_arena *mem, ds_block **out, ds_err *e)
{
	while (r->state != DS_AT_END && !*out) {
		uint64_t at = r->feed.at;
		ds_reader_feed_keep(&r->feed);
		r->frame_end = 0;
		ds_rc rc = step(r, mem, out, e);
		if (rc == DS_OK)
			continue;
		if (rc != DS_SHORT) /* a version or kind that is not known, a read error */
			return rc;
		if (r->aborted)
			r->stats.damaged = true;
		else
			DS_TRY(resync(r, at, e));
		r->aborted = false;
	}
	if (r->state == DS_AT_END && r->uncounted) {
		r->stats.bad_blocks++;
		r->uncounted = false;
	}
	return DS_OK;
}

ds_rc ds_reader_next(ds_reader *r, ds_arena *mem, ds_block **out, ds_err *e)
{
	*out = NULL;
	ds_reader_feed_forget(&r->feed, false);
	ds_rc rc = r->salvage ? next_salvaged(r, mem, out, e) : next(r, mem, out, e);
	if (rc == DS_OK && r->state == DS_AT_END)
		ds_reader_feed_forget(
			&r->feed, true); /* the run may go on with thousands of files */
	if (rc == DS_OK || rc == DS_IO)
		return rc;
	r->state = DS_AT_END;
	return ds_at(e, rc, "%s", ds_in_name(r->feed.in));
}
