/*
 * delta.c - DELTA_BINARY_PACKED (Encodings.md of Apache Parquet)
 */
#include "record/parquet/page.h"
#include "record/parquet/thrift.h"

enum { MOST_BLOCK = 1 << 24 };

typedef struct {
	ds_cur c;
	uint64_t per_part; /* numbers in a part of a block */
	uint64_t parts;
	uint64_t value; /* the last number; sums wrap, as the writer's did */
} deltas;

/* k numbers of one part. */
static void read_part(deltas *d, unsigned bits, uint64_t min, uint32_t k, int64_t *out)
{
	size_t here = (size_t)(((uint64_t)k * bits + 7) / 8);
	size_t all = (size_t)(d->per_part * bits / 8), left = ds_cur_left(&d->c);
	const uint8_t *p = d->c.at;
	if (bits > 64 || here > left) {
		d->c.failed = true;
		return;
	}
	/* The last part may be cut behind its last number. */
	ds_cur_bytes(&d->c, all < left ? all : left);
	for (uint32_t i = 0; i < k && !bits; i++)
		out[i] = (int64_t)(d->value += min);
	if (!bits)
		return;
	ds_pq_unpack64(p, bits, 0, k, (uint64_t *)out);
	for (uint32_t i = 0; i < k; i++)
		out[i] = (int64_t)(d->value += (uint64_t)out[i] + min);
}

static uint32_t read_block(deltas *d, uint32_t n, int64_t *out)
{
	uint32_t got = 0;
	uint64_t min = (uint64_t)ds_thrift_zigzag(ds_thrift_varint(&d->c));
	ds_str bits = ds_cur_bytes(&d->c, d->parts);
	for (uint64_t i = 0; i < d->parts && got < n && ds_cur_ok(&d->c); i++) {
		uint32_t k = n - got < d->per_part ? n - got : (uint32_t)d->per_part;
		read_part(d, (uint8_t)bits.at[i], min, k, out + got);
		got += k;
	}
	return got;
}

bool ds_pq_delta(ds_str *bytes, uint32_t n, int64_t *out)
{
	deltas d = { .c = ds_cur_of(bytes->at, bytes->n) };
	uint64_t block = ds_thrift_varint(&d.c), all;
	d.parts = ds_thrift_varint(&d.c);
	all = ds_thrift_varint(&d.c);
	d.value = (uint64_t)ds_thrift_zigzag(ds_thrift_varint(&d.c));
	if (!ds_cur_ok(&d.c) || all != n || !d.parts || block > MOST_BLOCK || block % d.parts ||
		block / d.parts % 8 || !block)
		return false;
	d.per_part = block / d.parts;
	if (n)
		out[0] = (int64_t)d.value;
	for (uint32_t i = 1; i < n && ds_cur_ok(&d.c);)
		i += read_block(&d, n - i, out + i);
	*bytes = (ds_str){ (const char *)d.c.at, ds_cur_left(&d.c) };
	return ds_cur_ok(&d.c);
}
