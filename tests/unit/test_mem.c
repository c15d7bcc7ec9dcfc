#include "test.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/rng.h"

#include <string.h>

static void memory_is_aligned_and_keeps_its_bytes_as_it_grows(void **state)
{
	size_t n = 1;
	uint8_t *p = ds_mem_get(n);
	p[0] = 7;
	for (int step = 0; step < 40; step++) {
		size_t more = n + n / 2 + (size_t)step * 13 + 1;
		p = ds_mem_grow(p, n, more);
		assert_int_equal((uintptr_t)p % 64, 0);
		assert_int_equal(p[0], 7);
		assert_int_equal(p[n - 1], n == 1 ? 7 : (uint8_t)(n * 3));
		n = more;
		p[n - 1] = (uint8_t)(n * 3);
	}
	p = ds_mem_grow(p, n, 1);
	assert_int_equal(p[0], 7);
	ds_mem_free(p);
	ds_mem_free(NULL);
}

static void zeroed_memory_is_zero_also_when_it_was_used_before(void **state)
{
	static const size_t sizes[] = { 1, 63, 4096, 300 * 1024, 3 << 20 };
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			uint8_t *p = ds_mem_zero(sizes[i]);
			assert_int_equal((uintptr_t)p % 64, 0);
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(p[k], 0);
			memset(p, 0xa5, sizes[i]);
			ds_mem_free(p);
		}
	}
}

static void products_and_sums_that_do_not_fit_are_refused(void **state)
{
	size_t out = 5;
	assert_false(ds_mul(SIZE_MAX / 2, 3, &out));
	assert_false(ds_add(SIZE_MAX, 1, &out));
	assert_int_equal(out, 5);
	assert_true(ds_mul(1 << 16, 1 << 16, &out));
	assert_int_equal(out, (size_t)1 << 32);
}

/* Pieces of random sizes, each filled with its number: none may overlap another. */
static void pieces_of_an_arena_are_apart(void **state)
{
	enum { N = 2000 };
	DS_AUTO(ds_arena) a = ds_arena_new(0);
	static struct {
		uint8_t *at;
		size_t n;
	} piece[N];
	for (uint64_t round = 0; round < 5; round++) {
		ds_rng r = ds_rng_of(11, round);
		for (size_t i = 0; i < N; i++) {
			size_t n = (size_t)ds_rng_below(r, 3 * i, i % 97 == 0 ? 200000 : 300);
			bool aligned = ds_rng_below(r, 3 * i + 1, 2);
			piece[i].n = n;
			piece[i].at = aligned ? ds_arena_get(a, n) : (void *)ds_arena_bytes(a, n);
			assert_non_null(piece[i].at);
			if (aligned)
				assert_int_equal((uintptr_t)piece[i].at % 64, 0);
			memset(piece[i].at, (int)i, n);
		}
		for (size_t i = 0; i < N; i++)
			for (size_t k = 0; k < piece[i].n; k++)
				assert_int_equal(piece[i].at[k], (uint8_t)i);
		ds_arena_reset(a);
		assert_int_equal(ds_arena_used(a), 0);
	}
}

static void a_piece_larger_than_a_chunk_is_given(void **state)
{
	DS_AUTO(ds_arena) a = ds_arena_new(4096);
	char *small = ds_arena_get(a, 10);
	memcpy(small, "123456789", 10);
	char *large = ds_arena_zero(a, 40 << 20);
	assert_int_equal(large[(40 << 20) - 1], 0);
	assert_string_equal(small, "123456789");
	ds_arena_reset(a);
}

static void a_size_over_the_limit_allocates_nothing(void **state)
{
	DS_AUTO(ds_arena) a = ds_arena_new(0);
	ds_err e;
	void *p = NULL;
	assert_int_equal(ds_arena_try(a, SIZE_MAX, 1 << 20, &p, &e), DS_BAD);
	assert_null(p);
	assert_int_equal(ds_arena_used(a), 0);
	assert_int_equal(ds_arena_try(a, 1 << 20, 1 << 20, &p, &e), DS_OK);
	assert_non_null(p);
}

static void arena_strings_end_in_nul(void **state)
{
	DS_AUTO(ds_arena) a = ds_arena_new(0);
	ds_str s = ds_arena_str(a, (ds_str){ "a\0b", 3 });
	assert_int_equal(s.n, 3);
	assert_memory_equal(s.at, "a\0b", 4);
	ds_str f = ds_arena_fmt(a, "%d-%s", 12, "x");
	assert_string_equal(f.at, "12-x");
	assert_int_equal(f.n, 4);
	assert_int_equal(ds_arena_str(a, (ds_str){ NULL, 0 }).at[0], '\0');
}

TESTS(cmocka_unit_test(memory_is_aligned_and_keeps_its_bytes_as_it_grows),
	cmocka_unit_test(zeroed_memory_is_zero_also_when_it_was_used_before),
	cmocka_unit_test(products_and_sums_that_do_not_fit_are_refused),
	cmocka_unit_test(pieces_of_an_arena_are_apart),
	cmocka_unit_test(a_piece_larger_than_a_chunk_is_given),
	cmocka_unit_test(a_size_over_the_limit_allocates_nothing),
	cmocka_unit_test(arena_strings_end_in_nul))
