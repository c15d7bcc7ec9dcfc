/*
 * attention_impl.h - what the two files of attention share: blocks, and which keys a row sees
 */
#ifndef DS_GRAPH_CPU_ATTENTION_IMPL_H
#define DS_GRAPH_CPU_ATTENTION_IMPL_H

#include "base/cpu.h"
#include "graph/cpu/cpu_impl.h"

enum {
	BLOCK = 64
}; /* queries and keys of a block: its scores take 16 KiB of the first-level cache */

typedef struct {
	const ds_attention_attr *a;
	int64_t batch, group, d;
	const int32_t *first, *last, *past, *slots;
} ds_heads;

static inline ds_heads heads_of(const ds_job *j, int first, int past)
{
	const ds_attention_attr *a = &j->node->attr.attention;
	return (ds_heads){ a, j->in[0].rows / a->seq, a->heads / a->kv_heads, a->head_dim,
		j->in[first].data, j->in[first + 1].data, past ? j->in[past].data : NULL,
		past ? j->in[past + 1].data : NULL };
}

/* The first row of keys and values of sequence b. */
static inline int64_t cache_at(const ds_heads *h, int64_t b)
{
	return (h->slots ? h->slots[b] : b) * h->a->kv_seq;
}

/* The keys [lo, hi) that query t of sequence b sees; none where lo >= hi. */
static inline void keys_of(const ds_heads *h, int64_t b, int64_t t, int64_t *lo, int64_t *hi)
{
	int64_t row = b * h->a->seq + t, at = t + (h->past ? h->past[b] : 0);
	*lo = h->first ? h->first[row] : 0;
	*hi = h->last ? h->last[row] : h->a->kv_seq;
	if (h->a->window > 0 && *lo < at - h->a->window + 1)
		*lo = at - h->a->window + 1;
	if (h->a->causal && *hi > at + 1)
		*hi = at + 1;
	*lo = *lo < 0 ? 0 : *lo;
	*hi = *hi > h->a->kv_seq ? h->a->kv_seq : *hi;
}

/* The keys that any of the queries [t, t + n) sees. */
static inline void keys_of_block(
	const ds_heads *h, int64_t b, int64_t t, int64_t n, int64_t *lo, int64_t *hi)
{
	*lo = h->a->kv_seq;
	*hi = 0;
	for (int64_t i = t; i < t + n; i++) {
		int64_t l, u;
		keys_of(h, b, i, &l, &u);
		if (l >= u)
			continue;
		*lo = l < *lo ? l : *lo;
		*hi = u > *hi ? u : *hi;
	}
}

typedef struct { /* a matrix: its element (i, k) is at[i * row + k * col] */
	float *at;
	int64_t row, col;
} ds_attention_block;

typedef struct {
	int64_t m, n, k;
} ds_extent;

/* c[m, n] = a b, or added to c; c's and b's columns lie side by side. */
static inline void multiply(
	ds_attention_block c, ds_attention_block a, ds_attention_block b, ds_extent x, bool add)
{
	ds_simd_gemm g = { x.m, x.n, x.k, a.at, a.row, a.col, b.at, b.row, c.at, c.row, add };
	ds_simd_now()->gemm(&g);
}

/* The rows of a head from `row` on. */
static inline ds_attention_block head_of(const ds_operand *a, int64_t row, int64_t head, int64_t d)
{
	return (ds_attention_block){ row_of(a, row) + head * d, a->ld, 1 };
}

static inline ds_attention_block transpose(ds_attention_block b)
{
	return (ds_attention_block){ b.at, b.col, b.row };
}

/* Dropout's factors for query `row`, keys [64 kb, 64 kb + 64) of a head. */
static inline void keep_of(const ds_job *j, float *keep, int64_t row, int64_t head, int64_t kb)
{
	const ds_attention_attr *a = &j->node->attr.attention;
	uint64_t at = ds_dropout_first(j->run, a, row, head) + (uint64_t)(kb * BLOCK);
	ds_simd_now()->keep(keep, ds_dropout_rng(j->run, a->drop.stream), at / 4, BLOCK,
		ds_dropout_limit(a->drop.p), (float)(1 / (1 - (double)a->drop.p)));
}

/* Whether its products are those of attention_avx512bf16.c. */
static inline bool is_bf16(const ds_job *j)
{
	return j->node->product == DS_BF16 && ds_cpu_has_bf16();
}

/* ---- attention_avx512bf16.c: the stages of attention, and the tile of its gradient ---- */

size_t ds_attend_bf16_shared(const ds_job *j);
size_t ds_attend_bf16_worker(const ds_job *j);
void ds_attend_bf16_keys(const ds_job *j, int64_t tile);
void ds_attend_bf16(const ds_job *j, int64_t tile, unsigned worker);
size_t ds_attend_grad_bf16_worker(const ds_job *j);
void ds_attend_grad_bf16(const ds_job *j, int64_t tile, unsigned worker);

#endif
