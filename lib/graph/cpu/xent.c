/*
 * xent.c - linear layer and cross-entropy, in chunks of rows
 *
 * Bound by three matrix products. For a chunk: logits by tiles of the vocabulary (stage 0), softmax,
 * loss and the logits' gradients in place by rows (1), then dx by tiles of rows and dW by tiles of
 * the vocabulary (2). dW is added up over chunks in their order. A chunk's logits take at most 32 MiB
 * (more rows would not make the products faster) but never fewer than 64 rows.
 */
#include "graph/cpu/cpu_impl.h"

#include <math.h>
#include <string.h>

enum { VOCAB_TILE = 512, ROW_TILE = 16, DX_TILE = 64, MOST_ROWS = 512, FEWEST_ROWS = 64 };
enum { LOGIT_BYTES = 32 << 20 };

typedef struct {
	const ds_arg_t *x, *w;
	int64_t rows, vocab, cols, ld; /* ld: of the logits */
	int64_t chunk, n_chunks;
	bool grad;
} shape;

static shape shape_of(const ds_job *j)
{
	shape s = { .x = &j->in[0],
		.w = &j->in[1],
		.rows = j->in[0].rows,
		.vocab = j->in[1].rows,
		.cols = j->in[0].cols,
		.grad = j->node->op == DS_OP_linear_xent_grad };
	s.ld = ceil_div(s.vocab, 16) * 16;
	s.ld += s.ld % 1024 == 0 ? 16 : 0; /* see pass/stride.c */
	int64_t fit = LOGIT_BYTES / (s.ld * (int64_t)sizeof(float)) / 64 * 64;
	s.chunk = fit > MOST_ROWS ? MOST_ROWS : fit < FEWEST_ROWS ? FEWEST_ROWS : fit;
	s.chunk = min_i64(s.chunk, s.rows);
	s.n_chunks = ceil_div(s.rows, s.chunk);
	return s;
}

static int64_t stages_a_chunk(const shape *s)
{
	return s->grad ? 3 : 2;
}

static int64_t stages(const ds_job *j)
{
	shape s = shape_of(j);
	return s.n_chunks * stages_a_chunk(&s) + 1;
}

static int64_t rows_in(const shape *s, int64_t chunk)
{
	return min_i64(s->chunk, s->rows - chunk * s->chunk);
}

static int64_t dx_tiles(const ds_job *j, const shape *s, int64_t chunk)
{
	return j->out[2].rows ? ceil_div(rows_in(s, chunk), DX_TILE) : 0;
}

static int64_t tiles(const ds_job *j, int64_t stage)
{
	shape s = shape_of(j);
	int64_t chunk = stage / stages_a_chunk(&s);
	if (chunk == s.n_chunks)
		return 1;
	switch (stage % stages_a_chunk(&s)) {
	case 0:
		return ceil_div(s.vocab, VOCAB_TILE);
	case 1:
		return ceil_div(rows_in(&s, chunk), ROW_TILE);
	default:
		return dx_tiles(j, &s, chunk) + ceil_div(s.vocab, VOCAB_TILE);
	}
}

static size_t shared_bytes(const ds_job *j)
{
	shape s = shape_of(j);
	return (size_t)(s.chunk * s.ld) * sizeof(float);
}

static void logits(const ds_job *j, const shape *s, int64_t chunk, int64_t tile)
{
	int64_t from = tile * VOCAB_TILE, n = min_i64(VOCAB_TILE, s->vocab - from);
	float *c = (float *)j->shared + from;
	const float *bias = j->in[2].data ? (const float *)j->in[2].data + from : NULL;
	for (int64_t i = 0; bias && i < rows_in(s, chunk); i++)
		memcpy(c + i * s->ld, bias, (size_t)n * sizeof(float));
	ds_cpu_gemm(&(ds_gemm){ .b_trans = true,
		.m = rows_in(s, chunk),
		.n = n,
		.k = s->cols,
		.a = row_of(s->x, chunk * s->chunk),
		.lda = s->x->ld,
		.b = row_of(s->w, from),
		.ldb = s->w->ld,
		.beta = bias ? 1 : 0,
		.c = c,
		.ldc = s->ld });
}

/* Loss of a row; its logits become their gradients times inv. */
static void softmax_row(const ds_job *j, const shape *s, float *z, int64_t row)
{
	const ds_simd *v = ds_simd_now();
	int32_t target = ((const int32_t *)j->in[3].data)[row];
	float *nll = (float *)j->out[1].data + row, inv = *(const float *)j->in[4].data;
	*nll = 0;
	if (target < 0 || target >= s->vocab) {
		memset(z, 0, (size_t)s->vocab * sizeof(float));
		return;
	}
	float top = v->max(z, s->vocab), at = z[target];
	float sum = v->exp_sum(z, 1, top, s->vocab);
	*nll = logf(sum) + top - at;
	if (!s->grad)
		return;
	v->scale(z, z, inv / sum, s->vocab);
	z[target] -= inv;
}

static void softmax(const ds_job *j, const shape *s, int64_t chunk, int64_t tile)
{
	int64_t to = min_i64((tile + 1) * ROW_TILE, rows_in(s, chunk));
	for (int64_t i = tile * ROW_TILE; i < to; i++)
		softmax_row(j, s, (float *)j->shared + i * s->ld, chunk * s->chunk + i);
}

static void grad_x(const ds_job *j, const shape *s, int64_t chunk, int64_t tile)
{
	const ds_arg_t *dx = &j->out[2];
	int64_t from = tile * DX_TILE;
	ds_cpu_gemm(&(ds_gemm){ .m = min_i64(DX_TILE, rows_in(s, chunk) - from),
		.n = s->cols,
		.k = s->vocab,
		.a = (const float *)j->shared + from * s->ld,
		.lda = s->ld,
		.b = s->w->data,
		.ldb = s->w->ld,
		.c = row_of(dx, chunk * s->chunk + from),
		.ldc = dx->ld });
}

static void grad_w(const ds_job *j, const shape *s, int64_t chunk, int64_t tile)
{
	const ds_arg_t *dw = &j->out[3], *db = &j->out[4];
	int64_t from = tile * VOCAB_TILE, n = min_i64(VOCAB_TILE, s->vocab - from);
	const float *z = (const float *)j->shared + from;
	if (dw->data)
		ds_cpu_gemm(&(ds_gemm){ .a_trans = true,
			.m = n,
			.n = s->cols,
			.k = rows_in(s, chunk),
			.a = z,
			.lda = s->ld,
			.b = row_of(s->x, chunk * s->chunk),
			.ldb = s->x->ld,
			.beta = chunk > 0 ? 1 : j->beta[3],
			.c = row_of(dw, from),
			.ldc = dw->ld });
	if (!db->data)
		return;
	float *sum = (float *)db->data + from;
	if (chunk == 0 && j->beta[4] == 0)
		memset(sum, 0, (size_t)n * sizeof(float));
	for (int64_t i = 0; i < rows_in(s, chunk); i++)
		ds_simd_now()->add(sum, sum, z + i * s->ld, n);
}

static void total(const ds_job *j, const shape *s)
{
	double sum = 0;
	for (int64_t i = 0; i < s->rows; i++)
		sum += (double)((const float *)j->out[1].data)[i];
	*(float *)j->out[0].data = (float)(sum * (double)*(const float *)j->in[4].data);
}

static void xent(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	shape s = shape_of(j);
	int64_t chunk = stage / stages_a_chunk(&s), step = stage % stages_a_chunk(&s);
	if (chunk == s.n_chunks)
		total(j, &s);
	else if (step == 0)
		logits(j, &s, chunk, tile);
	else if (step == 1)
		softmax(j, &s, chunk, tile);
	else if (tile < dx_tiles(j, &s, chunk))
		grad_x(j, &s, chunk, tile);
	else
		grad_w(j, &s, chunk, tile - dx_tiles(j, &s, chunk));
}

const ds_kernel ds_cpu_linear_xent = {
	.stages = stages, .tiles = tiles, .shared_bytes = shared_bytes, .tile = xent
};
const ds_kernel ds_cpu_linear_xent_grad = {
	.stages = stages, .tiles = tiles, .shared_bytes = shared_bytes, .tile = xent
};
