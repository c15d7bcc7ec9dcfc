/*
 * attention_avx512bf16.c - attention and its gradient with products of bf16 operands
 *
 * The blocks of attention.c and attention_grad.c; q, k, v, probabilities and the gradients of scores
 * are rounded to bf16, sums, maxima and exp stay f32. What is the right side of a product is laid out
 * in pairs once: keys and values by key head in stage 0, queries and their gradients at the start of
 * a tile backward. Probabilities go two rows at a time, so that they come out as pairs for p^T do.
 * Bound by the products at small heads' rate of a half of the peak, then by exp.
 */
#include "graph/cpu/attention_impl.h"
#include "graph/cpu/bf16_impl.h"

#include <float.h>
#include <math.h>

enum { PAIRS = BLOCK / 2 };

typedef struct {                  /* extents of a head, padded */
	int64_t pairs;            /* along d */
	int64_t cols;             /* d up to whole vectors */
	int64_t transposed, rows; /* words of a block as right side of q k^T; of p v, or as rows */
} sizes;

static sizes sizes_of(int64_t d)
{
	sizes z = { ceil_div(d, 2), ceil_div(d, 16) * 16, 0, 0 };
	z.transposed = z.pairs * BLOCK;
	z.rows = PAIRS * z.cols;
	return z;
}

/* ---- layouts ---- */

/* Pairs along d of n <= 64 rows of f32: [pairs][64], zeros behind row n. */
static void put_transposed(uint32_t *to, const ds_attention_block *from, int64_t n, int64_t d)
{
	for (int64_t c = 0; c < BLOCK; c += 16)
		for (int64_t k = 0; k < d; k += 32) {
			__m512i v[16];
			for (int i = 0; i < 16; i++) {
				const float *p = from->at + (c + i) * from->row + k;
				__mmask16 low = c + i < n ? first(d - k) : 0;
				__mmask16 high = c + i < n ? first(d - k - 16) : 0;
				v[i] = (__m512i)_mm512_cvtne2ps_pbh(
					_mm512_maskz_loadu_ps(high, p + 16),
					_mm512_maskz_loadu_ps(low, p));
			}
			transpose16(v);
			for (int64_t p = 0; 2 * p < min_i64(d - k, 32); p++)
				_mm512_storeu_si512(to + (k / 2 + p) * BLOCK + c, v[p]);
		}
}

/* Pairs of neighbouring rows: [(n + 1) / 2][cols]. */
static void put_pairs(uint32_t *to, const ds_attention_block *from, int64_t n, int64_t d)
{
	int64_t cols = ceil_div(d, 16) * 16;
	for (int64_t i = 0; i < n; i += 2)
		for (int64_t c = 0; c < d; c += 16) {
			const float *p = from->at + i * from->row + c;
			__mmask16 m = first(d - c);
			_mm512_storeu_si512(to + i / 2 * cols + c,
				zip(true, (const char *)p, (const char *)(p + from->row), m,
					i + 1 < n ? m : 0));
		}
}

/* Rows as they are: [n][pairs], of two numbers each. */
static void put_rows(uint32_t *to, const ds_attention_block *from, int64_t n, int64_t d)
{
	int64_t pairs = ceil_div(d, 2);
	for (int64_t i = 0; i < n; i++)
		for (int64_t c = 0; c < d; c += 16) {
			__m512 v =
				_mm512_maskz_loadu_ps(first(d - c), from->at + i * from->row + c);
			_mm256_mask_storeu_epi32(to + i * pairs + c / 2,
				(__mmask8)first(min_i64(pairs - c / 2, 8)),
				(__m256i)_mm512_cvtneps_pbh(v));
		}
}

typedef struct { /* the left side of a product: bytes from a row, from a pair to the next */
	const void *at;
	int64_t row, pair;
} left;

/* c[m, n] = a b, or added to c; b is pairs of rows of `step` words. */
static void multiply_pairs(
	ds_attention_block c, left a, const uint32_t *b, int64_t step, ds_extent x, bool add)
{
	for (int64_t j = 0; j < x.n; j += 32)
		for (int64_t i = 0; i < x.m; i += MR) {
			block k = { .a = (const char *)a.at + i * a.row,
				.row = a.row,
				.pair = a.pair,
				.b = b + j,
				.step = step,
				.pairs = (x.k + 1) / 2,
				.ldc = c.row,
				.c = c.at + i * c.row + j,
				.m = min_i64(MR, x.m - i),
				.n = min_i64(32, x.n - j),
				.add = add };
			if (k.n > 16)
				sum_block(&k, 2);
			else
				sum_block(&k, 1);
		}
}

/* e^x; the polynomial of simd_body.inc */
INLINE __m512 exp16(__m512 x)
{
	x = _mm512_max_ps(x, _mm512_set1_ps(-87.3f));
	__m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0);
	__m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
	r = _mm512_fmadd_ps(n, _mm512_set1_ps(2.12194440e-4f), r);
	__m512 p = _mm512_fmadd_ps(
		r, _mm512_set1_ps(1.9875691500e-4f), _mm512_set1_ps(1.3981999507e-3f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
	p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), _mm512_add_ps(r, _mm512_set1_ps(1)));
	return _mm512_scalef_ps(p, n);
}

/* Lanes 16 j … of a block of keys that lie in [lo, hi). */
INLINE __mmask16 seen(int64_t lo, int64_t hi, int j)
{
	return (__mmask16)(first(hi - 16 * j) & ~first(lo - 16 * j));
}

/* ---- forward ---- */

typedef struct {
	const ds_job *j;
	ds_heads h;
	sizes z;
} forward;

static int64_t words_of_keys(const sizes *z)
{
	return z->transposed + z->rows;
}

static int64_t blocks_of(int64_t rows)
{
	return ceil_div(rows, BLOCK);
}

size_t ds_attend_bf16_shared(const ds_job *j)
{
	const ds_attention_attr *a = &j->node->attr.attention;
	sizes z = sizes_of(a->head_dim);
	int64_t heads = j->in[0].rows / a->seq * a->kv_heads;
	return (size_t)(heads * blocks_of(a->kv_seq) * words_of_keys(&z)) * sizeof(uint32_t);
}

size_t ds_attend_bf16_worker(const ds_job *j)
{
	sizes z = sizes_of(j->node->attr.attention.head_dim);
	int64_t floats = BLOCK * (BLOCK + z.cols), words = BLOCK * (PAIRS + z.pairs);
	return (size_t)(floats + words) * sizeof(float);
}

/* Keys, and behind them values, of a block. */
static uint32_t *keys_at(const ds_job *j, const sizes *z, int64_t b, int64_t h, int64_t kb)
{
	const ds_attention_attr *a = &j->node->attr.attention;
	int64_t k = (b * a->kv_heads + h) * blocks_of(a->kv_seq) + kb;
	return (uint32_t *)j->shared + k * words_of_keys(z);
}

void ds_attend_bf16_keys(const ds_job *j, int64_t tile)
{
	ds_heads h = heads_of(j, 3, 5);
	sizes z = sizes_of(h.d);
	int64_t b = tile / h.a->kv_heads, head = tile % h.a->kv_heads, kv = h.a->kv_seq;
	for (int64_t kb = 0; kb < blocks_of(kv); kb++) {
		int64_t n = min_i64(BLOCK, kv - kb * BLOCK), row = cache_at(&h, b) + kb * BLOCK;
		ds_attention_block k = head_of(&j->in[1], row, head, h.d);
		ds_attention_block v = head_of(&j->in[2], row, head, h.d);
		uint32_t *to = keys_at(j, &z, b, head, kb);
		put_transposed(to, &k, n, h.d);
		put_pairs(to + z.transposed, &v, n, h.d);
	}
}

typedef struct { /* a block of queries on its way */
	int64_t b, head, t, n;
	float *s, *o;    /* [64][64] scores, [64][cols] */
	uint32_t *p, *q; /* [64][32], [64][pairs] */
	float m[BLOCK], l[BLOCK];
	int64_t lo[BLOCK], hi[BLOCK];
} queries;

/* A row of scores: probabilities up to a factor, rounded; o, m and l follow the new maximum. */
static void soften(const forward *f, queries *q, int64_t i, int64_t kb)
{
	int64_t lo = q->lo[i] - kb * BLOCK, hi = q->hi[i] - kb * BLOCK;
	__m512 s[4], top = _mm512_set1_ps(-FLT_MAX), sum = _mm512_setzero_ps();
	float keep[BLOCK];
	UNROLL for (int j = 0; j < 4; j++)
	{
		s[j] = _mm512_mul_ps(
			_mm512_loadu_ps(q->s + i * BLOCK + 16 * j), _mm512_set1_ps(f->h.a->scale));
		top = _mm512_mask_max_ps(top, seen(lo, hi, j), top, s[j]);
	}
	float largest = _mm512_reduce_max_ps(top);
	if (largest > q->m[i]) {
		float by = expf(q->m[i] - largest);
		ds_simd_now()->scale(q->o + i * f->z.cols, q->o + i * f->z.cols, by, f->z.cols);
		q->l[i] *= by;
		q->m[i] = largest;
	}
	if (f->h.a->drop.p > 0)
		keep_of(f->j, keep, q->b * f->h.a->seq + q->t + i, q->head, kb);
	UNROLL for (int j = 0; j < 4; j++)
	{
		__m512 e = exp16(_mm512_sub_ps(s[j], _mm512_set1_ps(q->m[i])));
		e = _mm512_maskz_mov_ps(seen(lo, hi, j), e);
		sum = _mm512_add_ps(sum, e);
		if (f->h.a->drop.p > 0)
			e = _mm512_mul_ps(e, _mm512_loadu_ps(keep + 16 * j));
		_mm256_storeu_si256(
			(__m256i *)(q->p + i * PAIRS + 8 * j), (__m256i)_mm512_cvtneps_pbh(e));
	}
	q->l[i] += _mm512_reduce_add_ps(sum);
}

static void attend_block(const forward *f, queries *q, int64_t kb)
{
	int64_t keys = min_i64(BLOCK, f->h.a->kv_seq - kb * BLOCK), d = f->h.d;
	const uint32_t *k = keys_at(f->j, &f->z, q->b, q->head / f->h.group, kb);
	multiply_pairs((ds_attention_block){ q->s, BLOCK, 1 }, (left){ q->q, 4 * f->z.pairs, 4 }, k,
		BLOCK, (ds_extent){ q->n, BLOCK, d }, false);
	for (int64_t i = 0; i < q->n; i++)
		soften(f, q, i, kb);
	multiply_pairs((ds_attention_block){ q->o, f->z.cols, 1 }, (left){ q->p, 4 * PAIRS, 4 },
		k + f->z.transposed, f->z.cols, (ds_extent){ q->n, d, keys }, true);
}

void ds_attend_bf16(const ds_job *j, int64_t tile, unsigned worker)
{
	forward f = { j, heads_of(j, 3, 5), sizes_of(j->node->attr.attention.head_dim) };
	int64_t blocks = blocks_of(f.h.a->seq), lo, hi, d = f.h.d;
	float *workspace = ds_job_worker(j, worker);
	queries q = { .b = tile / blocks / f.h.a->heads,
		.head = tile / blocks % f.h.a->heads,
		.t = tile % blocks * BLOCK,
		.s = workspace,
		.o = workspace + BLOCK * BLOCK };
	q.p = (uint32_t *)(q.o + BLOCK * f.z.cols);
	q.q = q.p + BLOCK * PAIRS;
	q.n = min_i64(BLOCK, f.h.a->seq - q.t);
	int64_t row = q.b * f.h.a->seq + q.t;
	ds_attention_block from = head_of(&j->in[0], row, q.head, d);
	put_rows(q.q, &from, q.n, d);
	memset(q.o, 0, (size_t)(BLOCK * f.z.cols) * sizeof(float));
	for (int64_t i = 0; i < q.n; i++) {
		q.m[i] = -FLT_MAX;
		q.l[i] = 0;
		keys_of(&f.h, q.b, q.t + i, &q.lo[i], &q.hi[i]);
	}
	keys_of_block(&f.h, q.b, q.t, q.n, &lo, &hi);
	for (int64_t kb = lo / BLOCK; kb * BLOCK < hi; kb++)
		attend_block(&f, &q, kb);
	for (int64_t i = 0; i < q.n; i++) {
		bool any = q.l[i] > 0;
		ds_simd_now()->scale(row_of(&j->out[0], row + i) + q.head * d, q.o + i * f.z.cols,
			any ? 1 / q.l[i] : 0, d);
		row_of(&j->out[1], row + i)[q.head] = any ? q.m[i] + logf(q.l[i]) : 0;
	}
}

/* ---- backward ---- */

typedef struct {
	const ds_job *j;
	ds_heads h;
	sizes z;
	int64_t b, kv_head, kb, keys; /* the block of keys */
	uint32_t *kt, *vt, *k;        /* its keys and values transposed, its keys in pairs */
	float *s, *dp;                /* [64][64] */
	uint32_t *p, *ds_pairs, *ds;  /* [32][64] pairs of rows, twice; [64][32] rows */
	float *all;                   /* [group][seq]: sum(do o) */
	uint32_t *q;                  /* by head of the group and block: see of_queries */
} backward;

static int64_t words_of_queries(const sizes *z) /* q and do, each as rows and in pairs */
{
	return 2 * (BLOCK * z->pairs + z->rows);
}

size_t ds_attend_grad_bf16_worker(const ds_job *j)
{
	const ds_attention_attr *a = &j->node->attr.attention;
	sizes z = sizes_of(a->head_dim);
	int64_t group = a->heads / a->kv_heads;
	int64_t words = 2 * z.transposed + z.rows + 2 * BLOCK * BLOCK + 3 * BLOCK * PAIRS + BLOCK;
	words += group * blocks_of(a->seq) * (BLOCK + words_of_queries(&z));
	return (size_t)words * sizeof(uint32_t);
}

static void lay_out(backward *w, uint32_t *workspace)
{
	w->kt = workspace;
	w->vt = w->kt + w->z.transposed;
	w->k = w->vt + w->z.transposed;
	w->s = (float *)(w->k + w->z.rows);
	w->dp = w->s + BLOCK * BLOCK;
	w->p = (uint32_t *)(w->dp + BLOCK * BLOCK);
	w->ds_pairs = w->p + BLOCK * PAIRS;
	w->ds = w->ds_pairs + BLOCK * PAIRS;
	w->all = (float *)(w->ds + BLOCK * PAIRS);
	w->q = (uint32_t *)(w->all + w->h.group * blocks_of(w->h.a->seq) * BLOCK);
}

typedef struct {
	uint32_t *q, *q_pairs, *go, *go_pairs;
} laid;

static laid of_queries(const backward *w, int64_t head, int64_t t)
{
	int64_t at = head % w->h.group * blocks_of(w->h.a->seq) + t / BLOCK;
	uint32_t *q = w->q + at * words_of_queries(&w->z), *go = q + BLOCK * w->z.pairs + w->z.rows;
	return (laid){ q, q + BLOCK * w->z.pairs, go, go + BLOCK * w->z.pairs };
}

static void lay_queries(const backward *w, int64_t head, int64_t t, int64_t n)
{
	const ds_job *j = w->j;
	int64_t row = w->b * w->h.a->seq + t, d = w->h.d;
	laid l = of_queries(w, head, t);
	ds_attention_block q = head_of(&j->in[0], row, head, d),
			   go = head_of(&j->in[5], row, head, d);
	put_rows(l.q, &q, n, d);
	put_pairs(l.q_pairs, &q, n, d);
	put_rows(l.go, &go, n, d);
	put_pairs(l.go_pairs, &go, n, d);
	for (int64_t i = 0; i < n; i++)
		w->all[head % w->h.group * w->h.a->seq + t + i] = ds_simd_now()->dot(
			go.at + i * go.row, head_of(&j->in[3], row + i, head, d).at, d);
}

typedef struct { /* a row of scores on its way to its gradient */
	const float *s, *dp;
	int64_t lo, hi;
	float lse, sum;
	float keep[BLOCK];
} row_state;

static void see_row(const backward *w, row_state *r, int64_t head, int64_t t, int64_t i)
{
	int64_t row = w->b * w->h.a->seq + t + i;
	keys_of(&w->h, w->b, t + i, &r->lo, &r->hi);
	r->lo -= w->kb * BLOCK;
	r->hi -= w->kb * BLOCK;
	r->s = w->s + i * BLOCK;
	r->dp = w->dp + i * BLOCK;
	r->lse = row_of(&w->j->in[4], row)[head];
	r->sum = w->all[head % w->h.group * w->h.a->seq + t + i];
	if (w->h.a->drop.p > 0)
		keep_of(w->j, r->keep, row, head, w->kb);
}

/* Lanes 16 j … of a row: what dv takes, and the scores' gradient. */
INLINE void row_grad(const backward *w, const row_state *r, int j, __m512 *p, __m512 *ds)
{
	__m512 scale = _mm512_set1_ps(w->h.a->scale), dp = _mm512_loadu_ps(r->dp + 16 * j);
	__m512 e = exp16(
		_mm512_fmsub_ps(_mm512_loadu_ps(r->s + 16 * j), scale, _mm512_set1_ps(r->lse)));
	e = _mm512_maskz_mov_ps(seen(r->lo, r->hi, j), e);
	*p = e;
	if (w->h.a->drop.p > 0) {
		__m512 keep = _mm512_loadu_ps(r->keep + 16 * j);
		*p = _mm512_mul_ps(e, keep);
		dp = _mm512_mul_ps(dp, keep);
	}
	*ds = _mm512_mul_ps(_mm512_mul_ps(e, _mm512_sub_ps(dp, _mm512_set1_ps(r->sum))), scale);
}

static void grad_rows(const backward *w, int64_t head, int64_t t, int64_t n)
{
	const __m512i interleave = interleave_rows();
	for (int64_t i = 0; i < n; i += 2) {
		row_state a, b;
		bool both = i + 1 < n;
		see_row(w, &a, head, t, i);
		if (both)
			see_row(w, &b, head, t, i + 1);
		UNROLL for (int j = 0; j < 4; j++)
		{
			__m512 p0, d0, p1 = _mm512_setzero_ps(), d1 = p1;
			row_grad(w, &a, j, &p0, &d0);
			if (both)
				row_grad(w, &b, j, &p1, &d1);
			__m512i p = (__m512i)_mm512_cvtne2ps_pbh(p1, p0);
			__m512i d = (__m512i)_mm512_cvtne2ps_pbh(d1, d0);
			int64_t at = i / 2 * BLOCK + 16 * j;
			_mm512_storeu_si512(w->p + at, _mm512_permutexvar_epi16(interleave, p));
			_mm512_storeu_si512(
				w->ds_pairs + at, _mm512_permutexvar_epi16(interleave, d));
			uint32_t *ds = w->ds + i * PAIRS + 8 * j;
			_mm256_storeu_si256((__m256i *)ds, _mm512_castsi512_si256(d));
			_mm256_storeu_si256(
				(__m256i *)(ds + PAIRS), _mm512_extracti64x4_epi64(d, 1));
		}
	}
}

/* The block of keys at hand against queries [t, t + n) of a head. */
static void grad_block(const backward *w, int64_t head, int64_t t, int64_t n)
{
	const ds_job *j = w->j;
	int64_t d = w->h.d, row = w->b * w->h.a->seq + t;
	int64_t kv = w->b * w->h.a->kv_seq + w->kb * BLOCK;
	laid l = of_queries(w, head, t);
	ds_extent scores = { n, BLOCK, d }, by_key = { w->keys, d, n };
	multiply_pairs((ds_attention_block){ w->s, BLOCK, 1 }, (left){ l.q, 4 * w->z.pairs, 4 },
		w->kt, BLOCK, scores, false);
	multiply_pairs((ds_attention_block){ w->dp, BLOCK, 1 }, (left){ l.go, 4 * w->z.pairs, 4 },
		w->vt, BLOCK, scores, false);
	grad_rows(w, head, t, n);
	multiply_pairs(head_of(&j->out[2], kv, w->kv_head, d), (left){ w->p, 4, 4 * BLOCK },
		l.go_pairs, w->z.cols, by_key, true);
	multiply_pairs(head_of(&j->out[1], kv, w->kv_head, d), (left){ w->ds_pairs, 4, 4 * BLOCK },
		l.q_pairs, w->z.cols, by_key, true);
	multiply_pairs(head_of(&j->out[0], row, head, d), (left){ w->ds, 4 * PAIRS, 4 }, w->k,
		w->z.cols, (ds_extent){ n, d, w->keys }, true);
}

static void lay_keys(backward *w)
{
	int64_t key = w->b * w->h.a->kv_seq + w->kb * BLOCK, d = w->h.d;
	ds_attention_block k = head_of(&w->j->in[1], key, w->kv_head, d);
	ds_attention_block v = head_of(&w->j->in[2], key, w->kv_head, d);
	w->keys = min_i64(BLOCK, w->h.a->kv_seq - w->kb * BLOCK);
	put_transposed(w->kt, &k, w->keys, d);
	put_transposed(w->vt, &v, w->keys, d);
	put_pairs(w->k, &k, w->keys, d);
}

static void zero(ds_attention_block b, int64_t n, int64_t d)
{
	for (int64_t i = 0; i < n; i++)
		memset(b.at + i * b.row, 0, (size_t)d * sizeof(float));
}

void ds_attend_grad_bf16(const ds_job *j, int64_t tile, unsigned worker)
{
	backward w = { .j = j, .h = heads_of(j, 6, 0) };
	int64_t kv = w.h.a->kv_seq, seq = w.h.a->seq, d = w.h.d, group = w.h.group;
	w.z = sizes_of(d);
	w.b = tile / w.h.a->kv_heads;
	w.kv_head = tile % w.h.a->kv_heads;
	lay_out(&w, ds_job_worker(j, worker));
	zero(head_of(&j->out[1], w.b * kv, w.kv_head, d), kv, d);
	zero(head_of(&j->out[2], w.b * kv, w.kv_head, d), kv, d);
	for (int64_t head = w.kv_head * group; head < (w.kv_head + 1) * group; head++) {
		zero(head_of(&j->out[0], w.b * seq, head, d), seq, d);
		for (int64_t t = 0; t < seq; t += BLOCK)
			lay_queries(&w, head, t, min_i64(BLOCK, seq - t));
	}
	for (w.kb = 0; w.kb * BLOCK < kv; w.kb++) {
		lay_keys(&w);
		for (int64_t t = 0; t < seq; t += BLOCK) {
			int64_t n = min_i64(BLOCK, seq - t), lo, hi;
			keys_of_block(&w.h, w.b, t, n, &lo, &hi);
			if (lo >= (w.kb + 1) * BLOCK || hi <= w.kb * BLOCK)
				continue;
			for (int64_t k = 0; k < group; k++)
				grad_block(&w, w.kv_head * group + k, t, n);
		}
	}
}
