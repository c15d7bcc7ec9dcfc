/*
 * attention_grad.c - the gradient of attention, by the same blocks
 *
 * A tile is one key head of one sequence with all query heads that read it: it alone adds to its dk,
 * dv and dq, in one order. For a block of keys and a block of queries
 *   p = exp(scale q k^T - lse)   dv += p^T do   dp = do v^T
 *   ds = p (dp - sum(do o)) scale   dq += ds k   dk += ds^T q
 * Bound by these five products. Keys and values of a block are transposed once for all its queries.
 */
#include "graph/cpu/attention_impl.h"

#include <string.h>

static int64_t tiles(const ds_job *j, int64_t stage)
{
	const ds_attention_attr *a = &j->node->attr.attention;
	return j->in[0].rows / a->seq * a->kv_heads;
}

typedef struct {               /* a worker's scratch */
	float *p, *dp;         /* [BLOCK, BLOCK] */
	float *keep, *dropped; /* the same, with dropout: factors, and p times them */
	float *kt, *vt;        /* [D, BLOCK] */
	float *all;            /* [group, seq]: sum(do o) of every row */
} workspace;

enum { SQUARE = BLOCK * BLOCK };

static size_t worker_bytes(const ds_job *j)
{
	const ds_attention_attr *a = &j->node->attr.attention;
	if (is_bf16(j))
		return ds_attend_grad_bf16_worker(j);
	int64_t n = 4 * SQUARE + 2 * BLOCK * a->head_dim + a->heads / a->kv_heads * a->seq;
	return (size_t)n * sizeof(float);
}

static workspace workspace_of(const ds_job *j, unsigned worker)
{
	float *p = ds_job_worker(j, worker), *kt = p + 4 * SQUARE;
	int64_t d = j->node->attr.attention.head_dim;
	return (workspace){ p, p + SQUARE, p + 2 * SQUARE, p + 3 * SQUARE, kt, kt + BLOCK * d,
		kt + 2 * BLOCK * d };
}

typedef struct {
	const ds_job *j;
	ds_heads h;
	workspace r;
	int64_t b, kv_head, kb, keys; /* the block of keys */
} state;

/* Probabilities of a row from its scores; nothing outside of [lo, hi). */
static void probabilities(const state *s, float *p, int64_t t, float lse)
{
	int64_t lo, hi;
	keys_of(&s->h, s->b, t, &lo, &hi);
	lo = lo - s->kb * BLOCK < 0 ? 0 : lo - s->kb * BLOCK;
	hi = min_i64(hi - s->kb * BLOCK, BLOCK);
	if (lo >= hi) {
		memset(p, 0, BLOCK * sizeof(float));
		return;
	}
	ds_simd_now()->exp_sum(p + lo, s->h.a->scale, lse, hi - lo);
	memset(p, 0, (size_t)lo * sizeof(float));
	memset(p + hi, 0, (size_t)(BLOCK - hi) * sizeof(float));
}

/* Dropout's factors for the block, and the probabilities times them. */
static void drop(const state *s, int64_t row, int64_t head, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		keep_of(s->j, s->r.keep + i * BLOCK, row + i, head, s->kb);
	ds_simd_now()->multiply(s->r.dropped, s->r.p, s->r.keep, n * BLOCK);
}

/* The block of keys at hand against queries [t, t + n) of a head. */
static void block(const state *s, int64_t head, int64_t t, int64_t n)
{
	const ds_job *j = s->j;
	const ds_simd *v = ds_simd_now();
	bool drops = s->h.a->drop.p > 0;
	int64_t d = s->h.d, row = s->b * s->h.a->seq + t,
		kv = s->b * s->h.a->kv_seq + s->kb * BLOCK;
	const float *sum = s->r.all + head % s->h.group * s->h.a->seq + t;
	ds_attention_block q = head_of(&j->in[0], row, head, d),
			   go = head_of(&j->in[5], row, head, d);
	ds_attention_block p = { s->r.p, BLOCK, 1 }, dp = { s->r.dp, BLOCK, 1 };
	ds_attention_block dropped = { drops ? s->r.dropped : s->r.p, BLOCK, 1 };
	ds_extent scores = { n, BLOCK, d }, by_key = { s->keys, d, n };
	multiply(p, q, (ds_attention_block){ s->r.kt, BLOCK, 1 }, scores, false);
	for (int64_t i = 0; i < n; i++)
		probabilities(s, p.at + i * BLOCK, t + i, row_of(&j->in[4], row + i)[head]);
	if (drops)
		drop(s, row, head, n);
	multiply(head_of(&j->out[2], kv, s->kv_head, d), transpose(dropped), go, by_key, true);
	multiply(dp, go, (ds_attention_block){ s->r.vt, BLOCK, 1 }, scores, false);
	if (drops)
		v->multiply(dp.at, dp.at, s->r.keep, n * BLOCK);
	for (int64_t i = 0; i < n; i++)
		v->score_grad(dp.at + i * BLOCK, p.at + i * BLOCK, sum[i], s->h.a->scale, BLOCK);
	multiply(head_of(&j->out[0], row, head, d), dp, head_of(&j->in[1], kv, s->kv_head, d),
		(ds_extent){ n, d, s->keys }, true);
	multiply(head_of(&j->out[1], kv, s->kv_head, d), transpose(dp), q, by_key, true);
}

/* Gradients begin at nothing; sums of do o by row. */
static void begin(const state *s)
{
	const ds_job *j = s->j;
	int64_t d = s->h.d, seq = s->h.a->seq, kv = s->h.a->kv_seq;
	size_t bytes = (size_t)d * sizeof(float);
	for (int64_t i = 0; i < kv; i++) {
		memset(head_of(&j->out[1], s->b * kv + i, s->kv_head, d).at, 0, bytes);
		memset(head_of(&j->out[2], s->b * kv + i, s->kv_head, d).at, 0, bytes);
	}
	for (int64_t k = 0; k < s->h.group; k++)
		for (int64_t t = 0; t < seq; t++) {
			int64_t head = s->kv_head * s->h.group + k, row = s->b * seq + t;
			memset(head_of(&j->out[0], row, head, d).at, 0, bytes);
			s->r.all[k * seq + t] =
				ds_simd_now()->dot(head_of(&j->in[5], row, head, d).at,
					head_of(&j->in[3], row, head, d).at, d);
		}
}

static void attention_grad(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	if (is_bf16(j)) {
		ds_attend_grad_bf16(j, tile, worker);
		return;
	}
	const ds_simd *v = ds_simd_now();
	state s = { .j = j, .h = heads_of(j, 6, 0), .r = workspace_of(j, worker) };
	int64_t kv_heads = s.h.a->kv_heads, kv = s.h.a->kv_seq, seq = s.h.a->seq, d = s.h.d;
	s.b = tile / kv_heads;
	s.kv_head = tile % kv_heads;
	begin(&s);
	for (s.kb = 0; s.kb * BLOCK < kv; s.kb++) {
		int64_t key = s.b * kv + s.kb * BLOCK;
		s.keys = min_i64(BLOCK, kv - s.kb * BLOCK);
		v->transpose(s.r.kt, BLOCK, head_of(&j->in[1], key, s.kv_head, d).at, j->in[1].ld,
			s.keys, d);
		v->transpose(s.r.vt, BLOCK, head_of(&j->in[2], key, s.kv_head, d).at, j->in[2].ld,
			s.keys, d);
		for (int64_t t = 0; t < seq; t += BLOCK) {
			int64_t n = min_i64(BLOCK, seq - t), lo, hi;
			keys_of_block(&s.h, s.b, t, n, &lo, &hi);
			if (lo >= (s.kb + 1) * BLOCK || hi <= s.kb * BLOCK)
				continue;
			for (int64_t k = 0; k < s.h.group; k++)
				block(&s, s.kv_head * s.h.group + k, t, n);
		}
	}
}

const ds_kernel ds_cpu_attention_grad = {
	.tiles = tiles, .worker_bytes = worker_bytes, .tile = attention_grad
};
