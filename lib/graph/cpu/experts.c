/*
 * experts.c - rows to their experts and back, bound by memory, and the experts' layers, bound by the product
 *
 * How many rows an expert has is known when it runs, so there are as many tiles as there could be: an expert's rows are
 * cut in parts of BLOCK, which are at most slots / BLOCK and one more an expert, and a tile finds its part or has none.
 * K is not divided. A weight's gradient has the tiles of every expert; its K are the expert's rows.
 */
#include "graph/cpu/cpu_impl.h"

#include <string.h>

/* ---- permute, unpermute ---- */

static void permute(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const int32_t *source = j->in[1].data;
	int64_t i, to, k = j->in[2].cols;
	for (tile_rows(j, tile, &i, &to); i < to; i++)
		memcpy(row_of(&j->out[0], i), row_of(&j->in[0], source[i] / k),
			(size_t)j->out[0].cols * sizeof(float));
}

static void unpermute(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_simd *v = ds_simd_now();
	int64_t i, to, k = j->in[1].cols, cols = j->out[0].cols;
	for (tile_rows(j, tile, &i, &to); i < to; i++) {
		const int32_t *slots = (const int32_t *)elem_of(&j->in[1], i, 0);
		const float *w = j->in[2].data ? row_of(&j->in[2], i) : NULL;
		float *y = row_of(&j->out[0], i);
		v->scale(y, row_of(&j->in[0], slots[0]), w ? w[0] : 1, cols);
		for (int64_t c = 1; c < k; c++)
			v->add_scaled(y, row_of(&j->in[0], slots[c]), w ? w[c] : 1, cols);
	}
}

static void unpermute_grad(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_simd *v = ds_simd_now();
	const int32_t *source = j->in[2].data;
	int64_t i, to, k = j->in[3].cols, cols = j->out[0].cols;
	for (tile_rows(j, tile, &i, &to); i < to; i++) {
		int64_t row = source[i] / k, choice = source[i] % k;
		const float *dy = row_of(&j->in[0], row);
		row_of(&j->out[1], row)[choice] = v->dot(dy, row_of(&j->in[1], i), cols);
		v->scale(row_of(&j->out[0], i), dy, row_of(&j->in[3], row)[choice], cols);
	}
}

const ds_kernel ds_cpu_permute = { .tiles = tiles_of_rows, .tile = permute };
const ds_kernel ds_cpu_unpermute = { .tiles = tiles_of_rows, .tile = unpermute };
const ds_kernel ds_cpu_unpermute_grad = { .tiles = tiles_of_rows, .tile = unpermute_grad };

/* ---- grouped, grouped_dx ---- */

enum { BLOCK = 512, COLUMNS = 512 };

static int64_t n_experts(const ds_job *j)
{
	return j->in[2].cols - 1;
}

/* Columns of a tile: enough tiles for some threads where every expert has one part. */
static int64_t columns(const ds_job *j)
{
	int64_t n = j->out[0].cols, parts = ceil_div(n, COLUMNS);
	while (parts * n_experts(j) < 8 && n / parts > 128)
		parts++;
	return ceil_div(ceil_div(n, parts), 48) *
	       48; /* whole panels of 16-bit floats, and vectors */
}

static int64_t grouped_tiles(const ds_job *j, int64_t stage)
{
	int64_t blocks = j->out[0].rows / BLOCK + n_experts(j) + 1;
	return blocks * ceil_div(j->out[0].cols, columns(j));
}

typedef struct {
	int64_t e, i, m; /* the expert; its rows [i, i + m) */
	int64_t c, n;    /* columns [c, c + n) */
} part;

/* Rows behind the last expert's (what ranks may send, and did not) are 0; there are tiles enough for them too. */
static void clear_rest(const ds_job *j, int64_t block, const part *p)
{
	const int32_t *offsets = j->in[2].data;
	int64_t from = offsets[n_experts(j)] + block * BLOCK, to = from + BLOCK;
	for (int64_t i = from; i < to && i < j->out[0].rows; i++)
		memset(row_of(&j->out[0], i) + p->c, 0, (size_t)p->n * sizeof(float));
}

/* False: there is no such part. */
static bool find_part(const ds_job *j, int64_t tile, part *p)
{
	const int32_t *offsets = j->in[2].data;
	int64_t wide = columns(j), per = ceil_div(j->out[0].cols, wide), block = tile / per;
	p->c = tile % per * wide;
	p->n = min_i64(wide, j->out[0].cols - p->c);
	for (p->e = 0; p->e < n_experts(j); p->e++) {
		int64_t rows = offsets[p->e + 1] - offsets[p->e], here = ceil_div(rows, BLOCK);
		if (block < here) {
			p->i = offsets[p->e] + block * BLOCK;
			p->m = min_i64(BLOCK, offsets[p->e + 1] - p->i);
			return true;
		}
		block -= here;
	}
	clear_rest(j, block, p);
	return false;
}

/* y = x W^T or dx = dy W: without what it is added to, and without memory. */
static ds_gemm grouped_product(const ds_job *j, const part *p)
{
	return (ds_gemm){ .type = j->in[0].dtype,
		.a_type = j->in[0].dtype,
		.b_type = j->in[1].dtype,
		.b_trans = j->node->op == DS_OP_grouped,
		.m = p->m,
		.n = p->n,
		.k = j->in[0].cols,
		.lda = j->in[0].ld,
		.ldb = j->in[1].ld,
		.ldc = j->out[0].ld };
}

static size_t most_bytes(ds_gemm *g, size_t most)
{
	for (int add = 0; add < 2; add++) {
		g->beta = (float)add;
		size_t n = ds_cpu_gemm_bytes(g);
		most = n > most ? n : most;
	}
	return most;
}

static size_t grouped_bytes(const ds_job *j)
{
	int64_t m = min_i64(BLOCK, j->out[0].rows), wide = columns(j), cols = j->out[0].cols;
	size_t most = 0;
	for (int64_t c = 0; c < cols; c += wide) /* fewer rows need no more */
		for (int64_t rows = m; rows > 0; rows /= 2) {
			part p = { .m = rows, .n = min_i64(wide, cols - c) };
			ds_gemm g = grouped_product(j, &p);
			most = most_bytes(&g, most);
		}
	return most;
}

/* The block of rows holds what the product is added to: a bias, or a gradient that was there. */
static bool begin(const ds_job *j, const part *p)
{
	const ds_operand *first = &j->in[3], *y = &j->out[0];
	bool bias = j->node->op == DS_OP_grouped;
	if (!first->data || first->data == y->data)
		return first->data != NULL;
	for (int64_t i = p->i; i < p->i + p->m; i++)
		memcpy(row_of(y, i) + p->c, row_of(first, bias ? p->e : i) + p->c,
			(size_t)p->n * sizeof(float));
	return true;
}

static void grouped(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	part p;
	if (!find_part(j, tile, &p))
		return;
	ds_gemm g = grouped_product(j, &p);
	int64_t w_rows = j->in[1].rows / n_experts(j);
	g.a = elem_of(&j->in[0], p.i, 0);
	g.b = g.b_trans ? elem_of(&j->in[1], p.e * w_rows + p.c, 0)
			: elem_of(&j->in[1], p.e * w_rows, p.c);
	g.c = row_of(&j->out[0], p.i) + p.c;
	g.workspace = ds_job_worker(j, worker);
	g.beta = begin(j, &p) ? 1 : 0;
	ds_cpu_gemm(&g);
}

const ds_kernel ds_cpu_grouped = {
	.tiles = grouped_tiles, .worker_bytes = grouped_bytes, .tile = grouped
};
const ds_kernel ds_cpu_grouped_dx = {
	.tiles = grouped_tiles, .worker_bytes = grouped_bytes, .tile = grouped
};

/* ---- grouped_dw ---- */

static int64_t dw_rows(const ds_job *j)
{
	return j->in[1].cols; /* of one expert */
}

static ds_tiling dw_tiling(const ds_job *j)
{
	return ds_cpu_tiling(dw_rows(j), j->out[0].cols, ceil_div(4, n_experts(j)), j->in[0].dtype);
}

static int64_t dw_tiles(const ds_job *j, int64_t stage)
{
	ds_tiling t = dw_tiling(j);
	return n_experts(j) * t.n_m * t.n_n;
}

static ds_gemm dw_product(const ds_job *j, int64_t i, int64_t c, int64_t k)
{
	ds_tiling t = dw_tiling(j);
	return (ds_gemm){ .type = j->in[0].dtype,
		.a_type = j->in[1].dtype,
		.b_type = j->in[0].dtype,
		.a_trans = true,
		.m = min_i64(t.tm, dw_rows(j) - i),
		.n = min_i64(t.tn, j->out[0].cols - c),
		.k = k,
		.lda = j->in[1].ld,
		.ldb = j->in[0].ld,
		.ldc = j->out[0].ld };
}

static size_t dw_bytes(const ds_job *j)
{
	ds_tiling t = dw_tiling(j);
	size_t most = 0;
	for (int64_t i = 0; i < t.n_m; i++)
		for (int64_t c = 0; c < t.n_n; c++) {
			ds_gemm g = dw_product(j, i * t.tm, c * t.tn, j->in[0].rows);
			most = most_bytes(&g, most);
		}
	return most;
}

static void grouped_dw(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const int32_t *offsets = j->in[2].data;
	ds_tiling t = dw_tiling(j);
	int64_t e = tile / (t.n_m * t.n_n), in = tile % (t.n_m * t.n_n), from = offsets[e];
	int64_t i = in / t.n_n * t.tm, c = in % t.n_n * t.tn;
	ds_gemm g = dw_product(j, i, c, offsets[e + 1] - from);
	g.c = row_of(&j->out[0], e * dw_rows(j) + i) + c;
	g.beta = j->beta[0];
	if (g.k > 0) {
		g.a = elem_of(&j->in[1], from, i);
		g.b = elem_of(&j->in[0], from, c);
		g.workspace = ds_job_worker(j, worker);
		ds_cpu_gemm(&g);
		return;
	}
	for (int64_t r = 0; r < g.m && g.beta == 0; r++) /* nobody came */
		memset(g.c + r * g.ldc, 0, (size_t)g.n * sizeof(float));
}

const ds_kernel ds_cpu_grouped_dw = {
	.tiles = dw_tiles, .worker_bytes = dw_bytes, .tile = grouped_dw
};

/* ---- grouped_db ---- */

static int64_t db_tiles(const ds_job *j, int64_t stage)
{
	return j->out[0].rows;
}

static void grouped_db(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const int32_t *offsets = j->in[1].data;
	const ds_simd *v = ds_simd_now();
	float *sum = row_of(&j->out[0], tile);
	int64_t cols = j->out[0].cols;
	if (j->beta[0] == 0)
		memset(sum, 0, (size_t)cols * sizeof(float));
	for (int64_t i = offsets[tile]; i < offsets[tile + 1]; i++)
		v->add(sum, sum, row_of(&j->in[0], i), cols);
}

const ds_kernel ds_cpu_grouped_db = { .tiles = db_tiles, .tile = grouped_db };
