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
	return ds_cpu_tiling(j->out[0].rows, j->out[0].cols, j->node->op == DS_OP_linear_dw ? 4 : 8,
		j->in[0].dtype);
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
static const void *w_from(const ds_operand *w, bool along_cols, int64_t at)
{
	return along_cols ? elem_of(w, 0, at) : elem_of(w, at, 0);
}

/* The product of a part: everything but where its numbers are. */
static ds_gemm product(const ds_job *j, const part *p)
{
	const ds_operand *left = &j->in[0], *right = &j->in[1];
	bool in_out = j->node->attr.linear.in_out;
	ds_gemm g = { .type = left->dtype, .m = p->m, .n = p->n, .k = left->cols };
	switch (j->node->op) {
	case DS_OP_linear:
		g.b_trans = !in_out;
		g.beta = j->in[2].data && left->dtype == DS_F32 ? 1 : 0;
		break;
	case DS_OP_linear_dx:
		g.b_trans = in_out;
		g.beta = j->node->in[2] ? 1 : 0;
		break;
	default:
		left = in_out ? &j->in[0] : &j->in[1];
		right = in_out ? &j->in[1] : &j->in[0];
		g.a_trans = true;
		g.k = left->rows;
		g.beta = j->beta[0];
	}
	g.a_type = left->dtype;
	g.b_type = right->dtype;
	g.lda = left->ld;
	g.ldb = right->ld;
	g.ldc = j->out[0].ld;
	return g;
}

static size_t workspace_bytes(const ds_job *j)
{
	size_t most = 0;
	for (int64_t t = 0; t < tiles(j, 0); t++) {
		part p = part_of(j, t);
		ds_gemm g = product(j, &p);
		for (int add = 0; add < 2; add++) {
			g.beta = (float)add;
			size_t n = ds_cpu_gemm_bytes(&g);
			most = n > most ? n : most;
		}
	}
	return most;
}

/* Half types: after the product, while the tile is in the cache. */
static void add_bias(const ds_job *j, const part *p, const float *bias)
{
	for (int64_t i = 0; i < p->m; i++) {
		float *y = row_of(&j->out[0], p->i + i) + p->j;
		ds_simd_now()->add(y, y, bias, p->n);
	}
}

static void linear(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_operand *x = &j->in[0], *y = &j->out[0];
	part p = part_of(j, tile);
	ds_gemm g = product(j, &p);
	const float *bias = j->in[2].data ? (const float *)j->in[2].data + p.j : NULL;
	g.a = elem_of(x, p.i, 0);
	g.b = w_from(&j->in[1], j->node->attr.linear.in_out, p.j);
	g.c = row_of(y, p.i) + p.j;
	g.workspace = ds_job_worker(j, worker);
	for (int64_t i = 0; g.beta != 0 && i < p.m; i++) /* under the product: it adds to this */
		memcpy(g.c + i * y->ld, bias, (size_t)p.n * sizeof(float));
	ds_cpu_gemm(&g);
	if (bias && g.beta == 0)
		add_bias(j, &p, bias);
}

static void linear_dx(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_operand *before = &j->in[2], *dx = &j->out[0];
	part p = part_of(j, tile);
	ds_gemm g = product(j, &p);
	g.a = elem_of(&j->in[0], p.i, 0);
	g.b = w_from(&j->in[1], !j->node->attr.linear.in_out, p.j);
	g.c = row_of(dx, p.i) + p.j;
	g.workspace = ds_job_worker(j, worker);
	for (int64_t i = 0; before->data && before->data != dx->data && i < p.m; i++)
		memcpy(g.c + i * dx->ld, row_of(before, p.i + i) + p.j,
			(size_t)p.n * sizeof(float));
	ds_cpu_gemm(&g);
}

static void linear_dw(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_operand *x = &j->in[0], *dy = &j->in[1];
	bool in_out = j->node->attr.linear.in_out;
	part p = part_of(j, tile);
	ds_gemm g = product(j, &p);
	g.a = elem_of(in_out ? x : dy, 0, p.i);
	g.b = elem_of(in_out ? dy : x, 0, p.j);
	g.c = row_of(&j->out[0], p.i) + p.j;
	g.workspace = ds_job_worker(j, worker);
	ds_cpu_gemm(&g);
}

const ds_kernel ds_cpu_linear = { .tiles = tiles,
	.worker_bytes = workspace_bytes,
	.tile = linear,
	.fixed = &ds_cpu_linear_bytes };
const ds_kernel ds_cpu_linear_dx = {
	.tiles = tiles, .worker_bytes = workspace_bytes, .tile = linear_dx
};
const ds_kernel ds_cpu_linear_dw = {
	.tiles = tiles, .worker_bytes = workspace_bytes, .tile = linear_dw
};

/* ---- bias_grad: sums of columns; a tile has columns of its own and goes down all rows ---- */

enum { BIAS_COLS = 64 };

static int64_t bias_tiles(const ds_job *j, int64_t stage)
{
	return ceil_div(j->in[0].cols, BIAS_COLS);
}

static void bias_grad(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_operand *dy = &j->in[0];
	const ds_simd *v = ds_simd_now();
	int64_t from = tile * BIAS_COLS, n = min_i64(BIAS_COLS, dy->cols - from);
	float sum[BIAS_COLS] = { 0 }, *out = (float *)j->out[0].data + from;
	for (int64_t i = 0; i < dy->rows; i++)
		v->add(sum, sum, row_of(dy, i) + from, n);
	for (int64_t k = 0; k < n; k++)
		out[k] = (j->beta[0] != 0 ? out[k] : 0) + sum[k];
}

const ds_kernel ds_cpu_bias_grad = { .tiles = bias_tiles, .tile = bias_grad };
