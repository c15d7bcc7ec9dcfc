/*
 * update.c - squares of gradients and AdamW; bound by memory: 28 bytes a parameter and step
 *
 * Parameters lie dense, so a tensor is one run of elements. Tiles are 64 Ki elements: 1 MiB over the
 * four arrays, within the second-level cache.
 */
#include "graph/cpu/cpu_impl.h"

enum { ELEMS = 1 << 16 };

static int64_t count(const ds_job *j)
{
	return j->in[0].rows * j->in[0].cols;
}

static int64_t elem_tiles(const ds_job *j)
{
	return ceil_div(count(j), ELEMS);
}

/* ---- sqnorm: a sum a tile, then all in their order ---- */

static int64_t norm_stages(const ds_job *j)
{
	return 2;
}

static int64_t norm_tiles(const ds_job *j, int64_t stage)
{
	return stage == 0 ? elem_tiles(j) : 1;
}

static size_t norm_bytes(const ds_job *j)
{
	return (size_t)elem_tiles(j) * sizeof(double);
}

static void sqnorm(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	double *sums = (double *)j->shared, total = 0;
	if (stage == 0) {
		int64_t from = tile * ELEMS;
		sums[tile] = ds_simd_now()->squares(
			(const float *)j->in[0].data + from, min_i64(ELEMS, count(j) - from));
		return;
	}
	for (int64_t t = 0; t < elem_tiles(j); t++)
		total += sums[t];
	*(double *)j->out[0].data = total;
}

const ds_kernel ds_cpu_sqnorm = {
	.stages = norm_stages, .tiles = norm_tiles, .shared_bytes = norm_bytes, .tile = sqnorm
};

/* ---- adamw ---- */

static int64_t adamw_tiles(const ds_job *j, int64_t stage)
{
	return elem_tiles(j);
}

static void adamw(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_adamw_attr *a = &j->node->attr.adamw;
	const float *hyper = j->in[4].data, factor = *(const float *)j->in[5].data;
	int64_t from = tile * ELEMS, n = min_i64(ELEMS, count(j) - from);
	ds_simd_adamw o = { a->beta1, a->beta2, a->eps, a->decay, hyper[0], hyper[1], hyper[2],
		factor };
	if (factor == 0)
		return;
	ds_simd_now()->adamw(&o, (float *)j->out[0].data + from,
		(const float *)j->in[1].data + from, (float *)j->out[1].data + from,
		(float *)j->out[2].data + from, n);
}

const ds_kernel ds_cpu_adamw = { .tiles = adamw_tiles, .tile = adamw };
