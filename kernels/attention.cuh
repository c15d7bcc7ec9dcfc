/*
 * attention.cuh - what the kernels of attention share: operands, and which keys a query sees
 */
#ifndef DSK_ATTENTION_CUH
#define DSK_ATTENTION_CUH

#include "dev.cuh"

struct Attention {
	const float *q, *k, *v, *o, *lse, *go; /* o … go: of the gradient */
	float *out, *out_lse, *dq, *dk, *dv, *delta;
	int64_t q_ld, k_ld, v_ld, o_ld, lse_ld, go_ld, out_ld, out_lse_ld, dq_ld, dk_ld, dv_ld;
	const int32_t *first, *last, *past, *slots;
	ds_attention_attr a;
	Drops drops;
	const ds_run *run;
	int64_t rows;

	__device__ __forceinline__ int64_t cache_at(int64_t b) const
	{
		return (slots ? slots[b] : b) * a.kv_seq;
	}
	/* The keys [lo, hi) that query t of sequence b sees; none where lo >= hi. */
	__device__ __forceinline__ void keys(int64_t b, int t, int &lo, int &hi) const
	{
		int64_t row = b * a.seq + t;
		int at = t + (past ? past[b] : 0);
		lo = first ? first[row] : 0;
		hi = last ? last[row] : a.kv_seq;
		if (a.window > 0 && lo < at - a.window + 1)
			lo = at - a.window + 1;
		if (a.causal && hi > at + 1)
			hi = at + 1;
		lo = lo < 0 ? 0 : lo;
		hi = hi > a.kv_seq ? a.kv_seq : hi;
	}
	/* The number of key j's dropout (ds_dropout_first): heads count in the whole, of which these may be a part. */
	__device__ __forceinline__ uint64_t number(int64_t row, int head, int j) const
	{
		uint64_t wide = ((uint64_t)a.kv_seq + 3) / 4 * 4;
		uint64_t heads = (uint64_t)(a.all_heads ? a.all_heads : a.heads);
		uint64_t of = (uint64_t)(run->row0 + row) * heads + (uint64_t)(a.first_head + head);
		return of * wide + (uint64_t)j;
	}
	/* What the probability of key j is multiplied by. */
	__device__ __forceinline__ float kept(int64_t row, int head, int j) const
	{
		if (drops.limit == 0)
			return 1;
		return drops.factor(run, number(row, head, j));
	}
};

static inline Attention attention_operands(const ds_cuda_call *c)
{
	const ds_attention_attr &a = c->node->attr.attention;
	Attention p = { .a = a, .drops = Drops(a.drop), .run = c->run, .rows = c->in[0].rows };
	p.q = data<float>(c->in[0]), p.q_ld = c->in[0].ld;
	p.k = data<float>(c->in[1]), p.k_ld = c->in[1].ld;
	p.v = data<float>(c->in[2]), p.v_ld = c->in[2].ld;
	return p;
}

static inline Attention attention_of(const ds_cuda_call *c)
{
	Attention p = attention_operands(c);
	p.first = data<int32_t>(c->in[3]), p.last = data<int32_t>(c->in[4]);
	p.past = data<int32_t>(c->in[5]), p.slots = data<int32_t>(c->in[6]);
	p.out = data<float>(c->out[0]), p.out_ld = c->out[0].ld;
	p.out_lse = data<float>(c->out[1]), p.out_lse_ld = c->out[1].ld;
	return p;
}

/* in: q k v o lse do first last; out: dq dk dv */
static inline Attention attention_grad_of(const ds_cuda_call *c)
{
	Attention p = attention_operands(c);
	p.o = data<float>(c->in[3]), p.o_ld = c->in[3].ld;
	p.lse = data<float>(c->in[4]), p.lse_ld = c->in[4].ld;
	p.go = data<float>(c->in[5]), p.go_ld = c->in[5].ld;
	p.first = data<int32_t>(c->in[6]), p.last = data<int32_t>(c->in[7]);
	p.dq = data<float>(c->out[0]), p.dq_ld = c->out[0].ld;
	p.dk = data<float>(c->out[1]), p.dk_ld = c->out[1].ld;
	p.dv = data<float>(c->out[2]), p.dv_ld = c->out[2].ld;
	return p;
}

#endif
