/*
 * norm.c - LayerNorm and RMSNorm by rows, or by parts of them as wide as w; bound by memory
 *
 * The gradient also sums over rows, for w and b: every tile of rows sums into a row of its own in
 * the shared scratch (stage 0), and these are added in their order (stage 1).
 */
#include "graph/cpu/cpu_impl.h"

#include <string.h>

/* Row i from a column on; NULL where there is no such tensor. */
static float *part_of(const ds_operand *a, int64_t i, int64_t from)
{
	return a->data ? row_of(a, i) + from : NULL;
}

static int64_t width(const ds_job *j)
{
	return j->in[2].cols;
}

static void norm(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_simd *v = ds_simd_now();
	int64_t i, to, n = width(j);
	for (tile_rows(j, tile, &i, &to); i < to; i++)
		for (int64_t from = 0; from < j->in[0].cols; from += n)
			v->norm(&(ds_simd_norm){ .n = n,
				.rms = j->node->attr.norm.rms,
				.eps = j->node->attr.norm.eps,
				.x = part_of(&j->in[0], i, from),
				.add = part_of(&j->in[1], i, from),
				.w = j->in[2].data,
				.b = j->in[3].data,
				.y = part_of(&j->out[0], i, from),
				.sum = part_of(&j->out[1], i, from),
				.stats = row_of(&j->out[2], i) + 2 * (from / n) });
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
	return stage == 0 ? parts(j) : ceil_div(width(j), SUM_COLS);
}

static size_t shared_bytes(const ds_job *j)
{
	return (size_t)(2 * parts(j) * width(j)) * sizeof(float);
}

/* Where part p keeps its sums for w (k = 0) or b (1). */
static float *sums(const ds_job *j, int64_t p, int k)
{
	return (float *)j->shared + (2 * p + k) * width(j);
}

static void grad_rows(const ds_job *j, int64_t tile)
{
	const ds_simd *v = ds_simd_now();
	int64_t n = width(j), cols = j->in[0].cols, first = tile * rows_a_tile(cols);
	int64_t to = min_i64(first + rows_a_tile(cols), j->in[0].rows);
	memset(sums(j, tile, 0), 0, (size_t)(2 * n) * sizeof(float));
	for (int64_t i = first; i < to; i++)
		for (int64_t from = 0; from < cols; from += n)
			v->norm_grad(&(ds_simd_norm_grad){ .n = n,
				.rms = j->node->attr.norm.rms,
				.dy = part_of(&j->in[0], i, from),
				.s = part_of(&j->in[1], i, from),
				.w = j->in[2].data,
				.stats = row_of(&j->in[3], i) + 2 * (from / n),
				.add = part_of(&j->in[4], i, from),
				.ds = part_of(&j->out[0], i, from),
				.dw = j->out[1].data ? sums(j, tile, 0) : NULL,
				.db = j->out[2].data ? sums(j, tile, 1) : NULL });
}

static void grad_sums(const ds_job *j, int64_t tile)
{
	const ds_simd *v = ds_simd_now();
	int64_t from = tile * SUM_COLS, n = min_i64(SUM_COLS, width(j) - from);
	for (int k = 0; k < 2; k++) {
		const ds_operand *d = &j->out[1 + k];
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
