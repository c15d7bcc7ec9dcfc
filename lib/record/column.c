/*
 * column.c - columns as they are stored: the table of a block, hashes, decoding
 *
 * All that comes from outside is checked here: the table when it is read, the bytes of a column
 * when they are first used or passed on, their structure when they are decoded.
 */
#include "record/block_impl.h"

#include "base/codec.h"
#include "base/cur.h"
#include "base/hash.h"
#include "base/mem.h"

/* A zstd block gives at most 128 KiB and takes 4 bytes at least (RFC 8878, 3.1.1.2). */
enum { ZSTD_MOST_RATIO = 32768 };

static ds_rc damaged(const ds_block *b, const ds_col *c, ds_err *e, const char *what)
{
	return ds_fail(e, DS_SHORT, "%s: block at byte %llu: column '%.*s' %s",
		b->origin ? b->origin : "", (unsigned long long)b->offset, DS_FMT(c->name), what);
}

/* What an entry says about its column must be possible and leave no gap behind the one before. */
static const char *entry_wrong(const ds_entry *x, const ds_frame_head *h, uint64_t at)
{
	if (!ds_type_known(x->type))
		return "has an unknown type";
	if (x->codec > DS_CODEC_ZSTD)
		return "has an unknown codec";
	if (x->presence > (DS_HAS_PRESENT | DS_HAS_NULLS))
		return "has an unknown form of presence";
	if (x->at != at || x->bytes % DS_UNIT || x->bytes > h->data_bytes - at)
		return "lies outside its block";
	if (x->tail >= DS_UNIT || x->tail > x->bytes || (x->codec == DS_CODEC_NONE && x->tail))
		return "has an impossible end";
	if (x->raw_bytes % DS_UNIT || (x->codec == DS_CODEC_NONE && x->raw_bytes != x->bytes))
		return "has an impossible size";
	if (x->raw_bytes / ZSTD_MOST_RATIO > x->bytes)
		return "has an impossible size";
	return NULL;
}

static bool name_seen(const ds_block *b, uint32_t n, ds_str name)
{
	for (uint32_t i = 0; i < n; i++)
		if (ds_str_eq(b->cols[i].name, name))
			return true;
	return false;
}

ds_rc ds_table_read(ds_block *b, const ds_frame_head *h, const uint8_t *table, const uint8_t *data,
	const ds_limits *limit, ds_err *e)
{
	uint64_t names_at = (uint64_t)h->n_cols * DS_ENTRY_BYTES, at = 0, name_end = 0, raw = 0;
	if (names_at > h->body_bytes)
		return ds_fail(
			e, DS_SHORT, "the column table has no room for %u columns", h->n_cols);
	uint64_t names_bytes = h->body_bytes - names_at;
	ds_block_reserve(b, h->n_cols);
	for (uint32_t i = 0; i < h->n_cols; i++) {
		ds_entry x;
		ds_entry_get(table + (size_t)i * DS_ENTRY_BYTES, &x);
		if (x.name_at != name_end || x.name_bytes > names_bytes - name_end)
			return ds_fail(
				e, DS_SHORT, "column %u: the name lies outside the table", i);
		ds_str name = { (const char *)table + names_at + name_end, x.name_bytes };
		name_end += x.name_bytes;
		const char *wrong = entry_wrong(&x, h, at);
		if (!wrong && name_seen(b, i, name))
			wrong = "is there twice";
		if (wrong)
			return ds_fail(e, DS_SHORT, "column '%.*s' %s", DS_FMT(name), wrong);
		/* A few bytes of zstd may stand for very many. */
		if (x.raw_bytes > limit->column || x.raw_bytes > limit->all - raw)
			return ds_fail(e, DS_BAD,
				"column '%.*s' decompresses to %llu bytes, the limit for this "
				"--max-record is %llu",
				DS_FMT(name), (unsigned long long)x.raw_bytes,
				(unsigned long long)limit->column);
		b->cols[i] = (ds_col){ .name = name, .type = x.type };
		b->cols[i].stored = (ds_stored){ .at = data + at,
			.bytes = x.bytes,
			.raw_bytes = x.raw_bytes,
			.hash = x.hash,
			.codec = x.codec,
			.tail = x.tail,
			.presence = x.presence,
			.valid = true };
		at += x.bytes;
		raw += x.raw_bytes;
		b->n_cols = i + 1;
	}
	if (at != h->data_bytes)
		return ds_fail(e, DS_SHORT, "%llu bytes belong to no column",
			(unsigned long long)(h->data_bytes - at));
	if (ds_pad(names_at + name_end) != h->body_bytes ||
		!ds_zeros(table + names_at + name_end, names_bytes - name_end))
		return ds_fail(e, DS_SHORT, "the column table does not end as it should");
	return DS_OK;
}

static ds_rc check_hash(const ds_block *b, ds_col *c, ds_err *e)
{
	ds_stored *s = &c->stored;
	if (!s->valid || s->checked)
		return DS_OK;
	if (ds_hash64(s->at, s->bytes) != s->hash)
		return damaged(b, c, e, "is damaged");
	s->checked = true;
	return DS_OK;
}

ds_rc ds_block_check(ds_block *b, ds_err *e)
{
	for (uint32_t i = 0; i < b->n_cols; i++)
		DS_TRY(check_hash(b, &b->cols[i], e));
	return DS_OK;
}

static ds_rc decompress(const ds_block *b, const ds_col *c, void *out, ds_err *e)
{
	const ds_stored *s = &c->stored;
	DS_AUTO(ds_compressor) own = b->compressor ? NULL : ds_compressor_new(1);
	ds_rc rc = ds_decompress(
		own ? own : b->compressor, s->at, s->bytes - s->tail, out, s->raw_bytes, e);
	if (rc != DS_OK) {
		ds_err why = *e;
		return damaged(b, c, e, why.msg);
	}
	if (!ds_zeros((const char *)s->at + s->bytes - s->tail, s->tail))
		return damaged(b, c, e, "is not padded with zeros");
	return DS_OK;
}

static bool map_ends_clean(const uint8_t *map, uint32_t n_rows, uint64_t padded)
{
	uint64_t full = n_rows / 8;
	if (n_rows % 8 && map[full] >> (n_rows % 8))
		return false;
	full += n_rows % 8 != 0;
	return ds_zeros(map + full, padded - full);
}

/* Rows that are absent or null hold nothing, and nulls are present. */
static const char *maps_wrong(const ds_col *c, uint32_t n_rows)
{
	if (!c->present && !c->nulls)
		return NULL;
	static const uint8_t zero[8];
	unsigned size = ds_type_size(c->type);
	for (uint32_t i = 0; i < n_rows; i++) {
		bool there = ds_col_has(c, i), null = ds_col_null(c, i);
		if (null && !there)
			return "has a null that is absent";
		if (there && !null)
			continue;
		if (c->off ? c->off[i] != c->off[i + 1]
			   : memcmp((const uint8_t *)c->data + (size_t)i * size, zero, size) != 0)
			return "has a value where there is none";
	}
	return NULL;
}

static const char *data_wrong(const ds_col *c, uint32_t n_rows)
{
	uint8_t any = 0;
	if (c->type == DS_T_BOOL)
		for (uint32_t i = 0; i < n_rows; i++)
			any |= ((const uint8_t *)c->data)[i];
	if (any > 1)
		return "has a truth value that is neither";
	return maps_wrong(c, n_rows);
}

/* Offsets begin at zero and never step back; *elements is where they end. */
static bool offsets_right(const uint32_t *off, uint32_t n_rows, uint64_t *elements)
{
	bool back = false;
	for (uint32_t i = 0; i < n_rows; i++)
		back |= off[i] > off[i + 1];
	*elements = off[n_rows];
	return off[0] == 0 && !back;
}

/* Cuts raw bytes into the column's parts. */
static const char *cut(ds_col *c, uint32_t n_rows, const uint8_t *raw)
{
	const ds_stored *s = &c->stored;
	ds_cur at = ds_cur_of(raw, s->raw_bytes);
	ds_block_layout l = ds_layout_of(c->type, s->presence, n_rows, 0);
	const uint8_t *present = (const uint8_t *)ds_cur_bytes(&at, l.present).at;
	const uint8_t *nulls = (const uint8_t *)ds_cur_bytes(&at, l.nulls).at;
	const uint32_t *off = (const uint32_t *)(const void *)ds_cur_bytes(&at, l.off).at;
	uint64_t elements = n_rows;
	if (!ds_cur_ok(&at))
		return "is shorter than its rows";
	if (l.present && !map_ends_clean(present, n_rows, l.present))
		return "has bits set behind its last record";
	if (l.nulls && !map_ends_clean(nulls, n_rows, l.nulls))
		return "has bits set behind its last record";
	if (l.off && (!offsets_right(off, n_rows, &elements) ||
			     !ds_zeros(off + n_rows + 1, l.off - 4 * ((uint64_t)n_rows + 1))))
		return "has offsets out of order";
	uint64_t used = elements * ds_type_size(c->type), left = ds_cur_left(&at);
	if (ds_pad(used) != left)
		return "has data of another size than its offsets say";
	const uint8_t *data = (const uint8_t *)ds_cur_bytes(&at, left).at;
	if (!ds_zeros(data + used, left - used))
		return "is not padded with zeros";
	c->present = l.present ? present : NULL;
	c->nulls = l.nulls ? nulls : NULL;
	c->off = l.off ? off : NULL;
	c->data = data;
	return data_wrong(c, n_rows);
}

ds_rc ds_col_decode(ds_block *b, ds_col *c, ds_err *e)
{
	if (c->decoded)
		return DS_OK;
	DS_TRY(check_hash(b, c, e));
	const uint8_t *raw = c->stored.at;
	if (c->stored.codec == DS_CODEC_ZSTD) {
		/* The table was refused where this is over the limit. */
		uint8_t *to = ds_arena_get(b->mem, c->stored.raw_bytes);
		DS_TRY(decompress(b, c, to, e));
		raw = to;
	}
	const char *wrong = cut(c, b->n_rows, raw);
	if (wrong)
		return damaged(b, c, e, wrong);
	c->decoded = true;
	return DS_OK;
}

ds_rc ds_block_verify(ds_block *b, ds_err *e)
{
	for (uint32_t i = 0; i < b->n_cols; i++)
		DS_TRY(ds_col_decode(b, &b->cols[i], e));
	return DS_OK;
}
