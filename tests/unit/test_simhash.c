/*
 * test_simhash.c - fingerprints against counting one by one, and keys against their promise
 */
#include "test.h"

#include "base/rng.h"
#include "text/simhash.h"

#include <string.h>

static void a_bit_is_that_of_the_majority(void **state)
{
	static uint64_t x[3000];
	static const size_t sizes[] = { 0, 1, 2, 3, 254, 255, 256, 600, 3000 };
	for (size_t c = 0; c < sizeof(sizes) / sizeof(*sizes); c++) {
		size_t n = sizes[c];
		uint64_t want = 0;
		for (size_t i = 0; i < n; i++)
			x[i] = ds_rng_u64(ds_rng_of(c, 1), i);
		for (unsigned bit = 0; bit < 64; bit++) {
			size_t set = 0;
			for (size_t i = 0; i < n; i++)
				set += x[i] >> bit & 1;
			want |= (uint64_t)(2 * set > n) << bit;
		}
		ds_simhash s = { 0 };
		ds_simhash_add(&s, x, n / 2);
		ds_simhash_add(&s, x + n / 2, n - n / 2);
		assert_true(ds_simhash_finish(&s) == want);
	}
}

static void near_fingerprints_share_a_key(void **state)
{
	uint64_t a[DS_SIMHASH_KEYS], b[DS_SIMHASH_KEYS];
	for (unsigned d = 0; d <= DS_SIMHASH_FAR; d++) {
		unsigned tables = ds_simhash_tables(d);
		assert_true(tables <= DS_SIMHASH_KEYS);
		for (unsigned round = 0; round < 500; round++) {
			ds_rng r = ds_rng_of(d, round);
			unsigned words = 1 + round % 2;
			uint64_t x[2] = { ds_rng_u64(r, 0), ds_rng_u64(r, 1) },
				 y[2] = { x[0], x[1] };
			for (unsigned i = 0; i < d; i++) {
				uint64_t bit = ds_rng_below(r, 2 + i, 64 * words);
				y[bit / 64] ^= UINT64_C(1) << bit % 64;
			}
			ds_simhash_keys(x, words, d, a);
			ds_simhash_keys(y, words, d, b);
			unsigned shared = 0;
			for (unsigned t = 0; t < tables; t++)
				shared += a[t] == b[t];
			assert_true(shared > 0);
			assert_true(a[0] >> 40 == 0);
		}
	}
}

static void every_bit_is_in_some_key(void **state)
{
	uint64_t a[DS_SIMHASH_KEYS], b[DS_SIMHASH_KEYS], x[2] = { 1, 2 };
	for (unsigned d = 0; d <= DS_SIMHASH_FAR; d++) {
		for (unsigned words = 1; words <= 2; words++) {
			ds_simhash_keys(x, words, d, a);
			for (unsigned bit = 0; bit < 64 * words; bit++) {
				uint64_t y[2] = { x[0], x[1] };
				y[bit / 64] ^= UINT64_C(1) << bit % 64;
				ds_simhash_keys(y, words, d, b);
				/* A part is in d + 1 of the tables. */
				unsigned other = 0;
				for (unsigned t = 0; t < ds_simhash_tables(d); t++)
					other += a[t] != b[t];
				assert_int_equal(other, d + 1);
			}
		}
	}
}

TESTS(cmocka_unit_test(a_bit_is_that_of_the_majority),
	cmocka_unit_test(near_fingerprints_share_a_key), cmocka_unit_test(every_bit_is_in_some_key))
