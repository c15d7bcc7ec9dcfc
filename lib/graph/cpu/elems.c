/*
 * elems.c - element by element, row by row; bound by memory, or by exp for the activations
 */
#include "graph/cpu/cpu_impl.h"

#include <math.h>

static void unary(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_simd *v = ds_simd_now();
	int64_t i, to;
	for (tile_rows(j, tile, &i, &to); i < to; i++)
		v->act(j->node->attr.act, row_of(&j->out[0], i), row_of(&j->in[0], i),
			j->out[0].cols);
}

static void unary_grad(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_simd *v = ds_simd_now();
	int64_t i, to;
	for (tile_rows(j, tile, &i, &to); i < to; i++)
		v->act_grad(j->node->attr.act, row_of(&j->out[0], i), row_of(&j->in[0], i),
			row_of(&j->in[1], i), j->out[0].cols);
}

static void glu(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_simd *v = ds_simd_now();
	int64_t i, to;
	for (tile_rows(j, tile, &i, &to); i < to; i++)
		v->glu(j->node->attr.act, row_of(&j->out[0], i), row_of(&j->in[0], i),
			row_of(&j->in[1], i), j->out[0].cols);
}

static void glu_grad(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_simd *v = ds_simd_now();
	int64_t i, to;
	for (tile_rows(j, tile, &i, &to); i < to; i++) {
		float *out[2] = { row_of(&j->out[0], i), row_of(&j->out[1], i) };
		const float *in[3] = { row_of(&j->in[0], i), row_of(&j->in[1], i),
			row_of(&j->in[2], i) };
		v->glu_grad(j->node->attr.act, out, in, j->out[0].cols);
	}
}

static void add(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_simd *v = ds_simd_now();
	int64_t i, to;
	for (tile_rows(j, tile, &i, &to); i < to; i++)
		v->add(row_of(&j->out[0], i), row_of(&j->in[0], i), row_of(&j->in[1], i),
			j->out[0].cols);
}

static void accum(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_simd *v = ds_simd_now();
	int64_t i, to;
	for (tile_rows(j, tile, &i, &to); i < to; i++) {
		float *y = row_of(&j->out[0], i);
		const float *x = row_of(&j->in[0], i);
		if (j->beta[0] != 0)
			v->add(y, y, x, j->out[0].cols);
		else
			v->scale(y, x, 1, j->out[0].cols);
	}
}

static void scale(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_simd *v = ds_simd_now();
	float by = j->node->attr.scale;
	int64_t i, to;
	for (tile_rows(j, tile, &i, &to); i < to; i++)
		v->scale(row_of(&j->out[0], i), row_of(&j->in[0], i), by, j->out[0].cols);
}

static void gain(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_simd *v = ds_simd_now();
	float by = expf(*(const float *)j->in[1].data);
	int64_t i, to;
	for (tile_rows(j, tile, &i, &to); i < to; i++)
		v->scale(row_of(&j->out[0], i), row_of(&j->in[0], i), by, j->out[0].cols);
}

/* Of what a contrastive loss compares: small, and one tile sums in one order. */
static int64_t one_tile(const ds_job *j, int64_t stage)
{
	return 1;
}

static void dot(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	double sum = 0;
	for (int64_t i = 0; i < j->in[0].rows; i++) {
		const float *a = row_of(&j->in[0], i), *b = row_of(&j->in[1], i);
		for (int64_t k = 0; k < j->in[0].cols; k++)
			sum += (double)a[k] * (double)b[k];
	}
	*(float *)j->out[0].data = (float)sum;
}

static void cast(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	int64_t i, to;
	for (tile_rows(j, tile, &i, &to); i < to; i++)
		ds_simd_now()->halve(j->out[0].dtype, (uint16_t *)elem_of(&j->out[0], i, 0),
			row_of(&j->in[0], i), j->out[0].cols);
}

/* Four elements take one block of the generator, so a row may begin within one: its numbers are made
 * from there on, in pieces. */
static void dropout(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	enum { PIECE = 256 };
	const ds_dropout_attr *a = &j->node->attr.dropout;
	const ds_simd *v = ds_simd_now();
	ds_rng rng = ds_dropout_rng(j->run, a->stream);
	float by = (float)(1.0 / (1.0 - (double)a->p)), keep[PIECE];
	int64_t i, to, cols = j->out[0].cols;
	for (tile_rows(j, tile, &i, &to); i < to; i++)
		for (int64_t k = 0, n; k < cols; k += n) {
			uint64_t at = (uint64_t)((j->run->row0 + i) * cols + k);
			int64_t skip = (int64_t)(at % 4);
			n = min_i64(PIECE - skip, cols - k);
			v->keep(keep, rng, at / 4, (skip + n + 3) / 4 * 4, ds_dropout_limit(a->p),
				by);
			v->multiply(row_of(&j->out[0], i) + k, row_of(&j->in[0], i) + k,
				keep + skip, n);
		}
}

const ds_kernel ds_cpu_unary = { .tiles = tiles_of_rows, .tile = unary };
const ds_kernel ds_cpu_unary_grad = { .tiles = tiles_of_rows, .tile = unary_grad };
const ds_kernel ds_cpu_glu = { .tiles = tiles_of_rows, .tile = glu };
const ds_kernel ds_cpu_glu_grad = { .tiles = tiles_of_rows, .tile = glu_grad };
const ds_kernel ds_cpu_add = { .tiles = tiles_of_rows, .tile = add };
const ds_kernel ds_cpu_accum = { .tiles = tiles_of_rows, .tile = accum };
const ds_kernel ds_cpu_scale = { .tiles = tiles_of_rows, .tile = scale };
const ds_kernel ds_cpu_gain = { .tiles = tiles_of_rows, .tile = gain };
const ds_kernel ds_cpu_dot = { .tiles = one_tile, .tile = dot };
const ds_kernel ds_cpu_cast = { .tiles = tiles_of_rows, .tile = cast, .any_type = true };
const ds_kernel ds_cpu_dropout = { .tiles = tiles_of_rows, .tile = dropout };

/* ---- rope: sine and cosine once a row, for all its heads ---- */

static size_t rope_bytes(const ds_job *j)
{
	return (size_t)j->node->attr.rope.rot * sizeof(float);
}

static void rotate_interleaved(
	float *y, const float *x, const float *c, const float *s, int64_t half)
{
	for (int64_t k = 0; k < half; k++) {
		float a = x[2 * k], b = x[2 * k + 1];
		y[2 * k] = a * c[k] - b * s[k];
		y[2 * k + 1] = b * c[k] + a * s[k];
	}
}

static void rope(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_rope_attr *a = &j->node->attr.rope;
	const ds_simd *v = ds_simd_now();
	const int32_t *pos = j->in[1].data;
	int64_t half = a->rot / 2, i, to;
	float *c = ds_job_worker(j, worker), *s = c + half;
	for (tile_rows(j, tile, &i, &to); i < to; i++) {
		v->angles(c, s, pos[i], j->in[2].data, a->factor, half);
		if (a->inverse)
			v->scale(s, s, -1, half);
		for (int64_t h = 0; h < j->out[0].cols; h += a->head_dim) {
			const float *x = row_of(&j->in[0], i) + h;
			float *y = row_of(&j->out[0], i) + h;
			if (a->interleaved)
				rotate_interleaved(y, x, c, s, half);
			else
				v->rotate((float *[]){ y, y + half },
					(const float *[]){ x, x + half }, c, s, half);
			for (int64_t k = a->rot; k < a->head_dim; k++)
				y[k] = x[k];
		}
	}
}

const ds_kernel ds_cpu_rope = { .tiles = tiles_of_rows, .worker_bytes = rope_bytes, .tile = rope };
