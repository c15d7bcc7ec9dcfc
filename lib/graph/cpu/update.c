/*
 * update.c - squares of gradients, AdamW and LAMB; bound by memory: 28 bytes a parameter and step
 *
 * Parameters lie dense, so a tensor is one run of elements. Tiles are 64 Ki elements: 1 MiB over the
 * four arrays, within the second-level cache.
 */
#include "graph/cpu/cpu_impl.h"

#include <math.h>

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
	.stages = norm_stages,
	.tiles = norm_tiles,
	.shared_bytes = norm_bytes,
	.tile = sqnorm,
	.any_type = true,
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

/* ---- lamb: means and sums of squares by tiles, the tensor's factor, the step ---- */

static int64_t lamb_stages(const ds_job *j)
{
	return 3;
}

static int64_t lamb_tiles(const ds_job *j, int64_t stage)
{
	return stage == 1 ? 1 : elem_tiles(j);
}

static size_t lamb_bytes(const ds_job *j) /* two sums a tile, then the factor */
{
	return (size_t)(2 * elem_tiles(j) + 1) * sizeof(double);
}

/* AdamW's step with its decay, before the rate. */
static inline float lamb_step(const ds_adamw_attr *a, const float *hyper, float p, float m, float v)
{
	return m * hyper[1] / (sqrtf(v * hyper[2]) + a->eps) + a->decay * p;
}

static void lamb_means(const ds_job *j, int64_t tile, float factor)
{
	const ds_adamw_attr *a = &j->node->attr.adamw;
	int64_t from = tile * ELEMS, n = min_i64(ELEMS, count(j) - from);
	const float *p = (float *)j->out[0].data + from, *g = (const float *)j->in[1].data + from;
	float *m = (float *)j->out[1].data + from, *v = (float *)j->out[2].data + from;
	double weights = 0, steps = 0;
	for (int64_t i = 0; i < n; i++) {
		float d = g[i] * factor;
		m[i] = a->beta1 * m[i] + (1 - a->beta1) * d;
		v[i] = a->beta2 * v[i] + (1 - a->beta2) * d * d;
		double u = (double)lamb_step(a, j->in[4].data, p[i], m[i], v[i]);
		weights += (double)p[i] * (double)p[i];
		steps += u * u;
	}
	((double *)j->shared)[2 * tile] = weights;
	((double *)j->shared)[2 * tile + 1] = steps;
}

static void lamb_factor(const ds_job *j)
{
	double *sums = (double *)j->shared, weights = 0, steps = 0;
	for (int64_t t = 0; t < elem_tiles(j); t++) {
		weights += sums[2 * t];
		steps += sums[2 * t + 1];
	}
	sums[2 * elem_tiles(j)] = weights > 0 && steps > 0 ? sqrt(weights / steps) : 1;
}

static void lamb_apply(const ds_job *j, int64_t tile)
{
	const float *hyper = j->in[4].data;
	float rate = (float)((double)hyper[0] * ((double *)j->shared)[2 * elem_tiles(j)]);
	int64_t from = tile * ELEMS, n = min_i64(ELEMS, count(j) - from);
	float *p = (float *)j->out[0].data + from;
	const float *m = (float *)j->out[1].data + from, *v = (float *)j->out[2].data + from;
	for (int64_t i = 0; i < n; i++)
		p[i] -= rate * lamb_step(&j->node->attr.adamw, hyper, p[i], m[i], v[i]);
}

static void lamb(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	float factor = *(const float *)j->in[5].data;
	if (factor == 0)
		return;
	if (stage == 0)
		lamb_means(j, tile, factor);
	else if (stage == 1)
		lamb_factor(j);
	else
		lamb_apply(j, tile);
}

const ds_kernel ds_cpu_lamb = {
	.stages = lamb_stages, .tiles = lamb_tiles, .shared_bytes = lamb_bytes, .tile = lamb
};
