/*
 * test_needle.c - literals in random texts, against a search byte by byte
 */
#include "test.h"

#include "base/rng.h"
#include "text/needle.h"

#include <strings.h>

static bool slowly(ds_str text, ds_str literal, bool any_case)
{
	for (size_t i = 0; i + literal.n <= text.n; i++)
		if ((any_case ? strncasecmp : strncmp)(text.at + i, literal.at, literal.n) == 0)
			return true;
	return false;
}

static void found_where_it_is(void **state)
{
	char text[400], literal[9];
	ds_rng rng = ds_rng_of(1, 2);
	uint64_t draw = 0;
	unsigned n_found = 0;
	for (unsigned turn = 0; turn < 20000; turn++) {
		size_t n = ds_rng_below(rng, draw++, sizeof(text)),
		       k = 1 + ds_rng_below(rng, draw++, 8);
		for (size_t i = 0; i < n; i++)
			text[i] = "abAB@`\xc3"[ds_rng_below(rng, draw++, 7)];
		for (size_t i = 0; i < k; i++)
			literal[i] = "abAB@`\xc3"[ds_rng_below(rng, draw++, 7)];
		for (int any_case = 0; any_case < 2; any_case++) {
			ds_needle needle;
			ds_needle_init(&needle, (ds_str){ literal, k }, any_case);
			bool want = slowly((ds_str){ text, n }, (ds_str){ literal, k }, any_case);
			assert_int_equal(ds_needle_in(&needle, (ds_str){ text, n }), want);
			n_found += want;
		}
	}
	assert_in_range(n_found, 4000, 36000);
}

TESTS(cmocka_unit_test(found_where_it_is))
