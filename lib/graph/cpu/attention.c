/*
 * attention.c - softmax(q k^T) v by blocks of 64 queries and 64 keys, never a whole row of scores
 *
 * Online softmax (Milakov and Gimelshein, 2018; Dao et al., 2022). Keys are transposed first,
 * once a key head (stage 0), so that scores are a product whose right side has dense rows; then every
 * block of queries of every head is a tile (stage 1). Bound by the two products, then by exp. With
 * few queries (decoding) transposing keys would cost more than using them: rows go one by one.
 */
#include "graph/cpu/attention_impl.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { FEW_QUERIES = 8 };

static bool is_short(const ds_job *j)
{
	return j->node->attr.attention.seq < FEW_QUERIES;
}

static int64_t key_blocks(const ds_job *j)
{
	return ceil_div(j->node->attr.attention.kv_seq, BLOCK);
}

static int64_t stages(const ds_job *j)
{
	return is_short(j) ? 1 : 2;
}

static int64_t tiles(const ds_job *j, int64_t stage)
{
	const ds_attention_attr *a = &j->node->attr.attention;
	int64_t batch = j->in[0].rows / a->seq;
	if (is_short(j))
		return batch * a->heads;
	if (stage == 0)
		return batch * a->kv_heads;
	return batch * a->heads * ceil_div(a->seq, BLOCK);
}

static size_t shared_bytes(const ds_job *j)
{
	const ds_attention_attr *a = &j->node->attr.attention;
	int64_t batch = j->in[0].rows / a->seq;
	if (is_short(j))
		return 0;
	if (is_bf16(j))
		return ds_attend_bf16_shared(j);
	return (size_t)(batch * a->kv_heads * key_blocks(j) * BLOCK * a->head_dim) * sizeof(float);
}

static size_t worker_bytes(const ds_job *j)
{
	int64_t n = BLOCK * BLOCK;
	if (is_bf16(j) && !is_short(j))
		return ds_attend_bf16_worker(j);
	if (is_short(j)) /* whole blocks */
		n = ceil_div(j->node->attr.attention.kv_seq, BLOCK) * BLOCK;
	return (size_t)n * sizeof(float);
}

/* Keys of block kb of key head h of sequence b: [D, BLOCK]. */
static float *transposed(const ds_job *j, int64_t b, int64_t h, int64_t kb)
{
	const ds_attention_attr *a = &j->node->attr.attention;
	return (float *)j->shared +
	       ((b * a->kv_heads + h) * key_blocks(j) + kb) * BLOCK * a->head_dim;
}

static void transpose_keys(const ds_job *j, const ds_heads *h, int64_t tile)
{
	int64_t b = tile / h->a->kv_heads, head = tile % h->a->kv_heads, kv = h->a->kv_seq;
	for (int64_t kb = 0; kb < key_blocks(j); kb++) {
		const float *k = row_of(&j->in[1], cache_at(h, b) + kb * BLOCK) + head * h->d;
		ds_simd_now()->transpose(transposed(j, b, head, kb), BLOCK, k, j->in[1].ld,
			min_i64(BLOCK, kv - kb * BLOCK), h->d);
	}
}

/* One row of a block of scores: probabilities up to a factor; o, m and l follow the new maximum. */
static void soften(
	const ds_heads *h, float *s, int64_t lo, int64_t hi, float *m, float *l, float *o)
{
	const ds_simd *v = ds_simd_now();
	lo = lo < 0 ? 0 : lo;
	hi = hi > BLOCK ? BLOCK : hi;
	if (lo >= hi) {
		memset(s, 0, BLOCK * sizeof(float));
		return;
	}
	float top = v->max(s + lo, hi - lo) * h->a->scale;
	if (top > *m) {
		float by = expf(*m - top);
		v->scale(o, o, by, h->d);
		*l *= by;
		*m = top;
	}
	*l += v->exp_sum(s + lo, h->a->scale, *m, hi - lo);
	memset(s, 0, (size_t)lo * sizeof(float));
	memset(s + hi, 0, (size_t)(BLOCK - hi) * sizeof(float));
}

typedef struct { /* a block of queries on its way */
	int64_t b, head, t, n;
	float m[BLOCK], l[BLOCK];
	int64_t lo[BLOCK], hi[BLOCK];
} queries;

static void drop(const ds_job *j, float *p, int64_t row, int64_t head, int64_t kb)
{
	float keep[BLOCK];
	keep_of(j, keep, row, head, kb);
	ds_simd_now()->multiply(p, p, keep, BLOCK);
}

static void attend_block(const ds_job *j, const ds_heads *h, queries *q, int64_t kb, float *s)
{
	int64_t row = q->b * h->a->seq + q->t, key = cache_at(h, q->b) + kb * BLOCK;
	int64_t keys = min_i64(BLOCK, h->a->kv_seq - kb * BLOCK), kv_head = q->head / h->group;
	ds_attention_block scores = { s, BLOCK, 1 },
			   kt = { transposed(j, q->b, kv_head, kb), BLOCK, 1 };
	ds_attention_block o = head_of(&j->out[0], row, q->head, h->d);
	multiply(scores, head_of(&j->in[0], row, q->head, h->d), kt,
		(ds_extent){ q->n, BLOCK, h->d }, false);
	for (int64_t i = 0; i < q->n; i++)
		soften(h, s + i * BLOCK, q->lo[i] - kb * BLOCK, q->hi[i] - kb * BLOCK, &q->m[i],
			&q->l[i], o.at + i * o.row);
	for (int64_t i = 0; i < q->n && h->a->drop.p > 0; i++)
		drop(j, s + i * BLOCK, row + i, q->head, kb);
	multiply(o, scores, head_of(&j->in[2], key, kv_head, h->d), (ds_extent){ q->n, h->d, keys },
		true);
}

static void attend(const ds_job *j, const ds_heads *h, int64_t tile, float *s)
{
	int64_t blocks = ceil_div(h->a->seq, BLOCK), lo, hi;
	queries q = { .b = tile / blocks / h->a->heads,
		.head = tile / blocks % h->a->heads,
		.t = tile % blocks * BLOCK };
	q.n = min_i64(BLOCK, h->a->seq - q.t);
	int64_t row = q.b * h->a->seq + q.t;
	for (int64_t i = 0; i < q.n; i++) {
		q.m[i] = -FLT_MAX;
		q.l[i] = 0;
		keys_of(h, q.b, q.t + i, &q.lo[i], &q.hi[i]);
		memset(row_of(&j->out[0], row + i) + q.head * h->d, 0,
			(size_t)h->d * sizeof(float));
	}
	keys_of_block(h, q.b, q.t, q.n, &lo, &hi);
	for (int64_t kb = lo / BLOCK; kb * BLOCK < hi; kb++)
		attend_block(j, h, &q, kb, s);
	for (int64_t i = 0; i < q.n; i++) {
		float *o = row_of(&j->out[0], row + i) + q.head * h->d;
		bool any = q.l[i] > 0;
		if (any)
			ds_simd_now()->scale(o, o, 1 / q.l[i], h->d);
		row_of(&j->out[1], row + i)[q.head] = any ? q.m[i] + logf(q.l[i]) : 0;
	}
}

/* All queries of one head, a key at a time. */
static void attend_short(const ds_job *j, const ds_heads *h, int64_t tile, float *s)
{
	const ds_simd *v = ds_simd_now();
	int64_t b = tile / h->a->heads, head = tile % h->a->heads, col = head / h->group * h->d;
	for (int64_t t = 0; t < h->a->seq; t++) {
		int64_t row = b * h->a->seq + t, lo, hi, kv = cache_at(h, b);
		const float *q = row_of(&j->in[0], row) + head * h->d;
		float *o = row_of(&j->out[0], row) + head * h->d, sum = 0, top = 0;
		keys_of(h, b, t, &lo, &hi);
		memset(o, 0, (size_t)h->d * sizeof(float));
		for (int64_t k = lo; k < hi; k++)
			s[k] = v->dot(q, row_of(&j->in[1], kv + k) + col, h->d);
		if (lo < hi) {
			top = v->max(s + lo, hi - lo) * h->a->scale;
			sum = v->exp_sum(s + lo, h->a->scale, top, hi - lo);
		}
		for (int64_t kb = lo / BLOCK; kb * BLOCK < hi && h->a->drop.p > 0; kb++)
			drop(j, s + kb * BLOCK, row, head, kb);
		for (int64_t k = lo; k < hi; k++)
			v->add_scaled(o, row_of(&j->in[2], kv + k) + col, s[k] / sum, h->d);
		row_of(&j->out[1], row)[head] = sum > 0 ? top + logf(sum) : 0;
	}
}

static void attention(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	ds_heads h = heads_of(j, 3, 5);
	if (is_short(j))
		attend_short(j, &h, tile, ds_job_worker(j, worker));
	else if (is_bf16(j) && stage == 0)
		ds_attend_bf16_keys(j, tile);
	else if (is_bf16(j))
		ds_attend_bf16(j, tile, worker);
	else if (stage == 0)
		transpose_keys(j, &h, tile);
	else
		attend(j, &h, tile, ds_job_worker(j, worker));
}

const ds_kernel ds_cpu_attention = { .stages = stages,
	.tiles = tiles,
	.shared_bytes = shared_bytes,
	.worker_bytes = worker_bytes,
	.tile = attention };
