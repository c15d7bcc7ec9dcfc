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

enum { VOCAB_TILE = 512, ROW_TILE = 16, DX_TILE = 128, MOST_ROWS = 512, FEWEST_ROWS = 64 };
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
	bool half = s.grad && s.x->dtype != DS_F32;
	return (size_t)(s.chunk * s.ld) * (sizeof(float) + (half ? 2 : 0));
}

/* The gradients of a chunk's logits in the type of the products, from (i, v) on. */
static const void *grads_from(const ds_job *j, const shape *s, int64_t i, int64_t v)
{
	if (s->x->dtype == DS_F32)
		return (const float *)j->shared + i * s->ld + v;
	return (const uint16_t *)((const float *)j->shared + s->chunk * s->ld) + i * s->ld + v;
}

/* The three products of a chunk of `rows`, without where their numbers are. */
static ds_gemm logits_product(const shape *s, int64_t rows, int64_t tile)
{
	int64_t from = tile * VOCAB_TILE;
	return (ds_gemm){ .type = s->x->dtype,
		.b_trans = true,
		.m = rows,
		.n = min_i64(VOCAB_TILE, s->vocab - from),
		.k = s->cols,
		.lda = s->x->ld,
		.ldb = s->w->ld,
		.ldc = s->ld };
}

static ds_gemm dx_product(const ds_job *j, const shape *s, int64_t rows, int64_t tile)
{
	return (ds_gemm){ .type = s->x->dtype,
		.m = min_i64(DX_TILE, rows - tile * DX_TILE),
		.n = s->cols,
		.k = s->vocab,
		.lda = s->ld,
		.ldb = s->w->ld,
		.ldc = j->out[2].ld };
}

static ds_gemm dw_product(const ds_job *j, const shape *s, int64_t rows, int64_t tile)
{
	return (ds_gemm){ .type = s->x->dtype,
		.a_trans = true,
		.m = min_i64(VOCAB_TILE, s->vocab - tile * VOCAB_TILE),
		.n = s->cols,
		.k = rows,
		.lda = s->ld,
		.ldb = s->x->ld,
		.ldc = j->out[3].ld };
}

static void see_room(ds_gemm g, size_t *most)
{
	for (int add = 0; add < 2; add++) {
		g.beta = (float)add;
		size_t n = ds_cpu_gemm_room(&g);
		*most = n > *most ? n : *most;
	}
}

/* First and last chunk and tile have all the extents that there are. */
static size_t room(const ds_job *j)
{
	shape s = shape_of(j);
	size_t most = 0;
	int64_t last = ceil_div(s.vocab, VOCAB_TILE) - 1;
	for (int k = 0; s.x->dtype != DS_F32 && k < 4; k++) {
		int64_t rows = rows_in(&s, k & 1 ? s.n_chunks - 1 : 0), tile = k & 2 ? last : 0;
		see_room(logits_product(&s, rows, tile), &most);
		if (j->out[2].rows)
			see_room(dx_product(j, &s, rows, k & 2 ? ceil_div(rows, DX_TILE) - 1 : 0),
				&most);
		if (j->out[3].rows)
			see_room(dw_product(j, &s, rows, tile), &most);
	}
	return most;
}

static void logits(const ds_job *j, const shape *s, int64_t chunk, int64_t tile, void *scratch)
{
	int64_t from = tile * VOCAB_TILE;
	ds_gemm g = logits_product(s, rows_in(s, chunk), tile);
	const float *bias = j->in[2].data ? (const float *)j->in[2].data + from : NULL;
	g.a = elem_of(s->x, chunk * s->chunk, 0);
	g.b = elem_of(s->w, from, 0);
	g.c = (float *)j->shared + from;
	g.room = scratch;
	g.beta = bias ? 1 : 0;
	for (int64_t i = 0; bias && i < g.m; i++)
		memcpy(g.c + i * s->ld, bias, (size_t)g.n * sizeof(float));
	ds_cpu_gemm(&g);
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

/* Rows of logits' gradients, as the products want them. */
static void halve_row(const ds_job *j, const shape *s, int64_t i)
{
	if (s->grad && s->x->dtype != DS_F32)
		ds_simd_now()->halve(s->x->dtype, (uint16_t *)grads_from(j, s, i, 0),
			(const float *)j->shared + i * s->ld, s->vocab);
}

static void softmax(const ds_job *j, const shape *s, int64_t chunk, int64_t tile)
{
	int64_t to = min_i64((tile + 1) * ROW_TILE, rows_in(s, chunk));
	for (int64_t i = tile * ROW_TILE; i < to; i++) {
		softmax_row(j, s, (float *)j->shared + i * s->ld, chunk * s->chunk + i);
		halve_row(j, s, i);
	}
}

static void grad_x(const ds_job *j, const shape *s, int64_t chunk, int64_t tile, void *scratch)
{
	int64_t from = tile * DX_TILE;
	ds_gemm g = dx_product(j, s, rows_in(s, chunk), tile);
	g.a = grads_from(j, s, from, 0);
	g.b = s->w->data;
	g.c = row_of(&j->out[2], chunk * s->chunk + from);
	g.room = scratch;
	ds_cpu_gemm(&g);
}

static void grad_w(const ds_job *j, const shape *s, int64_t chunk, int64_t tile, void *scratch)
{
	const ds_arg_t *dw = &j->out[3], *db = &j->out[4];
	int64_t from = tile * VOCAB_TILE, n = min_i64(VOCAB_TILE, s->vocab - from);
	const float *z = (const float *)j->shared + from;
	if (dw->data) {
		ds_gemm g = dw_product(j, s, rows_in(s, chunk), tile);
		g.a = grads_from(j, s, 0, from);
		g.b = elem_of(s->x, chunk * s->chunk, 0);
		g.c = row_of(dw, from);
		g.beta = chunk > 0 ? 1 : j->beta[3];
		g.room = scratch;
		ds_cpu_gemm(&g);
	}
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
	void *scratch = ds_job_worker(j, worker);
	int64_t chunk = stage / stages_a_chunk(&s), step = stage % stages_a_chunk(&s);
	if (chunk == s.n_chunks)
		total(j, &s);
	else if (step == 0)
		logits(j, &s, chunk, tile, scratch);
	else if (step == 1)
		softmax(j, &s, chunk, tile);
	else if (tile < dx_tiles(j, &s, chunk))
		grad_x(j, &s, chunk, tile, scratch);
	else
		grad_w(j, &s, chunk, tile - dx_tiles(j, &s, chunk), scratch);
}

const ds_kernel ds_cpu_linear_xent = { .stages = stages,
	.tiles = tiles,
	.shared_bytes = shared_bytes,
	.worker_bytes = room,
	.tile = xent };
const ds_kernel ds_cpu_linear_xent_grad = { .stages = stages,
	.tiles = tiles,
	.shared_bytes = shared_bytes,
	.worker_bytes = room,
	.tile = xent };
