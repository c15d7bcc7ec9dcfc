/*
 * norm.c - LayerNorm and RMSNorm by rows; bound by memory
 *
 * The gradient also sums over rows, for w and b: every tile of rows sums into a row of its own in
 * the shared scratch (stage 0), and these are added in their order (stage 1).
 */
#include "graph/cpu/cpu_impl.h"

#include <string.h>

static float *row_or_null(const ds_arg_t *a, int64_t i)
{
	return a->data ? row_of(a, i) : NULL;
}

static void norm(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_simd *v = ds_simd_now();
	int64_t i, to;
	for (tile_rows(j, tile, &i, &to); i < to; i++)
		v->norm(&(ds_simd_norm){ .n = j->in[0].cols,
			.rms = j->node->attr.norm.rms,
			.eps = j->node->attr.norm.eps,
			.x = row_of(&j->in[0], i),
			.add = row_or_null(&j->in[1], i),
			.w = j->in[2].data,
			.b = j->in[3].data,
			.y = row_of(&j->out[0], i),
			.sum = row_or_null(&j->out[1], i),
			.stats = row_of(&j->out[2], i) });
}

const ds_kernel ds_cpu_norm = { .tiles = tiles_of_rows, .tile = norm };

/* ---- gradient ---- */

enum { SUM_COLS = 256 }; /* columns a tile of stage 1 adds up */

static int64_t parts(const ds_job *j)
{
	return ceil_div(j->in[0].rows, rows_a_tile(j->in[0].cols));
}

static int64_t stages(const ds_job *j)
{
	return 2;
}

static int64_t grad_tiles(const ds_job *j, int64_t stage)
{
	return stage == 0 ? parts(j) : ceil_div(j->in[0].cols, SUM_COLS);
}

static size_t shared_bytes(const ds_job *j)
{
	return (size_t)(2 * parts(j) * j->in[0].cols) * sizeof(float);
}

/* Where part p keeps its sums for w (k = 0) or b (1). */
static float *sums(const ds_job *j, int64_t p, int k)
{
	return (float *)j->shared + (2 * p + k) * j->in[0].cols;
}

static void grad_rows(const ds_job *j, int64_t tile)
{
	const ds_simd *v = ds_simd_now();
	int64_t cols = j->in[0].cols, from = tile * rows_a_tile(cols);
	int64_t to = min_i64(from + rows_a_tile(cols), j->in[0].rows);
	memset(sums(j, tile, 0), 0, (size_t)(2 * cols) * sizeof(float));
	for (int64_t i = from; i < to; i++)
		v->norm_grad(&(ds_simd_norm_grad){ .n = cols,
			.rms = j->node->attr.norm.rms,
			.dy = row_of(&j->in[0], i),
			.s = row_of(&j->in[1], i),
			.w = j->in[2].data,
			.stats = row_of(&j->in[3], i),
			.add = row_or_null(&j->in[4], i),
			.ds = row_or_null(&j->out[0], i),
			.dw = j->out[1].data ? sums(j, tile, 0) : NULL,
			.db = j->out[2].data ? sums(j, tile, 1) : NULL });
}

static void grad_sums(const ds_job *j, int64_t tile)
{
	const ds_simd *v = ds_simd_now();
	int64_t from = tile * SUM_COLS, n = min_i64(SUM_COLS, j->in[0].cols - from);
	for (int k = 0; k < 2; k++) {
		const ds_arg_t *d = &j->out[1 + k];
		if (!d->data)
			continue;
		float *out = (float *)d->data + from;
		if (j->beta[1 + k] == 0)
			memset(out, 0, (size_t)n * sizeof(float));
		for (int64_t p = 0; p < parts(j); p++)
			v->add(out, out, sums(j, p, k) + from, n);
	}
}

static void norm_grad(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	if (stage == 0)
		grad_rows(j, tile);
	else
		grad_sums(j, tile);
}

const ds_kernel ds_cpu_norm_grad = {
	.stages = stages, .tiles = grad_tiles, .shared_bytes = shared_bytes, .tile = norm_grad
};
