/*
 * onednn.c - the door to oneDNN: matrix products on one thread
 *
 * The library is built with OpenMP and would start threads of its own; each of our threads asks it
 * for one. dnnl_sgemm was as fast as a cached matmul primitive on the shapes of small and middle
 * models (130-175 Gflop/s a core for both on an AVX-512 CPU at M = 256) and takes any strides, so it
 * is all that is asked of it. bf16 goes to gemm_amx.c where the CPU has tiles, to gemm_avx512bf16.c where it has the instruction: as
 * fast as the library's primitives, which want both operands in bf16. Where the CPU has AVX2 alone,
 * products of all types are gemm_avx2.c's.
 */
#include "base/cpu.h"
#include "base/mem.h"
#include "graph/cpu/cpu_impl.h"

#include <dnnl.h>

/* libgomp's; declared here because clang brings another omp.h, or none. */
extern void omp_set_num_threads(int n);

static void on_one_thread(void)
{
	static _Thread_local bool is_single;
	if (!is_single)
		omp_set_num_threads(1);
	is_single = true;
}

/* ---- 16-bit floats without instructions for them: by blocks, in f32 ---- */

enum { PART_M = 256, PART_N = 512, PART_K = 512 };

/* Rows of a stored matrix from element `at` on, as floats that were rounded to `type`. */
static void widen(ds_dtype type, ds_dtype from_type, float *to, const void *from, int64_t at,
	int64_t ld, int64_t rows, int64_t cols)
{
	const ds_simd *v = ds_simd_now();
	uint16_t half[PART_N > PART_K ? PART_N : PART_K];
	for (int64_t i = 0; i < rows; i++, at += ld, to += cols) {
		const uint16_t *h = (const uint16_t *)from + at;
		if (from_type == DS_F32) {
			v->halve(type, half, (const float *)from + at, cols);
			h = half;
		}
		v->widen(type, to, h, cols);
	}
}

static void run_part(const ds_gemm *g, int64_t i, int64_t j, int64_t k)
{
	ds_gemm p = *g;
	float *a = g->workspace, *b = a + PART_M * PART_K;
	p.type = p.a_type = p.b_type = DS_F32;
	p.m = min_i64(PART_M, g->m - i);
	p.n = min_i64(PART_N, g->n - j);
	p.k = min_i64(PART_K, g->k - k);
	p.lda = g->a_trans ? p.m : p.k;
	p.ldb = g->b_trans ? p.k : p.n;
	widen(g->type, g->a_type, a, g->a, g->a_trans ? k * g->lda + i : i * g->lda + k, g->lda,
		g->a_trans ? p.k : p.m, p.lda);
	widen(g->type, g->b_type, b, g->b, g->b_trans ? j * g->ldb + k : k * g->ldb + j, g->ldb,
		g->b_trans ? p.n : p.k, p.ldb);
	p.a = a;
	p.b = b;
	p.beta = k > 0 ? 1 : g->beta;
	p.c = g->c + i * g->ldc + j;
	ds_cpu_gemm(&p);
}

static void run_parts(const ds_gemm *g)
{
	for (int64_t i = 0; i < g->m; i += PART_M)
		for (int64_t j = 0; j < g->n; j += PART_N)
			for (int64_t k = 0; k < g->k; k += PART_K)
				run_part(g, i, j, k);
}

static bool has_product(ds_dtype type)
{
	return type == DS_BF16 && ds_cpu_has_bf16();
}

static bool has_tiles(ds_dtype type)
{
	return type == DS_BF16 && ds_cpu_has_amx();
}

/* Few rows do not pay for packing B (0.89 of the library's speed at 64, 1.0 to 1.14 at 256). */
static bool is_avx2(const ds_gemm *g)
{
	return ds_cpu_level() == DS_CPU_AVX2 && (g->type != DS_F32 || g->m >= 96);
}

size_t ds_cpu_gemm_bytes(const ds_gemm *g)
{
	if (is_avx2(g))
		return ds_cpu_gemm_avx2_bytes(g);
	if (g->type == DS_F32)
		return 0;
	if (has_tiles(g->type))
		return ds_cpu_gemm_amx_bytes(g);
	if (has_product(g->type))
		return ds_cpu_gemm_bf16_bytes(g);
	return (PART_M + PART_N) * PART_K * sizeof(float);
}

void ds_cpu_gemm(const ds_gemm *g)
{
	if (has_tiles(g->type)) {
		ds_cpu_gemm_amx(g);
		return;
	}
	if (has_product(g->type)) {
		ds_cpu_gemm_bf16(g);
		return;
	}
	if (is_avx2(g)) {
		ds_cpu_gemm_avx2(g);
		return;
	}
	if (g->type != DS_F32) {
		run_parts(g);
		return;
	}
	on_one_thread();
	/* It makes code and room for itself; a product that was not computed must not be taken for one. */
	if (dnnl_sgemm(g->a_trans ? 'T' : 'N', g->b_trans ? 'T' : 'N', g->m, g->n, g->k, 1.0f, g->a,
		    g->lda, g->b, g->ldb, g->beta, g->c, g->ldc) != dnnl_success)
		ds_mem_out(0);
}

/* f32: 256 x 512, tiles of 128 rows lose about 5 %. 16 bits: a tile packs its columns of B for
 * itself, so it has all rows that there are, up to 512; 96 columns are two panels. */
ds_tiling ds_cpu_tiling(int64_t m, int64_t n, int64_t want, ds_dtype type)
{
	bool half = type != DS_F32;
	int64_t least_m = half ? 256 : 64, least_n = half ? 96 : 128, by = half ? 48 : 16;
	ds_tiling t = { half ? 512 : 256, half ? 768 : 512, 0, 0 };
	for (;;) {
		t.n_m = ceil_div(m, t.tm);
		t.n_n = ceil_div(n, t.tn);
		if (t.n_m * t.n_n >= want || (t.tm <= least_m && t.tn <= least_n))
			break;
		if (t.tn > least_n && (half || t.tn / 2 >= t.tm))
			t.tn /= 2;
		else
			t.tm /= 2;
	}
	/* Equal tiles, whole vectors or panels. */
	t.tm = ceil_div(ceil_div(m, t.n_m), 8) * 8;
	t.tn = ceil_div(ceil_div(n, t.n_n), by) * by;
	t.n_m = ceil_div(m, t.tm);
	t.n_n = ceil_div(n, t.tn);
	return t;
}
