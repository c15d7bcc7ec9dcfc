/*
 * linear_prepacked.c - linear layers whose weights do not change, on a CPU with tiles
 *
 * Weights are packed once (prepack.h) and rows of x once a run: stage 0. Then every stage adds up a part of the common
 * k, for which all rows stay in the second-level cache, by two panels of columns; a tile has up to ROWS rows.
 *
 * Floats take three halves a weight, six bytes for four: that pays where there are rows enough for the product to be bound by
 * multiplying, not by reading weights, so decoding in fp32 asks for no fixed weights (infer/slots.c).
 */
#include "graph/cpu/cpu_impl.h"
#include "graph/cpu/tiles.h"

#include "base/cpu.h"

enum { ROWS = 512, PAIR = 2 * DS_TILE };

static int parts_of(const ds_job *j)
{
	return j->in[0].dtype == DS_F32 ? 3 : 1;
}

/* Tiles of k that a stage takes: 512 rows of them are 1.2 MiB, or 1 MiB. */
static int64_t tiles_a_stage(const ds_job *j)
{
	return parts_of(j) == 3 ? 12 : 32;
}

static int64_t k_tiles(const ds_job *j)
{
	return ceil_div(j->in[0].cols, DS_TILE_K);
}

static int64_t stages(const ds_job *j)
{
	return 1 + ceil_div(k_tiles(j), tiles_a_stage(j));
}

static int64_t pairs(const ds_job *j)
{
	return ceil_div(j->out[0].cols, PAIR);
}

static int64_t tiles(const ds_job *j, int64_t stage)
{
	return stage == 0 ? ceil_div(j->in[0].rows, DS_TILE)
			  : ceil_div(j->in[0].rows, ROWS) * pairs(j);
}

static size_t shared_bytes(const ds_job *j)
{
	return ds_tiles_bytes(parts_of(j), j->in[0].rows, j->in[0].cols);
}

static char *strip(const ds_job *j, int64_t i)
{
	return j->shared + (size_t)i * ds_tiles_bytes(parts_of(j), DS_TILE, j->in[0].cols);
}

static ds_tile_rows rows_of(const ds_operand *m, int parts)
{
	return (ds_tile_rows){ .at = m->data,
		.ld = m->ld,
		.rows = m->rows,
		.cols = m->cols,
		.is_f32 = m->dtype == DS_F32,
		.parts = parts };
}

static void multiply(const ds_job *j, int64_t stage, int64_t tile)
{
	int64_t row = tile / pairs(j) * ROWS, col = tile % pairs(j) * PAIR;
	int64_t from = (stage - 1) * tiles_a_stage(j);
	size_t panel = ds_tiles_bytes(parts_of(j), DS_TILE, j->in[0].cols);
	ds_tiles_multiply(&(ds_tile_product){ .parts = parts_of(j),
		.tiles = k_tiles(j),
		.from = from,
		.to = min_i64(from + tiles_a_stage(j), k_tiles(j)),
		.a = strip(j, row / DS_TILE),
		.b = (const char *)j->prepacked + (size_t)(col / DS_TILE) * panel,
		.m = min_i64(ROWS, j->out[0].rows - row),
		.n = min_i64(PAIR, j->out[0].cols - col),
		.bias = j->in[2].data ? (const float *)j->in[2].data + col : NULL,
		.c = row_of(&j->out[0], row) + col,
		.ldc = j->out[0].ld });
}

static void linear(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	ds_tile_rows x = rows_of(&j->in[0], parts_of(j));
	if (stage == 0)
		ds_tiles_pack_rows(&x, tile, strip(j, tile));
	else
		multiply(j, stage, tile);
}

/* ---- weights ---- */

static int form(const ds_job *j)
{
	ds_dtype type = j->in[0].dtype, w = j->in[1].dtype;
	bool can = ds_cpu_has_amx() && (w == DS_F32 || w == type) &&
		   (type == DS_BF16 || type == DS_F32);
	return can ? 2 * parts_of(j) + j->node->attr.linear.in_out : 0;
}

static size_t prepacked_bytes(const ds_job *j)
{
	return ds_tiles_bytes(parts_of(j), j->out[0].cols, j->in[0].cols);
}

static int64_t panels(const ds_job *j)
{
	return ceil_div(j->out[0].cols, DS_TILE);
}

static void prepack(const ds_job *j, int64_t panel, void *to)
{
	ds_tile_rows w = rows_of(&j->in[1], parts_of(j));
	size_t each = ds_tiles_bytes(w.parts, DS_TILE, j->in[0].cols);
	ds_tiles_pack_weights(
		&w, j->node->attr.linear.in_out, panel, (char *)to + (size_t)panel * each);
}

const ds_kernel ds_cpu_linear_prepacked = { .stages = stages,
	.tiles = tiles,
	.shared_bytes = shared_bytes,
	.tile = linear,
	.form = form,
	.prepacked_bytes = prepacked_bytes,
	.prepack_tiles = panels,
	.prepack = prepack };
