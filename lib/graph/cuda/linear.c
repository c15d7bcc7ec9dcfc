/*
 * linear.c - linear layers, their gradients and products of activations, by cuBLASLt
 *
 * The bias is the product's epilogue, in the type of its result; what a gradient is added to is the product's C.
 */
#include "graph/cuda/cuda_impl.h"

static uint64_t gemm_bytes(const ds_cuda_call *c)
{
	return DS_CUDA_GEMM_BYTES;
}

static ds_cuda_gemm product(const ds_cuda_call *c, const ds_operand *a, const ds_operand *b)
{
	const ds_operand *d = &c->out[0];
	return (ds_cuda_gemm){ .a = a->data,
		.b = b->data,
		.d = d->data,
		.m = d->rows,
		.n = d->cols,
		.k = a->cols,
		.lda = a->ld,
		.ldb = b->ld,
		.ldd = d->ld,
		.type = a->dtype,
		.out = d->dtype,
		.alpha = 1,
		.workspace = c->scratch };
}

static uint64_t linear_room(const ds_cuda_call *c)
{
	return DS_CUDA_GEMM_BYTES + (c->node->in[2] ? (uint64_t)c->in[2].cols * 2 : 0);
}

static int linear(const ds_cuda_on *on, const ds_cuda_call *c)
{
	ds_cuda_gemm g = product(c, &c->in[0], &c->in[1]);
	g.b_transposed = !c->node->attr.linear.in_out;
	g.bias = c->in[2].data;
	if (g.bias && g.out != DS_F32) {
		ds_cuda_call round = { .node = c->node, .in = { c->in[2] }, .stream = c->stream };
		round.out[0] = c->in[2];
		round.out[0].data = c->scratch + DS_CUDA_GEMM_BYTES;
		round.out[0].dtype = g.out;
		g.bias = round.out[0].data;
		DS_CUDA_TRY(ds_cuda_start(on, DS_CUDA_cast, &round));
	}
	return on->api->gemm(on->device, &g);
}

/* in: dy, w, what dx is added to or 0 */
static int linear_dx(const ds_cuda_on *on, const ds_cuda_call *c)
{
	ds_cuda_gemm g = product(c, &c->in[0], &c->in[1]);
	g.b_transposed = c->node->attr.linear.in_out;
	if (c->in[2].data) {
		g.c = c->in[2].data;
		g.ldc = c->in[2].ld;
		g.beta = 1;
	}
	return on->api->gemm(on->device, &g);
}

/* in: x, dy */
static int linear_dw(const ds_cuda_on *on, const ds_cuda_call *c)
{
	bool in_out = c->node->attr.linear.in_out;
	ds_cuda_gemm g = product(c, &c->in[in_out ? 0 : 1], &c->in[in_out ? 1 : 0]);
	g.a_transposed = true;
	g.k = c->in[0].rows;
	g.beta = c->beta[0];
	return on->api->gemm(on->device, &g);
}

static int matmul(const ds_cuda_on *on, const ds_cuda_call *c)
{
	const ds_matmul_attr *p = &c->node->attr.matmul;
	const ds_operand *a = &c->in[0], *b = &c->in[1];
	ds_cuda_gemm g = product(c, a, b);
	g.batch = a->rows / p->a_rows;
	g.m = c->out[0].rows / (g.batch ? g.batch : 1);
	g.k = p->a_transposed ? p->a_rows : a->cols;
	g.a_transposed = p->a_transposed;
	g.b_transposed = p->b_transposed;
	g.a_stride = p->a_rows * a->ld;
	g.b_stride = p->b_rows * b->ld;
	g.d_stride = g.m * c->out[0].ld;
	return on->api->gemm(on->device, &g);
}

const ds_cuda_op ds_cuda_linear = { linear_room, linear };
const ds_cuda_op ds_cuda_linear_dx = { gemm_bytes, linear_dx };
const ds_cuda_op ds_cuda_linear_dw = { gemm_bytes, linear_dw };
const ds_cuda_op ds_cuda_matmul = { gemm_bytes, matmul };
