/*
 * test_simd.c - the three widths of simd.h against libm in double, and against one another
 *
 * Bounds are relative to the largest value of a row, as simd.h states them.
 */
#include "base/cpu.h"
#include "base/rng.h"
#include "graph/cpu/simd.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { N = 75 }; /* no multiple of any width */

static const ds_simd *levels[3];
static int n_levels;

static int find_levels(void **state)
{
	levels[n_levels++] = &ds_simd_plain;
	if (ds_cpu_level() >= DS_CPU_AVX2)
		levels[n_levels++] = &ds_simd_avx2;
	if (ds_cpu_level() >= DS_CPU_AVX512)
		levels[n_levels++] = &ds_simd_avx512;
	return 0;
}

static void fill(float *x, int64_t n, uint64_t stream, float scale)
{
	for (int64_t i = 0; i < n; i++)
		x[i] = scale * (float)ds_rng_normal(ds_rng_of(4, stream), (uint64_t)i);
}

static void near(const float *got, const double *want, int64_t n, double bound, const char *what)
{
	double top = 0;
	for (int64_t i = 0; i < n; i++)
		top = fmax(top, fabs(want[i]));
	for (int64_t i = 0; i < n; i++)
		if (!(fabs(got[i] - want[i]) <= bound * top))
			fail_msg(
				"%s[%d]: %.9g, %.9g wanted", what, (int)i, (double)got[i], want[i]);
}

static double act(ds_act a, double x)
{
	switch (a) {
	case DS_ACT_GELU_TANH:
		return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
	case DS_ACT_GELU_ERF:
		return 0.5 * x * (1 + erf(x * M_SQRT1_2));
	case DS_ACT_SILU:
		return x / (1 + exp(-x));
	case DS_ACT_RELU:
		return x > 0 ? x : 0;
	case DS_ACT_TANH:
		return tanh(x);
	default:
		return 1 / (1 + exp(-x));
	}
}

static void activations_are_those_of_libm(void **state)
{
	for (int l = 0; l < n_levels; l++)
		for (int a = 0; a < DS_N_ACTS; a++) {
			float x[N], y[N];
			double want[N];
			fill(x, N, 1, 3);
			levels[l]->act((ds_act)a, y, x, N);
			for (int i = 0; i < N; i++)
				want[i] = act((ds_act)a, x[i]);
			near(y, want, N, 1e-6, ds_act_name((ds_act)a));
		}
}

static void extreme_numbers_stay_finite(void **state)
{
	float x[] = { -1e30f, -200, -90, 0, 90, 200, 1e30f }, y[7];
	for (int l = 0; l < n_levels; l++)
		for (int a = 0; a < DS_N_ACTS; a++) {
			levels[l]->act((ds_act)a, y, x, 7);
			for (int i = 0; i < 7; i++)
				assert_true(isfinite(y[i]));
		}
}

static void sums_of_exp_are_those_of_libm(void **state)
{
	for (int l = 0; l < n_levels; l++) {
		float x[N];
		double want[N], sum = 0;
		fill(x, N, 2, 4);
		float top = levels[l]->max(x, N);
		for (int i = 0; i < N; i++) {
			assert_true(x[i] <= top);
			want[i] = exp(0.5 * x[i] - 0.5 * top);
			sum += want[i];
		}
		float got = levels[l]->exp_sum(x, 0.5f, 0.5f * top, N);
		near(x, want, N, 1e-6, "exp");
		assert_true(fabs(got - sum) < 1e-6 * sum);
	}
}

static void products_are_those_of_double(void **state)
{
	enum { M = 13, K = 21 };
	for (int l = 0; l < n_levels; l++)
		for (int transposed = 0; transposed < 2; transposed++) {
			float a[M * K], b[K * N], c[M * N];
			double want[M * N];
			fill(a, M * K, 3, 1);
			fill(b, K * N, 4, 1);
			fill(c, M * N, 5, 1);
			int64_t am = transposed ? 1 : K, ak = transposed ? M : 1;
			for (int i = 0; i < M; i++)
				for (int j = 0; j < N; j++) {
					want[i * N + j] = c[i * N + j];
					for (int k = 0; k < K; k++)
						want[i * N + j] +=
							(double)a[i * am + k * ak] * b[k * N + j];
				}
			ds_simd_gemm g = { M, N, K, a, am, ak, b, N, c, N, true };
			levels[l]->gemm(&g);
			near(c, want, M * N, 1e-6, "product");
		}
}

static void dropout_takes_the_numbers_of_the_generator(void **state)
{
	enum { FIRST = 0xfffffff0, COUNT = 200 }; /* across the carry into the upper half */
	ds_rng r = ds_rng_of(0x123456789abcdefULL, 0xfedcba9876543210ULL);
	for (int l = 0; l < n_levels; l++) {
		float keep[COUNT];
		levels[l]->keep(keep, r, FIRST, COUNT, 1u << 30, 2);
		for (uint64_t i = 0; i < COUNT; i++) {
			uint32_t four[4];
			ds_rng_block(r, FIRST + i / 4, four);
			assert_true(keep[i] == (four[i % 4] < 1u << 30 ? 0.0f : 2.0f));
		}
	}
}

static void angles_keep_their_digits(void **state)
{
	for (int l = 0; l < n_levels; l++)
		for (int64_t at = 0; at < 200000; at = at * 3 + 1) {
			float freq[N], c[N], s[N];
			double want_c[N], want_s[N];
			for (int i = 0; i < N; i++) {
				freq[i] = powf(10000, -(float)i / N);
				want_c[i] = cos((double)at * (double)freq[i]);
				want_s[i] = sin((double)at * (double)freq[i]);
			}
			levels[l]->angles(c, s, (double)at, freq, 1, N);
			near(c, want_c, N, 3e-7, "cosine");
			for (int i = 0; i < N; i++)
				assert_true(fabs(s[i] - want_s[i]) < 3e-7);
		}
}

static void transposing_a_matrix_gives_its_columns(void **state)
{
	enum { ROWS = 11, COLS = 19, LD = 16 };
	for (int l = 0; l < n_levels; l++) {
		float from[ROWS * COLS], to[COLS * LD];
		fill(from, ROWS * COLS, 6, 1);
		levels[l]->transpose(to, LD, from, COLS, ROWS, COLS);
		for (int k = 0; k < COLS; k++)
			for (int i = 0; i < LD; i++)
				assert_true(to[k * LD + i] == (i < ROWS ? from[i * COLS + k] : 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(activations_are_those_of_libm),
		cmocka_unit_test(extreme_numbers_stay_finite),
		cmocka_unit_test(sums_of_exp_are_those_of_libm),
		cmocka_unit_test(products_are_those_of_double),
		cmocka_unit_test(dropout_takes_the_numbers_of_the_generator),
		cmocka_unit_test(angles_keep_their_digits),
		cmocka_unit_test(transposing_a_matrix_gives_its_columns),
	};
	return cmocka_run_group_tests(tests, find_levels, NULL);
}
