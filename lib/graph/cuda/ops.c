/*
 * ops.c - which kernels an op has, and for which types; the ops that are one launcher
 */
#include "graph/cuda/cuda_impl.h"

#include "graph/op.h"

enum { MOST_HEAD_DIM = 256, LEAST_FLASH = 16, MOST_FLASH_GRAD = 128 };

/* An op that is one launcher, with its scratch. */
#define LAUNCHER(op, kernel, scratch_fn) \
	static int op(const ds_cuda_on *on, const ds_cuda_call *c) \
	{ \
		return ds_cuda_start(on, DS_CUDA_##kernel, c); \
	} \
	static const ds_cuda_op op_##op = { scratch_fn, op };

/* ---- scratch ---- */

static uint64_t sums_of_rows(int64_t rows, int64_t cols)
{
	return (uint64_t)(ds_cuda_parts(rows) * 2 * cols) * sizeof(float);
}

static uint64_t bias_scratch(const ds_cuda_call *c)
{
	return sums_of_rows(c->in[0].rows, c->in[0].cols);
}

static uint64_t norm_scratch(const ds_cuda_call *c)
{
	int64_t width = c->in[2].cols;
	return sums_of_rows(c->in[0].rows * (c->in[0].cols / width), width);
}

static uint64_t scatter_scratch(const ds_cuda_call *c)
{
	int64_t n = c->in[0].rows, blocks = ds_cuda_div(n, DS_CUDA_SEGMENT);
	return ds_cuda_aligned((uint64_t)n * 4) + (uint64_t)(blocks * 2 * c->in[0].cols) * 4;
}

static uint64_t attention_scratch(const ds_cuda_call *c)
{
	return (uint64_t)(c->in[0].rows * c->node->attr.attention.heads) * sizeof(float);
}

/* q, k, v, the gradient of o in bf16, and delta. */
static uint64_t flash_scratch(const ds_cuda_call *c)
{
	const ds_attention_attr *a = &c->node->attr.attention;
	int64_t wide = ds_cuda_flash_cols(a->head_dim), rows = c->in[0].rows;
	int64_t numbers = (2 * rows * a->heads + 2 * c->in[1].rows * a->kv_heads) * wide;
	return (uint64_t)numbers * 2 + attention_scratch(c);
}

static uint64_t sum_scratch(const ds_cuda_call *c)
{
	return (uint64_t)(2 * ds_cuda_sums(c->in[0].rows * c->in[0].cols) + 2) * sizeof(double);
}

static uint64_t dispatch_scratch(const ds_cuda_call *c)
{
	int64_t blocks = ds_cuda_div(c->in[0].rows * c->in[0].cols, DS_CUDA_CHOICES);
	return (uint64_t)(blocks * (c->out[2].cols - 1)) * sizeof(int32_t);
}

static uint64_t stats_scratch(const ds_cuda_call *c)
{
	int64_t blocks = ds_cuda_div(c->in[0].rows, DS_CUDA_ROUTE_ROWS);
	return (uint64_t)(blocks * (c->in[0].cols + 1)) * sizeof(float);
}

/* ---- the ops ---- */

LAUNCHER(unary, unary, NULL)
LAUNCHER(unary_grad, unary_grad, NULL)
LAUNCHER(glu, glu, NULL)
LAUNCHER(glu_grad, glu_grad, NULL)
LAUNCHER(add, add, NULL)
LAUNCHER(accum, accum, NULL)
LAUNCHER(scale, scale, NULL)
LAUNCHER(gain, gain, NULL)
LAUNCHER(dot, dot, NULL)
LAUNCHER(cast, cast, NULL)
LAUNCHER(dropout, dropout, NULL)
LAUNCHER(rope, rope, NULL)
LAUNCHER(pad, pad, NULL)
LAUNCHER(rows, rows, NULL)
LAUNCHER(cache_put, cache_put, NULL)
LAUNCHER(embed_grad, scatter_add, scatter_scratch)
LAUNCHER(norm, norm, NULL)
LAUNCHER(norm_grad, norm_grad, norm_scratch)
LAUNCHER(bias_grad, bias_grad, bias_scratch)
LAUNCHER(attention, attention, NULL)
LAUNCHER(attention_grad, attention_grad, attention_scratch)
LAUNCHER(flash, flash, flash_scratch)
LAUNCHER(flash_grad, flash_grad, flash_scratch)
LAUNCHER(sqnorm, sqnorm, sum_scratch)
LAUNCHER(clip, clip, NULL)
LAUNCHER(adamw, adamw, NULL)
LAUNCHER(lamb, lamb, sum_scratch)
LAUNCHER(route, route, NULL)
LAUNCHER(route_grad, route_grad, NULL)
LAUNCHER(route_loads, route_loads, NULL)
LAUNCHER(dispatch, dispatch, dispatch_scratch)
LAUNCHER(route_stats, route_stats, stats_scratch)
LAUNCHER(route_stats_grad, route_stats_grad, NULL)
LAUNCHER(balance, balance, NULL)
LAUNCHER(balance_grad, balance_grad, NULL)
LAUNCHER(per_target, per_target, NULL)
LAUNCHER(nudge, nudge, NULL)
LAUNCHER(permute, permute, NULL)
LAUNCHER(unpermute, unpermute, NULL)
LAUNCHER(unpermute_grad, unpermute_grad, NULL)
LAUNCHER(grouped, grouped, NULL)
LAUNCHER(grouped_dx, grouped_dx, NULL)
LAUNCHER(grouped_dw, grouped_dw, NULL)
LAUNCHER(grouped_db, grouped_db, NULL)

/* Rows of an activation begin with zeros; a parameter's gradient keeps what the step has so far. */
static int rows_grad(const ds_cuda_on *on, const ds_cuda_call *c)
{
	ds_cuda_call anew = *c;
	anew.beta[0] = 0;
	return ds_cuda_start(on, DS_CUDA_scatter_add, &anew);
}
static const ds_cuda_op op_rows_grad = { scatter_scratch, rows_grad };

static int nothing(const ds_cuda_on *on, const ds_cuda_call *c)
{
	return 0;
}
static const ds_cuda_op op_view = { NULL, nothing };

static const ds_cuda_op *const table[DS_N_OPS] = {
	[DS_OP_embed] = &op_rows,
	[DS_OP_linear] = &ds_cuda_linear,
	[DS_OP_matmul] = &ds_cuda_matmul,
	[DS_OP_norm] = &op_norm,
	[DS_OP_attention] = &op_attention,
	[DS_OP_rope] = &op_rope,
	[DS_OP_unary] = &op_unary,
	[DS_OP_glu] = &op_glu,
	[DS_OP_add] = &op_add,
	[DS_OP_scale] = &op_scale,
	[DS_OP_gain] = &op_gain,
	[DS_OP_dot] = &op_dot,
	[DS_OP_dropout] = &op_dropout,
	[DS_OP_slice] = &op_view,
	[DS_OP_rows] = &op_rows,
	[DS_OP_cache_put] = &op_cache_put,
	[DS_OP_linear_xent] = &ds_cuda_xent,
	[DS_OP_linear_xent_grad] = &ds_cuda_xent,
	[DS_OP_linear_dx] = &ds_cuda_linear_dx,
	[DS_OP_linear_dw] = &ds_cuda_linear_dw,
	[DS_OP_bias_grad] = &op_bias_grad,
	[DS_OP_embed_grad] = &op_embed_grad,
	[DS_OP_norm_grad] = &op_norm_grad,
	[DS_OP_attention_grad] = &op_attention_grad,
	[DS_OP_unary_grad] = &op_unary_grad,
	[DS_OP_glu_grad] = &op_glu_grad,
	[DS_OP_rows_grad] = &op_rows_grad,
	[DS_OP_pad] = &op_pad,
	[DS_OP_accum] = &op_accum,
	[DS_OP_cast] = &op_cast,
	[DS_OP_sqnorm] = &op_sqnorm,
	[DS_OP_clip] = &op_clip,
	[DS_OP_adamw] = &op_adamw,
	[DS_OP_lamb] = &op_lamb,
	[DS_OP_muon] = &ds_cuda_muon,
	[DS_OP_route] = &op_route,
	[DS_OP_route_grad] = &op_route_grad,
	[DS_OP_route_loads] = &op_route_loads,
	[DS_OP_dispatch] = &op_dispatch,
	[DS_OP_route_stats] = &op_route_stats,
	[DS_OP_route_stats_grad] = &op_route_stats_grad,
	[DS_OP_balance] = &op_balance,
	[DS_OP_balance_grad] = &op_balance_grad,
	[DS_OP_per_target] = &op_per_target,
	[DS_OP_nudge] = &op_nudge,
	[DS_OP_permute] = &op_permute,
	[DS_OP_unpermute] = &op_unpermute,
	[DS_OP_unpermute_grad] = &op_unpermute_grad,
	[DS_OP_grouped] = &op_grouped,
	[DS_OP_grouped_dx] = &op_grouped_dx,
	[DS_OP_grouped_dw] = &op_grouped_dw,
	[DS_OP_grouped_db] = &op_grouped_db,
};

/* ---- finding one ---- */

static bool is_half(ds_dtype t)
{
	return t == DS_BF16 || t == DS_F16;
}

/* Tensor cores where products are rounded, but not over a cache, whose few new queries are not worth packing it. */
static const ds_cuda_op *find_attention(const ds_node *n)
{
	int32_t d = n->attr.attention.head_dim;
	bool grad = n->op == DS_OP_attention_grad, cached = !grad && (n->in[5] || n->in[6]);
	if (d > MOST_HEAD_DIM)
		return NULL;
	if (n->product == DS_F32 || cached || d < LEAST_FLASH || (grad && d > MOST_FLASH_GRAD))
		return table[n->op];
	return grad ? &op_flash_grad : &op_flash;
}

/*
 * Operands that kernels take as 16-bit floats: bit i an input, bit DS_MAX_IN + i an output. The sum of residuals, its
 * gradient, statistics and losses are not among them.
 */
#define IN(i) (1u << (i))
#define OUT(i) (1u << (DS_MAX_IN + (i)))
static const unsigned halves[DS_N_OPS] = {
	[DS_OP_linear] = IN(0) | IN(1) | OUT(0),
	[DS_OP_matmul] = IN(0) | IN(1),
	[DS_OP_norm] = IN(0) | OUT(0),
	[DS_OP_attention] = IN(0) | IN(1) | IN(2) | OUT(0),
	[DS_OP_rope] = IN(0) | OUT(0),
	[DS_OP_unary] = IN(0) | OUT(0),
	[DS_OP_glu] = IN(0) | IN(1) | OUT(0),
	[DS_OP_add] = IN(0) | IN(1),
	[DS_OP_scale] = IN(0) | OUT(0),
	[DS_OP_dropout] = IN(0) | OUT(0),
	[DS_OP_slice] = IN(0) | OUT(0),
	[DS_OP_linear_xent] = IN(0) | IN(1),
	[DS_OP_linear_xent_grad] = IN(0) | IN(1) | OUT(2),
	[DS_OP_linear_dx] = IN(0) | IN(1) | OUT(0),
	[DS_OP_linear_dw] = IN(0) | IN(1),
	[DS_OP_bias_grad] = IN(0),
	[DS_OP_norm_grad] = IN(0) | IN(1),
	[DS_OP_attention_grad] = IN(0) | IN(1) | IN(2) | IN(3) | IN(5) | OUT(0) | OUT(1) | OUT(2),
	[DS_OP_unary_grad] = IN(0) | IN(1) | OUT(0),
	[DS_OP_glu_grad] = IN(0) | IN(1) | IN(2) | OUT(0) | OUT(1),
	[DS_OP_pad] = IN(0) | IN(1) | OUT(0),
	[DS_OP_accum] = IN(0),
	[DS_OP_cast] = IN(0) | OUT(0),
	[DS_OP_permute] = IN(0) | OUT(0),
	[DS_OP_unpermute] = IN(0) | OUT(0),
	[DS_OP_unpermute_grad] = IN(0) | IN(1) | OUT(0),
	[DS_OP_grouped] = IN(0) | IN(1) | OUT(0),
	[DS_OP_grouped_dx] = IN(0) | IN(1) | OUT(0),
	[DS_OP_grouped_dw] = IN(0) | IN(1),
	[DS_OP_grouped_db] = IN(0),
};
#undef IN
#undef OUT

bool ds_cuda_takes_halves(const ds_graph *g, const ds_node *n, int i)
{
	if (n->exact)
		return false;
	/* A product's C has the type of its D, and sums of gradients stay wide. */
	if (n->op == DS_OP_linear_dx && n->in[2] && i >= 2)
		return false;
	if (n->op == DS_OP_grouped_dx && n->in[3] && i >= 3)
		return false;
	if ((ds_op_of(n->op)->traits & DS_OP_HEADS) && find_attention(n) == table[n->op])
		return false;
	return halves[n->op] >> i & 1;
}

/* f32, with what the op has beside: ids, 16-bit operands, sums in f64. */
static bool takes(const ds_graph *g, const ds_node *n)
{
	bool product = ds_op_of(n->op)->traits & DS_OP_PRODUCT;
	if (product && g->tensors[n->in[0]].dtype != g->tensors[n->in[1]].dtype)
		return false;
	for (int i = 0; i < DS_MAX_IN + DS_MAX_OUT; i++) {
		ds_tid t = i < DS_MAX_IN ? n->in[i] : n->out[i - DS_MAX_IN];
		ds_dtype type = t ? g->tensors[t].dtype : DS_F32;
		bool sum = (n->op == DS_OP_sqnorm && i == DS_MAX_IN) ||
			   (n->op == DS_OP_clip && i == 0);
		bool half = is_half(type) && ds_cuda_takes_halves(g, n, i);
		if (type != (sum && t ? DS_F64 : DS_F32) && type != DS_I32 && !half)
			return false;
	}
	return true;
}

const ds_cuda_op *ds_cuda_find(const ds_graph *g, const ds_node *n)
{
	const ds_op *o = ds_op_of(n->op);
	if (o->traits & DS_OP_VIEW)
		return &op_view;
	if (!takes(g, n))
		return NULL;
	return o->traits & DS_OP_HEADS ? find_attention(n) : table[n->op];
}

ds_cuda_call ds_cuda_shapes(const ds_graph *g, const ds_node *n)
{
	ds_cuda_call c = { .node = n };
	for (int i = 0; i < DS_MAX_IN; i++)
		c.in[i] = ds_operand_of(g, n->in[i]);
	for (int i = 0; i < DS_MAX_OUT; i++)
		c.out[i] = ds_operand_of(g, n->out[i]);
	return c;
}
