/*
 * test_lsh.c - buckets keep their first members in order, however a table grows
 */
#include "test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "text/lsh.h"

static void buckets_keep_their_first_members_in_order(void **state)
{
	enum { RECORDS = 30000, KEYS = 900, MOST = 5, BANDS = 3 };
	DS_AUTO(ds_lsh) t = ds_lsh_new(BANDS, MOST);
	static uint32_t truth[BANDS][KEYS][MOST], n_truth[BANDS][KEYS], out[MOST];
	unsigned n_filled = 0, want_filled = 0;
	for (uint32_t r = 0; r < RECORDS; r++) {
		uint64_t keys[BANDS];
		unsigned which[BANDS];
		for (unsigned b = 0; b < BANDS; b++) {
			/* Some buckets are crowded; a third of the keys are seen once. */
			which[b] = (unsigned)ds_rng_below(ds_rng_of(b, 1), r, KEYS);
			keys[b] = r % 3 ? ds_rng_u64(ds_rng_of(b, 2), which[b]) >> 24
					: ds_rng_u64(ds_rng_of(b, 3), r) >> 24;
			if (which[b] % 10 == 0) /* tags at the end of a segment wrap around */
				keys[b] |= 0xfffffff0;
		}
		for (unsigned b = 0; b < BANDS; b++) {
			bool filled;
			ds_lsh_prefetch(t, b, keys[b]);
			size_t n = ds_lsh_add(t, b, keys[b], r, out, &filled);
			n_filled += filled;
			if (r % 3 == 0 || which[b] % 10 == 0)
				continue;
			assert_int_equal(n, n_truth[b][which[b]]);
			assert_memory_equal(out, truth[b][which[b]], n * sizeof(*out));
			if (n < MOST)
				truth[b][which[b]][n_truth[b][which[b]]++] = r;
			want_filled += n + 1 == MOST;
		}
	}
	assert_true(n_filled >= want_filled && want_filled > 0);
	for (unsigned b = 0; b < BANDS; b++) {
		for (unsigned k = 1; k < KEYS; k += 1 + (k % 10 == 9)) {
			size_t n = ds_lsh_find(t, b, ds_rng_u64(ds_rng_of(b, 2), k) >> 24, out);
			assert_int_equal(n, n_truth[b][k]);
			assert_memory_equal(out, truth[b][k], n * sizeof(*out));
		}
	}
}

static void an_empty_table_has_no_members(void **state)
{
	DS_AUTO(ds_lsh) t = ds_lsh_new(2, 64);
	uint32_t out[64];
	assert_int_equal(ds_lsh_find(t, 1, 77, out), 0);
}

TESTS(cmocka_unit_test(buckets_keep_their_first_members_in_order),
	cmocka_unit_test(an_empty_table_has_no_members))
