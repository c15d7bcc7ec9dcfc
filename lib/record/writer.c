/*
 * writer.c - one stream: header, frames in order, trailer
 */
#include "record/stream_impl.h"

#include "base/hash.h"
#include "base/mem.h"

struct ds_writer {
	ds_out *out;
	ds_hasher *sum; /* of the stream's header and all frame headers */
	ds_buf index;
	uint64_t at; /* bytes written of this stream */
	uint64_t frames, blocks, records, raw_bytes;
	bool ended;
};

/* JSON and what else is a payload: padded with zeros, in one piece. */
static void pad(ds_buf *b)
{
	static const char zeros[DS_UNIT];
	ds_buf_add(b, zeros, ds_pad(b->n) - b->n);
}

static ds_rc put_parts(ds_writer *w, const ds_str *parts, size_t n, uint64_t bytes, ds_err *e)
{
	w->at += bytes;
	return ds_out_parts(w->out, parts, n, e);
}

static ds_rc put_header(ds_writer *w, const ds_chain *chain, ds_err *e)
{
	ds_buf json = { 0 };
	uint8_t head[DS_HEAD_BYTES];
	ds_chain_print(&json, chain);
	size_t n = json.n;
	pad(&json);
	ds_stream_head_put(head, n, ds_hash64(json.at, json.n));
	ds_hasher_add(w->sum, head, sizeof(head));
	ds_rc rc = put_parts(w, (ds_str[]){ { (char *)head, sizeof(head) }, ds_buf_view(&json) }, 2,
		sizeof(head) + json.n, e);
	ds_buf_free(&json);
	return rc;
}

ds_rc ds_writer_open(ds_writer **out, ds_out *to, const ds_chain *chain, ds_err *e)
{
	DS_AUTO(ds_writer) w = DS_NEW(ds_writer, 1);
	*out = NULL;
	w->out = to;
	w->sum = ds_hasher_new();
	DS_TRY(put_header(w, chain, e));
	*out = w;
	w = NULL;
	return DS_OK;
}

void ds_writer_close(ds_writer *w)
{
	if (!w)
		return;
	ds_hasher_free(w->sum);
	ds_buf_free(&w->index);
	ds_mem_free(w);
}

/* Enters a frame of `bytes`, whose header is complete now, into checksum and index. */
static void enter(ds_writer *w, const uint8_t *head, uint64_t bytes)
{
	ds_frame_head h;
	uint8_t row[DS_INDEX_BYTES];
	ds_frame_head_get(head, &h);
	ds_hasher_add(w->sum, head, DS_HEAD_BYTES);
	ds_index_put(row, &(ds_index_row){ w->at, bytes, w->records, h.n_rows, h.kind });
	ds_buf_add(&w->index, row, sizeof(row));
	w->frames++;
}

ds_rc ds_writer_frame(ds_writer *w, ds_frame *f, ds_err *e)
{
	uint8_t *head = (uint8_t *)(uintptr_t)f->head.at; /* ds_block_encode made it */
	ds_frame_head h;
	ds_frame_head_get(head, &h);
	h.seq = w->frames;
	h.first = w->records;
	ds_frame_head_put(head, &h);
	enter(w, head, f->bytes);
	w->blocks++;
	w->records += f->n_rows;
	w->raw_bytes += f->raw_bytes;
	/* The parts have room for the head in front: one call for all. */
	f->parts[-1] = f->head;
	return put_parts(w, f->parts - 1, f->n_parts + 1, f->bytes, e);
}

/* A frame that is a payload, already padded. */
static ds_rc put_payload(
	ds_writer *w, uint16_t kind, ds_str payload, uint64_t exact, bool count, ds_err *e)
{
	uint8_t head[DS_HEAD_BYTES];
	ds_frame_head_put(head, &(ds_frame_head){ .kind = kind,
					.body_bytes = payload.n,
					.seq = w->frames,
					.first = exact,
					.body_hash = ds_hash64(payload.at, payload.n) });
	uint64_t bytes = sizeof(head) + payload.n;
	if (count)
		enter(w, head, bytes);
	return put_parts(w, (ds_str[]){ { (char *)head, sizeof(head) }, payload }, 2, bytes, e);
}

ds_rc ds_writer_opt(ds_writer *w, ds_opt opt, ds_err *e)
{
	ds_buf b = { 0 };
	ds_buf_add_str(&b, opt.bytes);
	pad(&b);
	ds_rc rc = put_payload(w, opt.kind, ds_buf_view(&b), opt.bytes.n, true, e);
	ds_buf_free(&b);
	return rc;
}

ds_rc ds_writer_abort(ds_writer *w, const char *reason, ds_err *e)
{
	ds_buf b = { 0 };
	if (w->ended)
		return DS_OK;
	w->ended = true;
	ds_buf_add_c(&b, reason);
	pad(&b);
	ds_rc rc = put_payload(w, DS_KIND_ABORT, ds_buf_view(&b), strlen(reason), false, e);
	ds_buf_free(&b);
	return rc == DS_OK ? ds_out_flush(w->out, e) : rc;
}

/* Totals, index, provenance. */
static void make_trailer(const ds_writer *w, const ds_chain *chain, ds_totals *t, ds_buf *b)
{
	uint8_t totals[DS_TOTALS_BYTES] = { 0 };
	*t = (ds_totals){ w->records, w->blocks, w->frames, w->raw_bytes, ds_hasher_get64(w->sum),
		w->at, 0, 0 };
	ds_buf_add(b, totals, sizeof(totals));
	ds_buf_add_str(b, ds_buf_view(&w->index));
	size_t before = b->n;
	ds_chain_print(b, chain);
	t->chain_bytes = b->n - before;
	ds_totals_put((uint8_t *)b->at, t);
}

ds_rc ds_writer_finish(ds_writer *w, const ds_chain *final_chain, ds_err *e)
{
	ds_totals t;
	ds_buf b = { 0 };
	make_trailer(w, final_chain, &t, &b);
	size_t exact = b.n;
	pad(&b);
	ds_rc rc = put_payload(w, DS_KIND_TRAILER, ds_buf_view(&b), exact, false, e);
	uint64_t trailer = DS_HEAD_BYTES + b.n + DS_HEAD_BYTES;
	ds_buf_free(&b);
	if (rc != DS_OK)
		return rc;
	uint8_t foot[DS_HEAD_BYTES];
	ds_footer_put(foot, &(ds_footer){ trailer, w->at + DS_HEAD_BYTES, t.checksum });
	w->ended = true;
	return put_parts(w, &(ds_str){ (char *)foot, sizeof(foot) }, 1, sizeof(foot), e);
}
