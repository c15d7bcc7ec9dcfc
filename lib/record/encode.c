/*
 * encode.c - a block to the bytes of its frame
 *
 * Nothing is copied that need not be: the frame is a list of views, of columns as they were read
 * and of the parts of those that were built. What depends on the place in the stream (sequence
 * number, first record) is filled in by the writer.
 */
#include "record/block_impl.h"

#include "base/codec.h"
#include "base/hash.h"

enum { PARTS_PER_COLUMN = 8 };

static const uint8_t zeros[DS_UNIT];

typedef struct {
	ds_block *b;
	ds_compressor *compressor;
	ds_frame *out;
} encoder;

static void add_part(encoder *x, const void *p, uint64_t n)
{
	if (n == 0)
		return;
	x->out->parts[x->out->n_parts++] = (ds_str){ p, n };
	x->out->bytes += n;
}

/* One part of a column and the zeros behind it. */
static void add_padded(encoder *x, const void *p, uint64_t n)
{
	add_part(x, p, n);
	add_part(x, zeros, ds_pad(n) - n);
}

/* The parts of a decoded column in the order of the format. */
static void add_raw(encoder *x, const ds_col *c)
{
	uint32_t n_rows = x->b->n_rows;
	uint64_t map = ((uint64_t)n_rows + 7) / 8;
	if (c->present)
		add_padded(x, c->present, map);
	if (c->nulls)
		add_padded(x, c->nulls, map);
	if (c->off)
		add_padded(x, c->off, 4 * ((uint64_t)n_rows + 1));
	add_padded(
		x, c->data, (uint64_t)(c->off ? c->off[n_rows] : n_rows) * ds_type_size(c->type));
}

static uint64_t hash_parts(encoder *x, size_t first)
{
	if (x->out->n_parts == first)
		return ds_hash64("", 0);
	if (x->out->n_parts == first + 1)
		return ds_hash64(x->out->parts[first].at, x->out->parts[first].n);
	ds_hasher *h = ds_hasher_new();
	for (size_t i = first; i < x->out->n_parts; i++)
		ds_hasher_add(h, x->out->parts[i].at, x->out->parts[i].n);
	uint64_t v = ds_hasher_get64(h);
	ds_hasher_free(h);
	return v;
}

/* What the raw parts of a column are in one piece, which the codec wants. */
static ds_str in_one_piece(encoder *x, const ds_col *c, size_t first)
{
	ds_frame *f = x->out;
	if (f->n_parts == first + 1)
		return f->parts[first];
	uint64_t all = ds_col_layout(c, x->b->n_rows).all;
	char *p = ds_arena_get(x->b->mem, all), *w = p;
	for (size_t i = first; i < f->n_parts; i++) {
		memcpy(w, f->parts[i].at, f->parts[i].n);
		w += f->parts[i].n;
	}
	return (ds_str){ p, all };
}

/* Replaces the parts since `first` by their compressed form, unless that is no shorter. */
static ds_rc compress(encoder *x, ds_str raw, size_t first, ds_entry *entry, ds_err *e)
{
	size_t bound = ds_compress_bound(raw.n), got;
	char *p = ds_arena_get(x->b->mem, ds_pad(bound));
	DS_TRY(ds_compress(x->compressor, raw.at, raw.n, p, bound, &got, e));
	uint64_t padded = ds_pad(got);
	if (padded >= raw.n)
		return DS_OK;
	memset(p + got, 0, padded - got);
	for (size_t i = first; i < x->out->n_parts; i++)
		x->out->bytes -= x->out->parts[i].n;
	x->out->n_parts = first;
	add_part(x, p, padded);
	entry->codec = DS_CODEC_ZSTD;
	entry->tail = (uint8_t)(padded - got);
	return DS_OK;
}

static ds_rc encode_stored(encoder *x, ds_col *c, ds_entry *entry, ds_err *e)
{
	const ds_stored *s = &c->stored;
	size_t first = x->out->n_parts;
	add_part(x, s->at, s->bytes);
	entry->codec = s->codec;
	entry->tail = s->tail;
	entry->presence = s->presence;
	entry->raw_bytes = s->raw_bytes;
	entry->hash = s->hash;
	entry->bytes = s->bytes;
	if (x->compressor && s->codec == DS_CODEC_NONE && s->bytes) {
		DS_TRY(compress(x, (ds_str){ s->at, s->bytes }, first, entry, e));
		entry->bytes = x->out->parts[first].n;
		if (entry->codec != s->codec)
			entry->hash = hash_parts(x, first);
	}
	return DS_OK;
}

static ds_rc encode_built(encoder *x, ds_col *c, ds_entry *entry, ds_err *e)
{
	size_t first = x->out->n_parts;
	uint64_t before = x->out->bytes;
	add_raw(x, c);
	entry->presence = (uint8_t)ds_col_presence(c);
	entry->raw_bytes = x->out->bytes - before;
	if (x->compressor && entry->raw_bytes)
		DS_TRY(compress(x, in_one_piece(x, c, first), first, entry, e));
	entry->bytes = x->out->bytes - before;
	entry->hash = hash_parts(x, first);
	return DS_OK;
}

static ds_rc encode_column(encoder *x, ds_col *c, ds_entry *entry, ds_err *e)
{
	if (c->stored.valid && c->stored.codec != DS_CODEC_NONE && !x->compressor) {
		DS_TRY(ds_col_decode(x->b, c, e));
		return encode_built(x, c, entry, e);
	}
	if (c->stored.valid)
		return encode_stored(x, c, entry, e);
	return encode_built(x, c, entry, e);
}

static uint64_t table_bytes(const ds_block *b)
{
	uint64_t n = (uint64_t)b->n_cols * DS_ENTRY_BYTES;
	for (uint32_t i = 0; i < b->n_cols; i++)
		n += b->cols[i].name.n;
	return ds_pad(n);
}

ds_rc ds_block_encode(ds_frame *out, ds_block *b, ds_compressor *p, ds_err *e)
{
	encoder x = { .b = b, .compressor = p, .out = out };
	if (b->n_rows > DS_MAX_ROWS)
		return ds_fail(e, DS_BAD, "%u records in a block, the limit is %d", b->n_rows,
			DS_MAX_ROWS);
	DS_TRY(ds_block_check(b, e));
	uint64_t body = table_bytes(b), at = 0;
	*out = (ds_frame){ .n_rows = b->n_rows, .raw_bytes = ds_block_raw_bytes(b) };
	/* The writer puts the head before the first part. */
	out->parts =
		ds_arena_get(b->mem, ((size_t)b->n_cols * PARTS_PER_COLUMN + 1) * sizeof(ds_str));
	out->parts++;
	uint8_t *head = ds_arena_get(b->mem, DS_HEAD_BYTES + body), *table = head + DS_HEAD_BYTES;
	char *names = (char *)table + (size_t)b->n_cols * DS_ENTRY_BYTES, *w = names;
	for (uint32_t i = 0; i < b->n_cols; i++) {
		ds_col *c = &b->cols[i];
		ds_entry entry = { .name_at = (uint32_t)(w - names),
			.name_bytes = (uint32_t)c->name.n,
			.type = (uint8_t)c->type,
			.at = at };
		DS_TRY(encode_column(&x, c, &entry, e));
		at += entry.bytes;
		ds_entry_put(table + (size_t)i * DS_ENTRY_BYTES, &entry);
		memcpy(w, c->name.at, c->name.n);
		w += c->name.n;
	}
	memset(w, 0, (size_t)((char *)table + body - w));
	ds_frame_head_put(head, &(ds_frame_head){ .kind = DS_KIND_RECORDS,
					.n_cols = (uint16_t)b->n_cols,
					.n_rows = b->n_rows,
					.body_bytes = body,
					.data_bytes = at,
					.body_hash = ds_hash64(table, body) });
	out->head = (ds_str){ (const char *)head, DS_HEAD_BYTES + body };
	out->bytes += out->head.n;
	return DS_OK;
}
