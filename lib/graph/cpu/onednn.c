/*
 * onednn.c - the door to oneDNN: matrix products on one thread
 *
 * The library is built with OpenMP and would start threads of its own; each of our threads asks it
 * for one. dnnl_sgemm was as fast as a cached matmul primitive on the shapes of small and middle
 * models (130-175 Gflop/s a core for both on an AVX-512 CPU at M = 256) and takes any strides, so it
 * is all that fp32 needs.
 */
#include "graph/cpu/cpu_impl.h"

#include <dnnl.h>

/* libgomp's; declared here because clang brings another omp.h, or none. */
extern void omp_set_num_threads(int n);

void ds_cpu_gemm(const ds_gemm *g)
{
	static _Thread_local bool is_single;
	if (!is_single) {
		omp_set_num_threads(1);
		is_single = true;
	}
	dnnl_sgemm(g->a_trans ? 'T' : 'N', g->b_trans ? 'T' : 'N', g->m, g->n, g->k, 1.0f, g->a,
		g->lda, g->b, g->ldb, g->beta, g->c, g->ldc);
}

ds_tiling ds_cpu_tiling(int64_t m, int64_t n, int64_t want)
{
	/* 256 x 512: tiles of 128 rows lose about 5 %. */
	ds_tiling t = { 256, 512, 0, 0 };
	for (;;) {
		t.n_m = ceil_div(m, t.tm);
		t.n_n = ceil_div(n, t.tn);
		if (t.n_m * t.n_n >= want || (t.tm <= 64 && t.tn <= 128))
			break;
		if (t.tn > 128 && t.tn / 2 >= t.tm)
			t.tn /= 2;
		else
			t.tm /= 2;
	}
	/* Equal tiles, whole vectors. */
	t.tm = ceil_div(ceil_div(m, t.n_m), 8) * 8;
	t.tn = ceil_div(ceil_div(n, t.n_n), 16) * 16;
	t.n_m = ceil_div(m, t.tm);
	t.n_n = ceil_div(n, t.tn);
	return t;
}
