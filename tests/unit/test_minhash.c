/*
 * test_minhash.c - signatures are the same at every CPU level, and estimate Jaccard without bias
 */
#include "base/cpu.h"
#include "base/mem.h"
#include "base/rng.h"
#include "test.h"
#include "text/minhash.h"
#include "text/minhash_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void kernels_agree(void **state)
{
	static uint32_t x[777];
	for (unsigned i = 0; i < 777; i++)
		x[i] = i < 3 ? (uint32_t) - (int)i : (uint32_t)ds_rng_u64(ds_rng_of(3, 0), i);
	for (unsigned n_perm = 1; n_perm <= 300; n_perm += 37) {
		DS_AUTO(ds_minhash) m = ds_minhash_new(n_perm, n_perm);
		size_t n_padded = ds_minhash_padded(m);
		uint32_t *want = DS_NEW(uint32_t, n_padded), *got = DS_NEW(uint32_t, n_padded);
		ds_minhash_kernel *kernels[3] = { NULL, NULL, NULL };
		kernels[0] = ds_cpu_level() >= DS_CPU_AVX2 ? ds_minhash_avx2 : NULL;
		kernels[1] = ds_cpu_level() >= DS_CPU_AVX512 ? ds_minhash_avx512 : NULL;
		kernels[2] =
			kernels[1] && __builtin_cpu_supports("avx512ifma") ? ds_minhash_ifma : NULL;
		ds_minhash_reset(m, want);
		ds_minhash_scalar(m, x, 777, want);
		for (int k = 0; k < 3; k++) {
			if (!kernels[k])
				continue;
			ds_minhash_reset(m, got);
			kernels[k](m, x, 500, got);
			kernels[k](m, x + 500, 277, got);
			assert_memory_equal(got, want, n_padded * sizeof(*want));
		}
		ds_mem_free(want);
		ds_mem_free(got);
	}
}

/*
 * Two sets of 400 at a true Jaccard of 0.5, 0.8 and 0.9, 300 times each with other elements and
 * other permutations. Theory: mean j, deviation sqrt(j (1 - j) / k).
 */
static void estimates_have_no_bias(void **state)
{
	enum { N = 400, K = 128, ROUNDS = 1500 };
	static const double js[] = { 0.5, 0.8, 0.9 };
	for (int c = 0; c < 3; c++) {
		/* Of 2N - shared elements, `shared` are in both. */
		unsigned shared = (unsigned)lround(2 * N * js[c] / (1 + js[c]));
		double j = (double)shared / (2 * N - shared), sum = 0, squares = 0;
		for (int round = 0; round < ROUNDS; round++) {
			DS_AUTO(ds_minhash) m = ds_minhash_new(K, (uint64_t)round);
			uint32_t x[2 * N], *a = DS_NEW(uint32_t, K), *b = DS_NEW(uint32_t, K);
			for (unsigned i = 0; i < 2 * N; i++)
				x[i] = (uint32_t)ds_rng_u64(ds_rng_of(99, (uint64_t)round), i);
			ds_minhash_reset(m, a);
			ds_minhash_reset(m, b);
			ds_minhash_add(m, x, N, a);
			ds_minhash_add(m, x + N - shared, N, b);
			unsigned equal = 0;
			for (unsigned i = 0; i < K; i++)
				equal += a[i] == b[i];
			double error = (double)equal / K - j;
			sum += error;
			squares += error * error;
			ds_mem_free(a);
			ds_mem_free(b);
		}
		double bias = sum / ROUNDS, rmse = sqrt(squares / ROUNDS),
		       theory = sqrt(j * (1 - j) / K);
		print_message("jaccard %.3f: bias %+.5f, error %.4f, theory %.4f\n", j, bias, rmse,
			theory);
		/* Three deviations of the mean are 0.0034 at 0.5; this draw is fixed, so it stays. */
		assert_true(fabs(bias) <= 0.002);
		assert_true(rmse <= 1.1 * theory);
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static void a_sketch_is_the_smallest_values_once_each(void **state)
{
	static const size_t sizes[] = { 0, 1, 5, 24, 25, 400, 511, 512, 513, 3000, 70000 };
	static const size_t ks[] = { 512, 1, 0 };
	for (size_t c = 0; c < sizeof(sizes) / sizeof(*sizes) * 9; c++) {
		size_t n = sizes[c / 9], k = ks[c % 3];
		uint32_t *x = DS_NEW(uint32_t, n + 1), *sorted = DS_NEW(uint32_t, n + 1);
		for (size_t i = 0; i < n; i++) {
			x[i] = (uint32_t)ds_rng_u64(ds_rng_of(c, 5), i);
			if (c / 3 % 3 == 1)
				x[i] %= 700; /* many repeats, all small */
			if (c / 3 % 3 == 2)
				x[i] |= 0xffffff00; /* all large */
		}
		memcpy(sorted, x, n * sizeof(*x));
		qsort(sorted, n, sizeof(*sorted), by_value);
		size_t want = 0;
		for (size_t i = 0; i < n; i++)
			if (i == 0 || sorted[i] != sorted[i - 1])
				sorted[want++] = sorted[i];
		want = k && want > k ? k : want;
		DS_AUTO(ds_sketch) s = ds_sketch_new(k);
		size_t got;
		ds_sketch_add(s, x, n / 3);
		ds_sketch_add(s, x + n / 3, n - n / 3);
		const uint32_t *v = ds_sketch_finish(s, &got);
		assert_int_equal(got, want);
		assert_memory_equal(v, sorted, want * sizeof(*v));
		ds_mem_free(x);
		ds_mem_free(sorted);
	}
}

static void sketches_compare_by_their_union(void **state)
{
	static const uint32_t a[] = { 1, 2, 3, 4, 9 }, b[] = { 2, 3, 4, 5 };
	assert_true(ds_sketch_jaccard(a, 5, b, 4, 0) == 0.5);
	assert_true(ds_sketch_jaccard(b, 4, a, 5, 0) == 0.5);
	assert_true(ds_sketch_jaccard(a, 5, b, 4, 4) == 0.75);
	assert_true(ds_sketch_jaccard(a, 5, a, 5, 512) == 1);
	assert_true(ds_sketch_jaccard(a, 5, NULL, 0, 512) == 0);
	assert_true(ds_sketch_jaccard(NULL, 0, NULL, 0, 512) == 0);
}

static void bands_are_chosen_for_recall(void **state)
{
	for (double t = 0.05; t < 1; t += 0.05) {
		ds_bands b = ds_bands_choose(256, t);
		assert_true(b.rows >= 1 && b.bands >= 1 && b.rows * b.bands <= 256);
		if (b.rows > 1)
			assert_true(ds_bands_recall(b, fmin(t + 0.05, (1 + t) / 2)) >= 0.99);
	}
	ds_bands b = ds_bands_choose(256, 0.8);
	assert_int_equal(b.rows, 10);
	assert_int_equal(b.bands, 25);
	assert_int_equal(ds_bands_choose(256, 1).rows, 256);
	assert_true(fabs(ds_bands_recall((ds_bands){ 14, 8 }, 0.8) - 0.924) < 0.001);
}

TESTS(cmocka_unit_test(kernels_agree), cmocka_unit_test(estimates_have_no_bias),
	cmocka_unit_test(a_sketch_is_the_smallest_values_once_each),
	cmocka_unit_test(sketches_compare_by_their_union),
	cmocka_unit_test(bands_are_chosen_for_recall))
