#include "test.h"

#include "base/hash.h"
#include "base/hash_impl.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>

static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 131 + (i >> 8));
}

static void hashes_are_those_of_the_specification(void **state)
{
	/* XXH3 of the empty string and of "a", as xxhsum -H3 and -H2 print them */
	assert_int_equal(ds_hash64("", 0), 0x2d06800538d394c2ull);
	assert_int_equal(ds_hash64("a", 1), 0xe6c632b61e964e1full);
	ds_h128 h = ds_hash128("", 0);
	assert_int_equal(h.hi, 0x99aa06d3014798d8ull);
	assert_int_equal(h.lo, 0x6001c324468d497full);
}

static void every_level_and_every_way_gives_the_same(void **state)
{
	enum { MOST = 70000 };
	uint8_t *p = ds_mem_get(MOST);
	fill(p, MOST);
	for (size_t n = 0; n < MOST; n = n < 600 ? n + 1 : n * 2 + 7) {
		uint64_t h = ds_hash_scalar.hash64(p, n, 0);
		ds_h128 w = ds_hash_scalar.hash128(p, n);
		assert_int_equal(ds_hash64(p, n), h);
		assert_int_equal(ds_hash64_seed(p, n, 9), ds_hash_scalar.hash64(p, n, 9));
		assert_int_equal(ds_hash128(p, n).lo, w.lo);
		assert_int_equal(ds_hash128(p, n).hi, w.hi);
		if (ds_cpu_level() >= DS_CPU_AVX2)
			assert_int_equal(ds_hash_avx2.hash64(p, n, 0), h);
		if (ds_cpu_level() >= DS_CPU_AVX512)
			assert_int_equal(ds_hash_avx512.hash64(p, n, 0), h);
		DS_AUTO(ds_hasher) s = ds_hasher_new();
		for (size_t at = 0; at < n;) {
			size_t k = at * 7 % 301 + 1;
			k = k < n - at ? k : n - at;
			ds_hasher_add(s, p + at, k);
			at += k;
		}
		assert_int_equal(ds_hasher_get64(s), h);
		assert_int_equal(ds_hasher_get128(s).hi, w.hi);
	}
	ds_mem_free(p);
}

static void a_map_finds_what_was_put_and_keeps_the_order(void **state)
{
	enum { N = 50000 };
	DS_AUTO(ds_map) m = ds_map_new(0);
	char key[32];
	bool is_new;
	for (uint64_t i = 0; i < N; i++) {
		int n = snprintf(
			key, sizeof(key), "%llx", (unsigned long long)(i * 0x9e3779b97f4a7c15ull));
		*ds_map_put(m, (ds_str){ key, (size_t)n }, &is_new) = i;
		assert_true(is_new);
	}
	for (uint64_t i = 0; i < N; i++) {
		int n = snprintf(
			key, sizeof(key), "%llx", (unsigned long long)(i * 0x9e3779b97f4a7c15ull));
		assert_int_equal(*ds_map_find(m, (ds_str){ key, (size_t)n }), i);
		assert_int_equal(*ds_map_put(m, (ds_str){ key, (size_t)n }, &is_new), i);
		assert_false(is_new);
		assert_int_equal(*ds_map_value(m, i), i);
		assert_true(ds_str_is(ds_map_key(m, i), key));
	}
	assert_null(ds_map_find(m, DS_S("none")));
	assert_int_equal(ds_map_count(m), N);
	*ds_map_put(m, DS_S(""), NULL) = 3;
	assert_int_equal(*ds_map_find(m, (ds_str){ NULL, 0 }), 3);
}

static void philox_gives_the_papers_numbers(void **state)
{
	/* kat_vectors of Random123: philox4x32 10, all zeros and all ones */
	uint32_t v[4];
	ds_rng_block((ds_rng){ 0, 0 }, 0, v);
	assert_int_equal(v[0], 0x6627e8d5);
	assert_int_equal(v[1], 0xe169c58d);
	assert_int_equal(v[2], 0xbc57ac4c);
	assert_int_equal(v[3], 0x9b00dbd8);
	ds_rng_block((ds_rng){ ~0ull, ~0ull }, ~0ull, v);
	assert_int_equal(v[0], 0x408f276d);
	assert_int_equal(v[1], 0x41c83b0e);
	assert_int_equal(v[2], 0xa20bc7c6);
	assert_int_equal(v[3], 0x6d5451fd);
}

static void numbers_stay_in_their_range_and_have_their_moments(void **state)
{
	ds_rng r = ds_rng_of(1, 2);
	double sum = 0, squares = 0;
	enum { N = 200000 };
	for (uint64_t i = 0; i < N; i++) {
		double u = ds_rng_unit(r, i), z = ds_rng_normal(r, i);
		assert_true(u >= 0 && u < 1);
		assert_true(ds_rng_below(r, i, 10) < 10);
		sum += z;
		squares += z * z;
	}
	assert_true(fabs(sum / N) < 0.02);
	assert_true(fabs(squares / N - 1) < 0.03);
	assert_int_equal(ds_rng_below(r, 0, 1), 0);
}

TESTS(cmocka_unit_test(hashes_are_those_of_the_specification),
	cmocka_unit_test(every_level_and_every_way_gives_the_same),
	cmocka_unit_test(a_map_finds_what_was_put_and_keeps_the_order),
	cmocka_unit_test(philox_gives_the_papers_numbers),
	cmocka_unit_test(numbers_stay_in_their_range_and_have_their_moments))
