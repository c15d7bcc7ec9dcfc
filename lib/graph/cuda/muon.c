/*
 * muon.c - Muon's iteration by products (op/muon.c has the formulas)
 *
 * Scratch: cuBLASLt's; X and the sums of its squares, as muon_begin leaves them; the next X; X X^T and its polynomial;
 * where operands are bf16, those three rounded. Of a tall matrix X^T X is taken, which needs no copy on its side.
 */
#include "graph/cuda/cuda_impl.h"

typedef struct {
	const ds_cuda_on *on;
	const ds_cuda_call *c;
	int64_t rows, cols, low;
	bool tall;
	ds_dtype type;
	char *x, *next, *gram, *poly, *rounded_x, *rounded_gram, *rounded_poly;
	uint64_t bytes;
} iteration;

static char *take(iteration *t, uint64_t bytes)
{
	char *at = t->c->scratch ? t->c->scratch + t->bytes : NULL;
	t->bytes += ds_cuda_aligned(bytes);
	return at;
}

static iteration lay_out(const ds_cuda_on *on, const ds_cuda_call *c)
{
	iteration t = { .on = on,
		.c = c,
		.rows = c->in[0].rows,
		.cols = c->in[0].cols,
		.type = c->node->attr.muon.type };
	uint64_t n = (uint64_t)(t.rows * t.cols);
	t.tall = t.rows > t.cols;
	t.low = t.tall ? t.cols : t.rows;
	uint64_t square = (uint64_t)(t.low * t.low);
	bool rounds = t.type != DS_F32;
	take(&t, DS_CUDA_GEMM_BYTES);
	t.x = take(&t, ds_cuda_aligned(n * 4) + (uint64_t)(ds_cuda_sums((int64_t)n) + 1) * 8);
	t.next = take(&t, n * 4);
	t.gram = take(&t, square * 4);
	t.poly = take(&t, square * 4);
	t.rounded_x = rounds ? take(&t, n * 2) : NULL;
	t.rounded_gram = rounds ? take(&t, square * 2) : NULL;
	t.rounded_poly = rounds ? take(&t, square * 2) : NULL;
	return t;
}

static uint64_t scratch(const ds_cuda_call *c)
{
	return lay_out(NULL, c).bytes;
}

/* Where to take an operand from: rounded, after a launch, or as it is. */
static int operand(const iteration *t, char *at, char *rounded, int64_t n, const char **out)
{
	*out = rounded ? rounded : at;
	if (!rounded)
		return 0;
	ds_cuda_call c = { .node = t->c->node,
		.in = { { at, DS_F32, 1, n, n } },
		.out = { { rounded, t->type, 1, n, n } },
		.stream = t->c->stream };
	return ds_cuda_start(t->on, DS_CUDA_cast, &c);
}

static int step(iteration *t)
{
	const char *x, *gram, *poly;
	int64_t n = t->low;
	ds_cuda_gemm g = { .type = t->type, .out = DS_F32, .workspace = t->c->scratch };
	DS_CUDA_TRY(operand(t, t->x, t->rounded_x, t->rows * t->cols, &x));
	ds_cuda_gemm square = g;
	square.a = square.b = x;
	square.lda = square.ldb = t->cols;
	square.d = t->gram;
	square.m = square.n = square.ldd = n;
	square.k = t->tall ? t->rows : t->cols;
	square.a_transposed = t->tall;
	square.b_transposed = !t->tall;
	square.alpha = 1;
	DS_CUDA_TRY(t->on->api->gemm(t->on->device, &square));
	DS_CUDA_TRY(operand(t, t->gram, t->rounded_gram, n * n, &gram));
	ds_cuda_gemm p = g;
	p.a = p.b = gram;
	p.c = t->gram;
	p.d = t->poly;
	p.m = p.n = p.k = p.lda = p.ldb = p.ldc = p.ldd = n;
	p.alpha = (float)DS_MUON_C;
	p.beta = (float)DS_MUON_B;
	DS_CUDA_TRY(t->on->api->gemm(t->on->device, &p));
	DS_CUDA_TRY(operand(t, t->poly, t->rounded_poly, n * n, &poly));
	ds_cuda_gemm last = g;
	last.a = t->tall ? x : poly;
	last.b = t->tall ? poly : x;
	last.lda = t->tall ? t->cols : n;
	last.ldb = t->tall ? n : t->cols;
	last.c = t->x;
	last.d = t->next;
	last.m = t->rows;
	last.n = last.ldc = last.ldd = t->cols;
	last.k = n;
	last.alpha = 1;
	last.beta = (float)DS_MUON_A;
	DS_CUDA_TRY(t->on->api->gemm(t->on->device, &last));
	char *was = t->x;
	t->x = t->next;
	t->next = was;
	return 0;
}

static int muon(const ds_cuda_on *on, const ds_cuda_call *c)
{
	iteration t = lay_out(on, c);
	ds_cuda_call part = *c;
	part.scratch = t.x;
	DS_CUDA_TRY(ds_cuda_start(on, DS_CUDA_muon_begin, &part));
	for (int i = 0; i < c->node->attr.muon.steps; i++)
		DS_CUDA_TRY(step(&t));
	part.scratch = t.x;
	return ds_cuda_start(on, DS_CUDA_muon_end, &part);
}

const ds_cuda_op ds_cuda_muon = { scratch, muon };
