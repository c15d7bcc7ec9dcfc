/*
 * exchange_meet.c - who has the key of an earlier record: texts the whole key, bands one of theirs
 *
 * A partition holds every row of a key. Rows are brought together by 32 bits of a hash of the key and then put
 * in order of key and number; that takes 16 bytes a row besides the row. A record whose text an earlier one
 * has takes its place in a bucket and meets nobody: what it would meet, that one met, which shares all its
 * bands and comes before it.
 */
#include "exchange.h"

#include "base/mem.h"
#include "base/sort.h"

#include <stdlib.h>

typedef struct {
	uint64_t lo, hi, number; /* hi is 0 for bands */
} member;

static int by_key(const void *a, const void *b)
{
	const member *x = a, *y = b;
	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	if (x->hi != y->hi)
		return x->hi < y->hi ? -1 : 1;
	uint64_t p = x->number & ~FRAME_IS_SAME, q = y->number & ~FRAME_IS_SAME;
	return p < q ? -1 : p > q;
}

typedef ds_rc take_members(exchange *x, const member *m, size_t n, ds_err *e);

static ds_rc take_same(exchange *x, const member *m, size_t n, ds_err *e)
{
	for (size_t i = 1; i < n; i++) {
		const uint64_t w[2] = { m[i].number, m[0].number };
		DS_TRY(frames_row(x->out, FRAME_SAMES, frame_shard(w[0]), w, e));
	}
	return DS_OK;
}

static ds_rc put_pair(exchange *x, uint64_t me, uint64_t other, ds_err *e)
{
	const uint64_t pair[2] = { me, other }, ask[2] = { other, frame_shard(me) };
	DS_TRY(frames_row(x->out, FRAME_PAIRS, frame_shard(me), pair, e));
	if (frame_shard(me) == frame_shard(other))
		return DS_OK;
	return frames_row(x->out, FRAME_ASKS, frame_shard(other), ask, e);
}

static ds_rc take_bucket(exchange *x, const member *m, size_t n, ds_err *e)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = 0; k < i && k < DS_BUCKET_MOST; k++)
			if (!(m[i].number & FRAME_IS_SAME) && !(m[k].number & FRAME_IS_SAME))
				DS_TRY(put_pair(x, m[i].number, m[k].number, e));
	if (n < DS_BUCKET_MOST)
		return DS_OK;
	uint64_t full = m[DS_BUCKET_MOST - 1].number & ~FRAME_IS_SAME;
	return frames_row(x->out, FRAME_FULLS, frame_shard(full), &full, e);
}

/* Each run of one key in members whose hashes are the same. */
static ds_rc each_key(exchange *x, member *m, size_t n, take_members *take, ds_err *e)
{
	qsort(m, n, sizeof(*m), by_key);
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && m[end].lo == m[i].lo && m[end].hi == m[i].hi;)
			end++;
		DS_TRY(take(x, m + i, end - i, e));
	}
	return DS_OK;
}

/* Rows of so many words, of which the last is the number and those before it the key. */
static ds_rc meet(exchange *x, const ds_buf *rows, size_t words, take_members *take, ds_err *e)
{
	const uint64_t *w = (const uint64_t *)(const void *)rows->at;
	size_t n = rows->n / sizeof(*w) / words;
	uint64_t *order = ds_mem_get((n + 1) * sizeof(*order));
	ds_buf run = { 0 };
	ds_rc rc = n > UINT32_MAX
			   ? ds_fail(e, DS_BAD, "more than %u rows of a partition", UINT32_MAX)
			   : DS_OK;
	for (size_t i = 0; rc == DS_OK && i < n; i++)
		order[i] = ds_hash64(w + i * words, (words - 1) * sizeof(*w)) >> 32 << 32 | i;
	if (rc == DS_OK)
		ds_sort_u64(order, n);
	for (size_t i = 0, end; i < n && rc == DS_OK; i = end) {
		for (end = i + 1; end < n && order[end] >> 32 == order[i] >> 32;)
			end++;
		if (end - i == 1)
			continue;
		ds_buf_clear(&run);
		for (size_t k = i; k < end; k++) {
			const uint64_t *r = w + (order[k] & UINT32_MAX) * words;
			const member m = { r[0], words == 3 ? r[1] : 0, r[words - 1] };
			ds_buf_add(&run, &m, sizeof(m));
		}
		rc = each_key(x, (member *)(void *)run.at, end - i, take, e);
	}
	ds_buf_free(&run);
	ds_mem_free(order);
	return rc;
}

ds_rc step_meet(exchange *x, ds_err *e)
{
	ds_buf texts = { 0 }, keys = { 0 };
	frame f;
	ds_rc rc;
	while ((rc = frames_next(x->in, &f, e)) == DS_OK && f.kind) {
		if (f.kind != FRAME_TEXTS && f.kind != FRAME_KEYS) {
			rc = exchange_unknown(&f, e);
			break;
		}
		exchange_keep(f.kind == FRAME_TEXTS ? &texts : &keys, &f);
	}
	if (rc == DS_OK)
		rc = meet(x, &texts, frame_words(FRAME_TEXTS), take_same, e);
	if (rc == DS_OK)
		rc = meet(x, &keys, frame_words(FRAME_KEYS), take_bucket, e);
	ds_buf_free(&texts);
	ds_buf_free(&keys);
	return rc;
}
