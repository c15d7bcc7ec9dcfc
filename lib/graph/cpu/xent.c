/*
 * xent.c - linear layer and cross-entropy, in chunks of rows
 *
 * Bound by three matrix products. For a chunk: logits by tiles of the vocabulary, which in the cache at
 * once become e^(z - the tile's largest of that row) in the type of the products (stage 0); then, by
 * rows, the tiles' sums make the row's, its loss, and the factor that turns each tile's numbers into
 * the logits' gradients (1); then dx by tiles of columns and dW by tiles of the vocabulary (2). dW is
 * added up over chunks in their order. A chunk takes all rows up to 512 if it fits in 64 MiB: every
 * chunk reads the weights twice and adds to their gradient.
 */
#include "graph/cpu/cpu_impl.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { LOGIT_TILE = 192, DW_TILE = 480, ROW_TILE = 16, MOST_ROWS = 512, FEWEST_ROWS = 64 };
enum { CHUNK_BYTES = 64 << 20, DX_TILES = 4 };

typedef struct {
	const ds_operand *x, *w;
	ds_dtype type;                 /* of the products and of what is kept of the logits */
	int64_t rows, vocab, cols, ld; /* ld: of the logits */
	int64_t chunk, n_chunks, n_tiles;
	bool grad;
} shape;

static shape shape_of(const ds_job *j)
{
	shape s = { .x = &j->in[0],
		.w = &j->in[1],
		.type = j->in[0].dtype,
		.rows = j->in[0].rows,
		.vocab = j->in[1].rows,
		.cols = j->in[0].cols,
		.grad = j->node->op == DS_OP_linear_xent_grad };
	int64_t size = (int64_t)ds_dtype_bytes(s.type);
	s.ld = ceil_div(s.vocab, 32) * 32 + 32; /* a number more than the vocabulary, see a_even */
	s.ld += s.ld % 1024 == 0 ? 32 : 0;      /* see pass/stride.c */
	int64_t fit = CHUNK_BYTES / (s.ld * size) / 64 * 64;
	s.chunk = fit > MOST_ROWS ? MOST_ROWS : fit < FEWEST_ROWS ? FEWEST_ROWS : fit;
	s.chunk = min_i64(s.chunk, s.rows);
	s.n_chunks = ceil_div(s.rows, s.chunk);
	s.n_tiles = ceil_div(s.vocab, LOGIT_TILE);
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

static ds_tiling dx_tiling(const ds_job *j, const shape *s, int64_t chunk)
{
	if (!j->out[2].rows)
		return (ds_tiling){ 0 };
	return ds_cpu_tiling(rows_in(s, chunk), s->cols, DX_TILES, s->type);
}

static int64_t tiles(const ds_job *j, int64_t stage)
{
	shape s = shape_of(j);
	int64_t chunk = stage / stages_a_chunk(&s);
	if (chunk == s.n_chunks)
		return 1;
	switch (stage % stages_a_chunk(&s)) {
	case 0:
		return s.n_tiles;
	case 1:
		return ceil_div(rows_in(&s, chunk), ROW_TILE);
	default: {
		ds_tiling t = dx_tiling(j, &s, chunk);
		return t.n_m * t.n_n + ceil_div(s.vocab, DW_TILE);
	}
	}
}

/* ---- what the tiles share ---- */

static size_t logit_bytes(const shape *s)
{
	return s->grad ? (size_t)(s->chunk * s->ld) * ds_dtype_bytes(s->type) : 0;
}

static size_t shared_bytes(const ds_job *j)
{
	shape s = shape_of(j);
	return logit_bytes(&s) + (size_t)((2 * s.n_tiles + 1) * s.chunk) * sizeof(float);
}

/* The chunk's logits, later their gradients, from (i, v) on. */
static void *logits_from(const ds_job *j, const shape *s, int64_t i, int64_t v)
{
	return j->shared + (size_t)(i * s->ld + v) * ds_dtype_bytes(s->type);
}

/* By rows of the chunk: the largest logit in a tile, the tile's sum, the target's logit. */
static float *tops(const ds_job *j, const shape *s, int64_t tile)
{
	return (float *)(j->shared + logit_bytes(s)) + tile * s->chunk;
}

static float *sums(const ds_job *j, const shape *s, int64_t tile)
{
	return tops(j, s, s->n_tiles + tile);
}

static float *at_target(const ds_job *j, const shape *s)
{
	return tops(j, s, 2 * s->n_tiles);
}

/* The row's target, or -1: it has none. */
static int64_t target_of(const ds_job *j, const shape *s, int64_t row)
{
	int32_t t = ((const int32_t *)j->in[3].data)[row];
	return t < s->vocab ? t : -1;
}

/* ---- the three products of a chunk of `rows`, without where their numbers are ---- */

static ds_gemm logits_product(const shape *s, int64_t rows, int64_t tile)
{
	int64_t from = tile * LOGIT_TILE;
	return (ds_gemm){ .type = s->type,
		.a_type = s->x->dtype,
		.b_type = s->w->dtype,
		.b_trans = true,
		.m = rows,
		.n = min_i64(LOGIT_TILE, s->vocab - from),
		.k = s->cols,
		.lda = s->x->ld,
		.ldb = s->w->ld,
		.ldc = LOGIT_TILE };
}

static ds_gemm dx_product(
	const ds_job *j, const shape *s, const ds_tiling *t, int64_t rows, int64_t tile)
{
	int64_t i = tile / t->n_n * t->tm, k = tile % t->n_n * t->tn;
	return (ds_gemm){ .type = s->type,
		.a_type = s->type,
		.b_type = s->w->dtype,
		.a_even = true,
		.m = min_i64(t->tm, rows - i),
		.n = min_i64(t->tn, s->cols - k),
		.k = s->vocab,
		.lda = s->ld,
		.ldb = s->w->ld,
		.ldc = j->out[2].ld };
}

static ds_gemm dw_product(const ds_job *j, const shape *s, int64_t rows, int64_t tile)
{
	return (ds_gemm){ .type = s->type,
		.a_type = s->type,
		.b_type = s->x->dtype,
		.a_trans = true,
		.m = min_i64(DW_TILE, s->vocab - tile * DW_TILE),
		.n = s->cols,
		.k = rows,
		.lda = s->ld,
		.ldb = s->x->ld,
		.ldc = j->out[3].ld };
}

static size_t larger(size_t a, ds_gemm g)
{
	size_t b = ds_cpu_gemm_bytes(&g);
	return a > b ? a : b;
}

/* A tile of logits in f32, as the product leaves it; behind it what the products need. */
static size_t tile_bytes(const shape *s)
{
	return (size_t)(s->chunk * LOGIT_TILE) * sizeof(float);
}

static size_t worker_bytes(const ds_job *j)
{
	shape s = shape_of(j);
	size_t most = 0;
	for (int last = 0; last < 2; last++) {
		int64_t chunk = last ? s.n_chunks - 1 : 0, rows = rows_in(&s, chunk);
		ds_tiling t = dx_tiling(j, &s, chunk);
		most = larger(most, logits_product(&s, rows, 0));
		if (j->out[2].rows)
			most = larger(most, dx_product(j, &s, &t, rows, 0));
		if (j->out[3].rows)
			most = larger(most, dw_product(j, &s, rows, 0));
	}
	return tile_bytes(&s) + most;
}

/* ---- stage 0 ---- */

static void keep(const shape *s, void *to, const float *from, int64_t n)
{
	if (s->type == DS_F32)
		memcpy(to, from, (size_t)n * sizeof(float));
	else
		ds_simd_now()->halve(DS_BF16, to, from, n); /* bf16 for fp16 too: its range */
}

static void logits(const ds_job *j, const shape *s, int64_t chunk, int64_t tile, char *scratch)
{
	const ds_simd *v = ds_simd_now();
	int64_t from = tile * LOGIT_TILE;
	ds_gemm g = logits_product(s, rows_in(s, chunk), tile);
	const float *bias = j->in[2].data ? (const float *)j->in[2].data + from : NULL;
	g.a = elem_of(s->x, chunk * s->chunk, 0);
	g.b = elem_of(s->w, from, 0);
	g.c = (float *)scratch;
	g.workspace = scratch + tile_bytes(s);
	g.beta = bias ? 1 : 0;
	for (int64_t i = 0; bias && i < g.m; i++)
		memcpy(g.c + i * g.ldc, bias, (size_t)g.n * sizeof(float));
	ds_cpu_gemm(&g);
	for (int64_t i = 0; i < g.m; i++) {
		float *z = g.c + i * g.ldc;
		int64_t target = target_of(j, s, chunk * s->chunk + i);
		if (target < 0)
			continue;
		if (target >= from && target < from + g.n)
			at_target(j, s)[i] = z[target - from];
		tops(j, s, tile)[i] = v->max(z, g.n);
		sums(j, s, tile)[i] = v->exp_sum(z, 1, tops(j, s, tile)[i], g.n);
		if (s->grad)
			keep(s, logits_from(j, s, i, from), z, g.n);
	}
}

/* ---- stage 1 ---- */

/* A tile of a row: its numbers times by, less at the target (-1: not here). */
static void rescale(const shape *s, void *z, float by, int64_t n, int64_t target, float less)
{
	const ds_simd *v = ds_simd_now();
	float wide[LOGIT_TILE], *at = s->type == DS_F32 ? z : wide;
	if (s->type != DS_F32)
		v->widen(DS_BF16, wide, z, n);
	v->scale(at, at, by, n);
	if (target >= 0)
		at[target] -= less;
	if (s->type != DS_F32)
		v->halve(s->type, z, wide, n);
}

static void softmax_row(const ds_job *j, const shape *s, int64_t chunk, int64_t i)
{
	int64_t row = chunk * s->chunk + i, target = target_of(j, s, row);
	float *nll = (float *)j->out[1].data + row, inv = *(const float *)j->in[4].data;
	float top = -FLT_MAX, sum = 0;
	size_t size = ds_dtype_bytes(s->type);
	*nll = 0;
	if (s->grad) /* all, or what lies behind the vocabulary */
		memset(logits_from(j, s, i, target < 0 ? 0 : s->vocab), 0,
			(size_t)(target < 0 ? s->ld : s->ld - s->vocab) * size);
	if (target < 0)
		return;
	for (int64_t t = 0; t < s->n_tiles; t++)
		top = fmaxf(top, tops(j, s, t)[i]);
	for (int64_t t = 0; t < s->n_tiles; t++)
		sum += sums(j, s, t)[i] * expf(tops(j, s, t)[i] - top);
	*nll = logf(sum) + top - at_target(j, s)[i];
	for (int64_t t = 0; s->grad && t < s->n_tiles; t++) {
		int64_t from = t * LOGIT_TILE, n = min_i64(LOGIT_TILE, s->vocab - from);
		bool here = target >= from && target < from + n;
		rescale(s, logits_from(j, s, i, from), expf(tops(j, s, t)[i] - top) * inv / sum, n,
			here ? target - from : -1, inv);
	}
}

/* ---- stage 2 ---- */

static void grad_x(const ds_job *j, const shape *s, int64_t chunk, int64_t tile, void *workspace)
{
	ds_tiling t = dx_tiling(j, s, chunk);
	int64_t i = tile / t.n_n * t.tm, k = tile % t.n_n * t.tn;
	ds_gemm g = dx_product(j, s, &t, rows_in(s, chunk), tile);
	g.a = logits_from(j, s, i, 0);
	g.b = elem_of(s->w, 0, k);
	g.c = row_of(&j->out[2], chunk * s->chunk + i) + k;
	g.workspace = workspace;
	ds_cpu_gemm(&g);
}

static void grad_bias(const ds_job *j, const shape *s, int64_t chunk, int64_t tile)
{
	const ds_simd *v = ds_simd_now();
	int64_t from = tile * DW_TILE, n = min_i64(DW_TILE, s->vocab - from);
	float *sum = (float *)j->out[4].data + from, wide[DW_TILE];
	if (chunk == 0 && j->beta[4] == 0)
		memset(sum, 0, (size_t)n * sizeof(float));
	for (int64_t i = 0; i < rows_in(s, chunk); i++) {
		const float *z = logits_from(j, s, i, from);
		if (s->type != DS_F32) {
			v->widen(s->type, wide, logits_from(j, s, i, from), n);
			z = wide;
		}
		v->add(sum, sum, z, n);
	}
}

static void grad_w(const ds_job *j, const shape *s, int64_t chunk, int64_t tile, void *workspace)
{
	if (j->out[3].data) {
		ds_gemm g = dw_product(j, s, rows_in(s, chunk), tile);
		g.a = logits_from(j, s, 0, tile * DW_TILE);
		g.b = elem_of(s->x, chunk * s->chunk, 0);
		g.c = row_of(&j->out[3], tile * DW_TILE);
		g.beta = chunk > 0 ? 1 : j->beta[3];
		g.workspace = workspace;
		ds_cpu_gemm(&g);
	}
	if (j->out[4].data)
		grad_bias(j, s, chunk, tile);
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
	char *scratch = ds_job_worker(j, worker), *workspace = scratch + tile_bytes(&s);
	int64_t chunk = stage / stages_a_chunk(&s), step = stage % stages_a_chunk(&s);
	if (chunk == s.n_chunks) {
		total(j, &s);
	} else if (step == 0) {
		logits(j, &s, chunk, tile, scratch);
	} else if (step == 1) {
		int64_t to = min_i64((tile + 1) * ROW_TILE, rows_in(&s, chunk));
		for (int64_t i = tile * ROW_TILE; i < to; i++)
			softmax_row(j, &s, chunk, i);
	} else {
		ds_tiling t = dx_tiling(j, &s, chunk);
		if (tile < t.n_m * t.n_n)
			grad_x(j, &s, chunk, tile, workspace);
		else
			grad_w(j, &s, chunk, tile - t.n_m * t.n_n, workspace);
	}
}

const ds_kernel ds_cpu_linear_xent = { .stages = stages,
	.tiles = tiles,
	.shared_bytes = shared_bytes,
	.worker_bytes = worker_bytes,
	.tile = xent };
const ds_kernel ds_cpu_linear_xent_grad = { .stages = stages,
	.tiles = tiles,
	.shared_bytes = shared_bytes,
	.worker_bytes = worker_bytes,
	.tile = xent };
