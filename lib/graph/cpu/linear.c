/*
 * linear.c - linear layers and their gradients, as tiles of matrix products
 *
 * Bound by the product. A tile of the output is one call on one thread with K undivided. The bias is
 * added while the tile is in the cache. linear_dx adds to what it is given in place where the plan
 * made them one; dW is added to the parameter's gradient by the product itself.
 */
#include "graph/cpu/cpu_impl.h"

#include <string.h>

/* Fewer tiles leave threads idle. A weight's gradient is cut less: with its long K small tiles lose
 * more, and it runs beside linear_dx in one wave. */
static ds_tiling tiling(const ds_job *j)
{
	return ds_cpu_tiling(
		j->out[0].rows, j->out[0].cols, j->node->op == DS_OP_linear_dw ? 4 : 8);
}

static int64_t tiles(const ds_job *j, int64_t stage)
{
	ds_tiling t = tiling(j);
	return t.n_m * t.n_n;
}

typedef struct {
	int64_t i, j, m, n; /* where and how large */
} part;

static part part_of(const ds_job *j, int64_t tile)
{
	ds_tiling t = tiling(j);
	part p = { .i = tile / t.n_n * t.tm, .j = tile % t.n_n * t.tn };
	p.m = min_i64(t.tm, j->out[0].rows - p.i);
	p.n = min_i64(t.tn, j->out[0].cols - p.j);
	return p;
}

/* The columns (of y) or rows from `at` on of W, whichever way it lies. */
static const float *w_from(const ds_arg_t *w, bool along_cols, int64_t at)
{
	return (const float *)w->data + (along_cols ? at : at * w->ld);
}

static void linear(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_arg_t *x = &j->in[0], *w = &j->in[1], *y = &j->out[0];
	bool in_out = j->node->attr.linear.in_out;
	part p = part_of(j, tile);
	float *c = row_of(y, p.i) + p.j;
	const float *bias = j->in[2].data ? (const float *)j->in[2].data + p.j : NULL;
	for (int64_t i = 0; bias && i < p.m; i++) /* under the product: it adds to this */
		memcpy(c + i * y->ld, bias, (size_t)p.n * sizeof(float));
	ds_cpu_gemm(&(ds_gemm){ .b_trans = !in_out,
		.m = p.m,
		.n = p.n,
		.k = x->cols,
		.a = row_of(x, p.i),
		.lda = x->ld,
		.b = w_from(w, in_out, p.j),
		.ldb = w->ld,
		.beta = bias ? 1 : 0,
		.c = c,
		.ldc = y->ld });
}

static void linear_dx(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_arg_t *dy = &j->in[0], *w = &j->in[1], *before = &j->in[2], *dx = &j->out[0];
	bool in_out = j->node->attr.linear.in_out;
	part p = part_of(j, tile);
	float *c = row_of(dx, p.i) + p.j;
	for (int64_t i = 0; before->data && before->data != dx->data && i < p.m; i++)
		memcpy(c + i * dx->ld, row_of(before, p.i + i) + p.j, (size_t)p.n * sizeof(float));
	ds_cpu_gemm(&(ds_gemm){ .b_trans = in_out,
		.m = p.m,
		.n = p.n,
		.k = dy->cols,
		.a = row_of(dy, p.i),
		.lda = dy->ld,
		.b = w_from(w, !in_out, p.j),
		.ldb = w->ld,
		.beta = before->data ? 1 : 0,
		.c = c,
		.ldc = dx->ld });
}

static void linear_dw(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_arg_t *x = &j->in[0], *dy = &j->in[1], *dw = &j->out[0];
	bool in_out = j->node->attr.linear.in_out;
	const ds_arg_t *left = in_out ? x : dy, *right = in_out ? dy : x;
	part p = part_of(j, tile);
	ds_cpu_gemm(&(ds_gemm){ .a_trans = true,
		.m = p.m,
		.n = p.n,
		.k = x->rows,
		.a = (const float *)left->data + p.i,
		.lda = left->ld,
		.b = (const float *)right->data + p.j,
		.ldb = right->ld,
		.beta = j->beta[0],
		.c = row_of(dw, p.i) + p.j,
		.ldc = dw->ld });
}

const ds_kernel ds_cpu_linear = { .tiles = tiles, .tile = linear };
const ds_kernel ds_cpu_linear_dx = { .tiles = tiles, .tile = linear_dx };
const ds_kernel ds_cpu_linear_dw = { .tiles = tiles, .tile = linear_dw };

/* ---- bias_grad: sums of columns; a tile has columns of its own and goes down all rows ---- */

enum { BIAS_COLS = 64 };

static int64_t bias_tiles(const ds_job *j, int64_t stage)
{
	return ceil_div(j->in[0].cols, BIAS_COLS);
}

static void bias_grad(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_arg_t *dy = &j->in[0];
	const ds_simd *v = ds_simd_now();
	int64_t from = tile * BIAS_COLS, n = min_i64(BIAS_COLS, dy->cols - from);
	float sum[BIAS_COLS] = { 0 }, *out = (float *)j->out[0].data + from;
	for (int64_t i = 0; i < dy->rows; i++)
		v->add(sum, sum, row_of(dy, i) + from, n);
	for (int64_t k = 0; k < n; k++)
		out[k] = (j->beta[0] != 0 ? out[k] : 0) + sum[k];
}

const ds_kernel ds_cpu_bias_grad = { .tiles = bias_tiles, .tile = bias_grad };
