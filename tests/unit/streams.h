/*
 * streams.h - streams to test with: random blocks, reading back, hashes made right after damage
 *
 * Everything is drawn from a seed, which is printed (DS_SEED= repeats it).
 */
#ifndef TESTS_STREAMS_H
#define TESTS_STREAMS_H

#include "base/codec.h"
#include "base/hash.h"
#include "base/rng.h"
#include "record/stream_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct {
	ds_rng rng;
	uint64_t n;
} draws;

static inline uint64_t draw(draws *d, uint64_t below)
{
	return below ? ds_rng_u64(d->rng, d->n++) % below : 0;
}

static inline draws draws_of(const char *what, uint64_t otherwise)
{
	const char *s = getenv("DS_SEED");
	uint64_t seed = s ? strtoull(s, NULL, 10) : otherwise;
	printf("# %s: DS_SEED=%llu\n", what, (unsigned long long)seed);
	return (draws){ ds_rng_of(seed, 0), 0 };
}

static inline void random_value(ds_colb *c, ds_type type, draws *d, size_t most)
{
	char bytes[4096];
	size_t n = draw(d, most + 1);
	for (size_t i = 0; i < sizeof(bytes) && i < 4 * n; i += 8) {
		uint64_t v = ds_rng_u64(d->rng, d->n++);
		memcpy(bytes + i, &v, 8);
	}
	if (type == DS_T_BOOL)
		ds_colb_bool(c, draw(d, 2));
	else if (type == DS_T_I64)
		ds_colb_i64(c, (int64_t)ds_rng_u64(d->rng, d->n++));
	else if (type == DS_T_F64)
		ds_colb_f64(c, (double)draw(d, 1 << 20) / 16);
	else if (type == DS_T_JSON)
		ds_colb_bytes(c, draw(d, 2) ? DS_S("{\"a\":[1,2,{}]}") : DS_S("\"x\\u00e9\""));
	else
		ds_colb_list(c, bytes, n);
}

/* All types; absent and null in half of the columns. Values of at most `most` elements (<= 1000). */
static inline ds_block *random_block(ds_arena *mem, draws *d, uint32_t n_rows, size_t most)
{
	ds_err e;
	ds_block *b = ds_block_new(mem, n_rows);
	for (unsigned t = DS_T_UTF8; t <= DS_T_F32S; t++) {
		char name[16];
		uint64_t absent = draw(d, 2) ? draw(d, 4) : 0, null = draw(d, 2) ? draw(d, 4) : 0;
		snprintf(name, sizeof(name), "f%u-%s", t, ds_type_name(t));
		ds_colb *c = ds_colb_new(b, name, t);
		for (uint32_t i = 0; i < n_rows; i++) {
			uint64_t k = draw(d, 8);
			if (k < absent)
				ds_colb_absent(c);
			else if (k < absent + null)
				ds_colb_null(c);
			else
				random_value(c, t, d, most);
		}
		if (ds_colb_put(c, &e) != DS_OK)
			abort();
	}
	return b;
}

/* A digest of a block's values, whatever they are stored as; 0: damaged. */
static inline uint64_t block_digest(ds_block *b)
{
	ds_err e;
	DS_AUTO(ds_hasher) h = ds_hasher_new();
	if (ds_block_verify(b, &e) != DS_OK)
		return 0;
	ds_hasher_add(h, &b->n_rows, sizeof(b->n_rows));
	for (uint32_t k = 0; k < b->n_cols; k++) {
		const ds_col *c = &b->cols[k];
		size_t size = ds_type_size(c->type);
		ds_hasher_add(h, c->name.at, c->name.n);
		ds_hasher_add(h, &c->type, sizeof(c->type));
		for (uint32_t i = 0; i < b->n_rows; i++) {
			uint8_t state = (uint8_t)(ds_col_has(c, i) + 2 * ds_col_null(c, i));
			size_t from = c->off ? c->off[i] : i, to = c->off ? c->off[i + 1] : i + 1;
			ds_hasher_add(h, &state, 1);
			ds_hasher_add(h, &(uint64_t){ to - from }, 8);
			ds_hasher_add(h, (const char *)c->data + from * size, (to - from) * size);
		}
	}
	return ds_hasher_get64(h) | 1;
}

typedef struct { /* a stream in the making */
	ds_buf bytes;
	ds_out *out;
	ds_writer *w;
	ds_arena *mem;
	ds_chain *chain;
} making;

static inline void making_begin(making *m)
{
	ds_err e;
	*m = (making){ .mem = ds_arena_new(4096) };
	m->chain = ds_chain_new(m->mem);
	ds_chain_push(m->mem, m->chain, DS_S("test"), DS_S("1"), DS_S("--x"));
	m->out = ds_out_to_mem(&m->bytes);
	if (ds_writer_open(&m->w, m->out, m->chain, &e) != DS_OK)
		abort();
}

static inline void making_add(making *m, ds_block *b, ds_compressor *p)
{
	ds_err e;
	ds_frame f;
	if (ds_block_encode(&f, b, p, &e) != DS_OK || ds_writer_frame(m->w, &f, &e) != DS_OK)
		abort();
}

static inline void making_end(making *m) /* m->bytes stays */
{
	ds_err e;
	if (ds_writer_finish(m->w, m->chain, &e) != DS_OK || ds_out_finish(m->out, &e) != DS_OK)
		abort();
	ds_writer_close(m->w);
	ds_out_close(m->out);
	ds_arena_free(m->mem);
}

typedef struct { /* what reading gave */
	ds_rc rc;
	ds_err err;
	uint64_t digests[256];
	size_t n_blocks, n_opts;
	uint64_t records;
	ds_reader_stats stats;
} reading;

enum { READ_PIPE = 1, READ_SALVAGE = 2, READ_UNALIGNED = 4 };

static inline reading read_reader(ds_reader *r, unsigned how)
{
	reading x = { 0 };
	ds_block *b = NULL;
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_reader_salvage(r, how & READ_SALVAGE);
	for (;;) {
		x.rc = ds_reader_next(r, mem, &b, &x.err);
		if (x.rc != DS_OK || !b)
			break;
		x.rc = ds_block_check(b, &x.err);
		if (x.rc == DS_OK)
			x.rc = ds_block_verify(b, &x.err);
		if (x.rc != DS_OK)
			break;
		x.records += b->n_rows;
		if (x.n_blocks < 256)
			x.digests[x.n_blocks] = block_digest(b);
		x.n_blocks++;
		ds_arena_reset(mem);
	}
	ds_reader_opts(r, &x.n_opts);
	x.stats = ds_reader_get_stats(r);
	return x;
}

/* Reads bytes as a mapped file or as a pipe (then at most 64 KiB). */
static inline reading read_stream(ds_str bytes, unsigned how)
{
	ds_reader *r;
	ds_err e;
	ds_in *in;
	int fd[2] = { -1, -1 };
	char *buffer = NULL;
	if (how & READ_PIPE) {
		if (pipe(fd) != 0 || write(fd[1], bytes.at, bytes.n) != (ssize_t)bytes.n)
			abort();
		close(fd[1]);
		if (ds_in_from_fd(&in, fd[0], "a.dsr", &e) != DS_OK)
			abort();
	} else {
		size_t skip = how & READ_UNALIGNED ? 8 : 0;
		if (posix_memalign((void **)&buffer, 64, bytes.n + 64) != 0)
			abort();
		if (bytes.n)
			memcpy(buffer + skip, bytes.at, bytes.n);
		in = ds_in_from_mem(buffer + skip, bytes.n, "a.dsr");
	}
	if (ds_reader_open(&r, in, &e) != DS_OK)
		abort();
	reading x = read_reader(r, how);
	ds_reader_close(r);
	free(buffer);
	if (fd[0] >= 0)
		close(fd[0]);
	return x;
}

static inline void seal_head(uint8_t *p)
{
	uint64_t h = ds_hash64(p, 56);
	memcpy(p + 56, &h, 8);
}

/* Makes the hashes of one frame right; its length, or 0 where it does not fit. */
static inline size_t repair_frame(uint8_t *p, size_t n)
{
	ds_frame_head h;
	if (n < 64 || memcmp(p, ds_frame_magic, 8) != 0)
		return 0;
	ds_frame_head_get(p, &h);
	if (h.body_bytes <= n - 64 && h.data_bytes <= n - 64 - h.body_bytes) {
		uint8_t *table = p + 64, *data = table + h.body_bytes;
		for (unsigned i = 0; i < h.n_cols && (i + 1) * 48 <= h.body_bytes; i++) {
			ds_entry x;
			ds_entry_get(table + i * 48, &x);
			if (x.at > h.data_bytes || x.bytes > h.data_bytes - x.at)
				continue;
			x.hash = ds_hash64(data + x.at, x.bytes);
			memcpy(table + i * 48 + 40, &x.hash, 8);
		}
		uint64_t hash = ds_hash64(table, h.body_bytes);
		memcpy(p + 48, &hash, 8);
	}
	seal_head(p);
	if (h.body_bytes > n - 64 || h.data_bytes > n - 64 - h.body_bytes)
		return 0;
	return 64 + h.body_bytes + h.data_bytes;
}

/* Makes every hash right, checksum and all, as a writer with bad intentions would. */
static inline void repair(uint8_t *p, size_t n)
{
	uint64_t exact, hash, sum;
	if (n < 64)
		return;
	DS_AUTO(ds_hasher) h = ds_hasher_new();
	memcpy(&exact, p + 24, 8);
	if (exact <= n - 64 && ds_pad(exact) <= n - 64) {
		hash = ds_hash64(p + 64, ds_pad(exact));
		memcpy(p + 32, &hash, 8);
	} else {
		exact = 0;
	}
	seal_head(p);
	ds_hasher_add(h, p, 64);
	for (size_t at = 64 + ds_pad(exact), len; at + 64 <= n; at += len) {
		uint16_t kind;
		memcpy(&kind, p + at + 8, 2);
		sum = ds_hasher_get64(h);
		if (kind == DS_KIND_TRAILER && at + 192 <= n)
			memcpy(p + at + 64 + 32, &sum, 8);
		len = repair_frame(p + at, n - at);
		if (len == 0)
			return;
		ds_hasher_add(h, p + at, 64);
		if (kind == DS_KIND_TRAILER && at + len + 64 <= n) {
			memcpy(p + at + len + 32, &sum, 8);
			seal_head(p + at + len);
			return;
		}
	}
}

#endif
