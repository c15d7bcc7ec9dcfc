/*
 * test_precision.c - products of operands of all types, against sums in double
 */
#include "base/cpu.h"
#include "base/half.h"
#include "base/mem.h"
#include "base/rng.h"
#include "graph/cpu/cpu_impl.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MOST = 700 };

/* f32 operands are numbers that bf16 holds, so that one array of halves stands for all types. */
static uint16_t half_of(ds_dtype type, float f)
{
	return type == DS_F16 ? ds_f16_of_f32(f) : ds_bf16_of_f32(f);
}

static double value(ds_dtype type, uint16_t h)
{
	return (double)(type == DS_F16 ? ds_f32_of_f16(h) : ds_f32_of_bf16(h));
}

/* n numbers, rounded; as they lie in type `lies`, those before rounding where that is f32. */
static void *factor(const ds_gemm *g, ds_dtype lies, uint16_t *rounded, size_t n, uint64_t from)
{
	float *wide = ds_mem_get(n * 4 + 4);
	for (size_t i = 0; i < n; i++) {
		wide[i] = (float)ds_rng_normal(ds_rng_of(7, 1), from + i);
		rounded[i] = half_of(g->type, wide[i]);
	}
	for (size_t i = 0; g->type == DS_F32 && i < n; i++)
		wide[i] = ds_f32_of_bf16(rounded[i]);
	if (lies != DS_F32)
		memcpy(wide, rounded, n * 2);
	return wide;
}

typedef struct {
	void (*run)(const ds_gemm *g);
	size_t (*workspace)(const ds_gemm *g);
	bool bf16_alone;
} product;

/* The largest difference to the sums in double, over the largest sum. */
static double worst(const product *p, ds_gemm *g)
{
	size_t na = (size_t)(g->a_trans ? g->k * g->lda : g->m * g->lda);
	size_t nb = (size_t)(g->b_trans ? g->n * g->ldb : g->k * g->ldb),
	       nc = (size_t)(g->m * g->ldc);
	uint16_t *a = ds_mem_get(na * 2), *b = ds_mem_get(nb * 2);
	float *c = ds_mem_get(nc * 4);
	double *want = ds_mem_get(nc * 8), apart = 0, largest = 0;
	void *a_lies = factor(g, g->a_type, a, na, 0), *b_lies = factor(g, g->b_type, b, nb, na);
	for (size_t i = 0; i < nc; i++)
		want[i] = (double)(c[i] = (float)i / (float)nc);
	for (int64_t i = 0; i < g->m; i++)
		for (int64_t j = 0; j < g->n; j++) {
			double sum = g->beta != 0 ? want[i * g->ldc + j] : 0;
			for (int64_t k = 0; k < g->k; k++)
				sum += value(g->type,
					       a[g->a_trans ? k * g->lda + i : i * g->lda + k]) *
				       value(g->type,
					       b[g->b_trans ? j * g->ldb + k : k * g->ldb + j]);
			want[i * g->ldc + j] = sum;
			largest = fmax(largest, fabs(sum));
		}
	g->a = a_lies;
	g->b = b_lies;
	g->c = c;
	g->workspace = ds_mem_get(p->workspace(g) + 64);
	p->run(g);
	for (size_t i = 0; i < nc; i++)
		apart = fmax(apart, fabs((double)c[i] - want[i]));
	ds_mem_free(g->workspace);
	ds_mem_free(a_lies);
	ds_mem_free(b_lies);
	ds_mem_free(a);
	ds_mem_free(b);
	ds_mem_free(c);
	ds_mem_free(want);
	return apart / largest;
}

static void check_products(const product *p)
{
	static const ds_dtype types[] = { DS_BF16, DS_F16, DS_F32 };
	static const int64_t shapes[][3] = { { 1, 1, 1 }, { 3, 50, 17 }, { 65, 33, 129 },
		{ 300, 520, 20 }, { 8, 16, MOST }, { 530, 97, 523 }, { 283, 37, 64 } };
	for (int t = 0; t < (p->bf16_alone ? 1 : 3); t++)
		for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++)
			for (int k = 0; k < 64; k++) {
				int64_t m = shapes[s][0], n = shapes[s][1], depth = shapes[s][2];
				ds_gemm g = { .type = types[t],
					.a_type = k & 8 ? DS_F32 : types[t],
					.b_type = k & 16 ? DS_F32 : types[t],
					.a_even = k & 32,
					.a_trans = k & 1,
					.b_trans = k & 2,
					.beta = k & 4 ? 1 : 0,
					.m = m,
					.n = n,
					.k = depth,
					.lda = (k & 1 ? m : depth) + 5,
					.ldb = (k & 2 ? depth : n) + 3,
					.ldc = n + 7 };
				double w = worst(p, &g);
				if (!(w < 2e-6))
					fail_msg("%s %dx%dx%d, case %d: %g",
						ds_dtype_name(types[t]), (int)m, (int)n, (int)depth,
						k, w);
			}
}

static void products_are_those_of_the_rounded_operands(void **state)
{
	check_products(&(product){ ds_cpu_gemm, ds_cpu_gemm_bytes, false });
}

static void products_of_bf16_without_tiles_are_too(void **state)
{
	if (!ds_cpu_has_bf16())
		skip();
	check_products(&(product){ ds_cpu_gemm_bf16, ds_cpu_gemm_bf16_bytes, true });
}

static void products_by_avx2_are_too(void **state)
{
	if (ds_cpu_level() < DS_CPU_AVX2)
		skip();
	check_products(&(product){ ds_cpu_gemm_avx2, ds_cpu_gemm_avx2_bytes, false });
}

static void rounding_is_to_nearest_even_in_every_width(void **state)
{
	static const ds_simd *const widths[] = { &ds_simd_plain, NULL };
	float in[600], back[600],
		edge[] = { 0, -0.0f, INFINITY, -INFINITY, NAN, 65504, 65520, 1e-8f, 1e38f,
			1.00390625f, 1.01171875f, 6e-8f };
	uint16_t out[600];
	for (int i = 0; i < 600; i++)
		in[i] = i < 12 ? edge[i] : (float)ds_rng_normal(ds_rng_of(3, 3), (uint64_t)i);
	for (int w = 0; w < 2; w++)
		for (int t = DS_BF16; t <= DS_F16; t++) {
			const ds_simd *v = widths[w] ? widths[w] : ds_simd_now();
			v->halve((ds_dtype)t, out, in, 597);
			v->widen((ds_dtype)t, back, out, 597);
			for (int i = 0; i < 597; i++) {
				if (isnan(in[i])) {
					assert_true(isnan(back[i]));
					continue;
				}
				assert_int_equal(out[i], half_of((ds_dtype)t, in[i]));
				assert_true((double)back[i] == value((ds_dtype)t, out[i]));
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(products_are_those_of_the_rounded_operands),
		cmocka_unit_test(products_of_bf16_without_tiles_are_too),
		cmocka_unit_test(products_by_avx2_are_too),
		cmocka_unit_test(rounding_is_to_nearest_even_in_every_width),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
