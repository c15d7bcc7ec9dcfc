/*
 * xent.c - linear layer and cross-entropy, in chunks of rows
 *
 * For a chunk: logits by a product, their losses and gradients by a kernel, dx and dW by two products. dW is added up
 * over chunks in their order. Scratch: cuBLASLt's, the logits in f32, where the operands are 16-bit their
 * gradients in that type, and the rows' losses where the node does not keep them. A chunk takes as many rows as fit
 * in 256 MiB of logits.
 */
#include "graph/cuda/cuda_impl.h"

enum { CHUNK_BYTES = 256 << 20, FEWEST_ROWS = 128, PAD = 64 };

typedef struct {
	int64_t rows, chunk, vocab, ld;
	uint64_t logits, grads, nll; /* where in scratch */
	uint64_t bytes;
} shape;

static shape shape_of(const ds_cuda_call *c)
{
	shape s = { .rows = c->in[0].rows, .vocab = c->in[1].rows };
	s.ld = ds_cuda_div(s.vocab, PAD) * PAD;
	s.chunk = CHUNK_BYTES / (s.ld * 4) / FEWEST_ROWS * FEWEST_ROWS;
	s.chunk = s.chunk < FEWEST_ROWS ? FEWEST_ROWS : s.chunk;
	s.chunk = s.chunk < s.rows ? s.chunk : s.rows;
	bool separate = c->node->op == DS_OP_linear_xent_grad && c->in[0].dtype != DS_F32;
	s.logits = DS_CUDA_GEMM_BYTES;
	s.grads = s.logits + ds_cuda_aligned((uint64_t)(s.chunk * s.ld) * 4);
	s.nll = s.grads + (separate ? ds_cuda_aligned((uint64_t)(s.chunk * s.ld) * 2) : 0);
	s.bytes = s.nll + (c->node->out[1] ? 0 : ds_cuda_aligned((uint64_t)s.rows * 4));
	return s;
}

static uint64_t scratch(const ds_cuda_call *c)
{
	return shape_of(c).bytes;
}

static char *from_row(const ds_operand *a, int64_t row)
{
	return (char *)a->data + (size_t)(row * a->ld) * ds_dtype_bytes(a->dtype);
}

/* Logits of rows [from, from + n). */
static int logits(const ds_cuda_on *on, const ds_cuda_call *c, const ds_operand *z, int64_t from)
{
	const ds_operand *x = &c->in[0], *w = &c->in[1];
	ds_cuda_gemm g = { .a = from_row(x, from),
		.b = w->data,
		.bias = c->in[2].data,
		.d = z->data,
		.m = z->rows,
		.n = z->cols,
		.k = x->cols,
		.lda = x->ld,
		.ldb = w->ld,
		.ldd = z->ld,
		.b_transposed = true,
		.type = x->dtype,
		.out = DS_F32,
		.alpha = 1,
		.workspace = c->scratch };
	return on->api->gemm(on->device, &g);
}

/* dx = dz w; dW += dz^T x; db += the sum of dz's rows. */
static int gradients(
	const ds_cuda_on *on, const ds_cuda_call *c, const ds_operand *dz, int64_t from)
{
	const ds_operand *x = &c->in[0], *w = &c->in[1], *dx = &c->out[2], *dw = &c->out[3];
	ds_cuda_gemm g = { .a = dz->data,
		.lda = dz->ld,
		.n = x->cols,
		.type = dz->dtype,
		.out = DS_F32,
		.alpha = 1,
		.workspace = c->scratch };
	if (dx->data) {
		ds_cuda_gemm p = g;
		p.b = w->data;
		p.ldb = w->ld;
		p.d = from_row(dx, from);
		p.ldd = dx->ld;
		p.out = dx->dtype;
		p.m = dz->rows;
		p.k = dz->cols;
		DS_CUDA_TRY(on->api->gemm(on->device, &p));
	}
	if (dw->data) {
		ds_cuda_gemm p = g;
		p.a_transposed = true;
		p.b = from_row(x, from);
		p.ldb = x->ld;
		p.d = dw->data;
		p.ldd = dw->ld;
		p.m = dz->cols;
		p.k = dz->rows;
		p.beta = from ? 1 : c->beta[3];
		DS_CUDA_TRY(on->api->gemm(on->device, &p));
	}
	if (!c->out[4].data)
		return 0;
	ds_cuda_call sum = { .in = { [2] = *dz }, .out = { [4] = c->out[4] }, .stream = c->stream };
	sum.beta[4] = from ? 1 : c->beta[4];
	return ds_cuda_start(on, DS_CUDA_xent_sum, &sum);
}

static int xent(const ds_cuda_on *on, const ds_cuda_call *c)
{
	shape s = shape_of(c);
	ds_operand nll = c->out[1];
	if (!nll.data)
		nll = (ds_operand){ c->scratch + s.nll, DS_F32, 1, s.rows, s.rows };
	for (int64_t from = 0; from < s.rows; from += s.chunk) {
		int64_t n = s.rows - from < s.chunk ? s.rows - from : s.chunk;
		ds_operand z = { c->scratch + s.logits, DS_F32, n, s.vocab, s.ld }, dz = z;
		if (c->in[0].dtype != DS_F32)
			dz = (ds_operand){ c->scratch + s.grads, c->in[0].dtype, n, s.vocab, s.ld };
		bool grad = c->node->op == DS_OP_linear_xent_grad;
		ds_cuda_call part = { .node = c->node, .stream = c->stream };
		part.in[0] = z;
		part.in[3] = c->in[3];
		part.in[3].data = (int32_t *)c->in[3].data + from;
		part.in[4] = c->in[4];
		part.out[1] = nll;
		part.out[1].data = (float *)nll.data + from;
		part.out[2] = grad ? dz : (ds_operand){ 0 };
		DS_CUDA_TRY(logits(on, c, &z, from));
		DS_CUDA_TRY(ds_cuda_start(on, DS_CUDA_xent, &part));
		if (grad)
			DS_CUDA_TRY(gradients(on, c, &dz, from));
	}
	ds_cuda_call sum = {
		.in = { [0] = nll, [4] = c->in[4] }, .out = { [0] = c->out[0] }, .stream = c->stream
	};
	return ds_cuda_start(on, DS_CUDA_xent_sum, &sum);
}

const ds_cuda_op ds_cuda_xent = { scratch, xent };
