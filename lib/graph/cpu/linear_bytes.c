/*
 * linear_bytes.c - linear layers whose weights do not change, in 8 bits (ds_compile.bytes)
 *
 * Weights are packed once (prepack.h), rows of x once a run: stage 0. Stage 1 multiplies, by two panels of columns and up to ROWS
 * rows a tile. Bound by reading the weights where there are few rows, as in decoding: a quarter of the bytes of floats.
 */
#include "graph/cpu/bytes.h"
#include "graph/cpu/cpu_impl.h"

enum { ROWS = 256, PAIR = 2 * DS_TILE };

static int64_t stages(const ds_job *j)
{
	return 2;
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

static char *strip(const ds_job *j, int64_t i)
{
	return j->shared + (size_t)i * ds_bytes_strip(j->in[0].cols);
}

static size_t shared_bytes(const ds_job *j)
{
	return (size_t)ceil_div(j->in[0].rows, DS_TILE) * ds_bytes_strip(j->in[0].cols);
}

static ds_tile_rows rows_of(const ds_operand *m)
{
	return (ds_tile_rows){
		.at = m->data, .ld = m->ld, .rows = m->rows, .cols = m->cols, .is_f32 = true
	};
}

static void multiply(const ds_job *j, int64_t tile)
{
	int64_t row = tile / pairs(j) * ROWS, col = tile % pairs(j) * PAIR;
	size_t panel = ds_bytes_panel(j->in[0].cols);
	ds_bytes_multiply(&(ds_bytes_product){ .k = j->in[0].cols,
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
	ds_tile_rows x = rows_of(&j->in[0]);
	if (stage == 0)
		ds_bytes_pack_rows(&x, tile, strip(j, tile));
	else
		multiply(j, tile);
}

/* ---- weights ---- */

static int64_t panels(const ds_job *j)
{
	return ceil_div(j->out[0].cols, DS_TILE);
}

static int form(const ds_job *j)
{
	bool can = j->node->bytes && j->in[0].dtype == DS_F32 && j->in[1].dtype == DS_F32;
	return can ? 16 + j->node->attr.linear.in_out : 0;
}

static size_t prepacked_bytes(const ds_job *j)
{
	return (size_t)panels(j) * ds_bytes_panel(j->in[0].cols);
}

static void prepack(const ds_job *j, int64_t panel, void *to)
{
	ds_tile_rows w = rows_of(&j->in[1]);
	ds_bytes_pack_weights(&w, j->node->attr.linear.in_out, panel,
		(char *)to + (size_t)panel * ds_bytes_panel(j->in[0].cols));
}

const ds_kernel ds_cpu_linear_bytes = { .stages = stages,
	.tiles = tiles,
	.shared_bytes = shared_bytes,
	.tile = linear,
	.fixed = &ds_cpu_linear_prepacked,
	.form = form,
	.prepacked_bytes = prepacked_bytes,
	.prepack_tiles = panels,
	.prepack = prepack };
