/*
 * rows.c - gather and scatter-add of rows: tables, caches, and their gradients; bound by memory
 *
 * A gradient is a scatter-add in the order of the indices: every tile has its own range of the table and
 * looks through all indices, which is cheap beside the rows themselves and needs no sorting.
 */
#include "graph/cpu/cpu_impl.h"

#include <string.h>

static void copy(float *y, const float *x, int64_t n)
{
	memcpy(y, x, (size_t)n * sizeof(float));
}

static void take_rows(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const int32_t *ids = j->in[1].data;
	int64_t i, to, cols = j->out[0].cols;
	for (tile_rows(j, tile, &i, &to); i < to; i++) {
		float *y = row_of(&j->out[0], i);
		if (ids[i] >= 0 && ids[i] < j->in[0].rows)
			copy(y, row_of(&j->in[0], ids[i]), cols);
		else
			memset(y, 0, (size_t)cols * sizeof(float));
	}
}

const ds_kernel ds_cpu_embed = { .tiles = tiles_of_rows, .tile = take_rows };
const ds_kernel ds_cpu_rows = { .tiles = tiles_of_rows, .tile = take_rows };

enum { RANGES = 16 };

static int64_t range_tiles(const ds_job *j, int64_t stage)
{
	return min_i64(RANGES, j->out[0].rows);
}

static void give_rows(const ds_job *j, int64_t tile, bool adds)
{
	const ds_simd *v = ds_simd_now();
	const int32_t *ids = j->in[1].data;
	int64_t per = ceil_div(j->out[0].rows, range_tiles(j, 0)), cols = j->out[0].cols;
	int64_t from = tile * per, to = min_i64(from + per, j->out[0].rows);
	for (int64_t i = from; i < to && !adds; i++)
		memset(row_of(&j->out[0], i), 0, (size_t)cols * sizeof(float));
	for (int64_t i = 0; i < j->in[0].rows; i++)
		if (ids[i] >= from && ids[i] < to) {
			float *y = row_of(&j->out[0], ids[i]);
			v->add(y, y, row_of(&j->in[0], i), cols);
		}
}

static void embed_grad(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	give_rows(j, tile, j->beta[0] != 0);
}

static void rows_grad(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	give_rows(j, tile, false);
}

const ds_kernel ds_cpu_embed_grad = { .tiles = range_tiles, .tile = embed_grad };
const ds_kernel ds_cpu_rows_grad = { .tiles = range_tiles, .tile = rows_grad };

/* ---- cache_put ---- */

static int64_t put_tiles(const ds_job *j, int64_t stage)
{
	return ceil_div(j->in[1].rows, rows_a_tile(j->in[1].cols));
}

static void cache_put(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_attention_attr *a = &j->node->attr.attention;
	const int32_t *past = j->in[2].data, *slots = j->in[3].data;
	int64_t cols = j->in[1].cols, from = tile * rows_a_tile(cols);
	int64_t to = min_i64(from + rows_a_tile(cols), j->in[1].rows);
	for (int64_t i = from; i < to; i++) {
		int64_t b = i / a->seq, at = past[b] + i % a->seq;
		if (at >= 0 && at < a->kv_seq)
			copy(row_of(&j->out[0], (slots ? slots[b] : b) * a->kv_seq + at),
				row_of(&j->in[1], i), cols);
	}
}

const ds_kernel ds_cpu_cache_put = { .tiles = put_tiles, .tile = cache_put };

/* ---- pad ---- */

static void pad(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_simd *v = ds_simd_now();
	int64_t i, to, cols = j->out[0].cols;
	for (tile_rows(j, tile, &i, &to); i < to; i++) {
		float *y = row_of(&j->out[0], i), *part = y + j->node->attr.slice.from;
		if (!j->in[1].data)
			memset(y, 0, (size_t)cols * sizeof(float));
		else if (j->in[1].data != j->out[0].data)
			copy(y, row_of(&j->in[1], i), cols);
		v->add(part, part, row_of(&j->in[0], i), j->in[0].cols);
	}
}

const ds_kernel ds_cpu_pad = { .tiles = tiles_of_rows, .tile = pad };
