/*
 * matmul.c - products of activations, matrix by matrix, as tiles of each
 *
 * Bound by the product. A tile is one call on one thread with K undivided.
 */
#include "graph/cpu/cpu_impl.h"

static int64_t rows_of_one(const ds_job *j)
{
	const ds_matmul_attr *p = &j->node->attr.matmul;
	return p->a_transposed ? j->in[0].cols : p->a_rows;
}

/* All matrices together give enough tiles sooner than one. */
static ds_tiling tiling(const ds_job *j)
{
	int64_t batch = j->in[0].rows / j->node->attr.matmul.a_rows;
	return ds_cpu_tiling(rows_of_one(j), j->out[0].cols, ceil_div(8, batch), j->in[0].dtype);
}

static int64_t tiles(const ds_job *j, int64_t stage)
{
	ds_tiling t = tiling(j);
	return j->in[0].rows / j->node->attr.matmul.a_rows * t.n_m * t.n_n;
}

/* The tile's product, without its scratch. */
static ds_gemm product(const ds_job *j, int64_t tile)
{
	const ds_matmul_attr *p = &j->node->attr.matmul;
	const ds_operand *a = &j->in[0], *b = &j->in[1];
	ds_tiling t = tiling(j);
	int64_t m = rows_of_one(j), at = tile / (t.n_m * t.n_n), in = tile % (t.n_m * t.n_n);
	int64_t i = in / t.n_n * t.tm, k = in % t.n_n * t.tn;
	ds_gemm g = { .type = a->dtype,
		.a_type = a->dtype,
		.b_type = b->dtype,
		.a_trans = p->a_transposed,
		.b_trans = p->b_transposed,
		.m = min_i64(t.tm, m - i),
		.n = min_i64(t.tn, j->out[0].cols - k),
		.k = p->a_transposed ? p->a_rows : a->cols,
		.lda = a->ld,
		.ldb = b->ld,
		.ldc = j->out[0].ld };
	if (!j->out[0].data) /* only sizes are wanted */
		return g;
	g.a = elem_of(a, at * p->a_rows + (p->a_transposed ? 0 : i), p->a_transposed ? i : 0);
	g.b = elem_of(b, at * p->b_rows + (p->b_transposed ? k : 0), p->b_transposed ? 0 : k);
	g.c = row_of(&j->out[0], at * m + i) + k;
	return g;
}

static size_t workspace_bytes(const ds_job *j)
{
	ds_tiling t = tiling(j);
	size_t most = 0;
	for (int64_t i = 0; i < t.n_m * t.n_n; i++) {
		ds_gemm g = product(j, i);
		size_t n = ds_cpu_gemm_bytes(&g);
		most = n > most ? n : most;
	}
	return most;
}

static void matmul(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	ds_gemm g = product(j, tile);
	g.workspace = ds_job_worker(j, worker);
	ds_cpu_gemm(&g);
}

const ds_kernel ds_cpu_matmul = { .tiles = tiles, .worker_bytes = workspace_bytes, .tile = matmul };
