#include "test.h"

#include "base/cur.h"
#include "base/rng.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void order_is_by_bytes_and_the_shorter_first(void **state)
{
	assert_true(ds_str_cmp(DS_S("a"), DS_S("b")) < 0);
	assert_true(ds_str_cmp(DS_S("a"), DS_S("ab")) < 0);
	assert_true(ds_str_cmp(DS_S("\xff"), DS_S("a")) > 0);
	assert_int_equal(ds_str_cmp(DS_S(""), (ds_str){ NULL, 0 }), 0);
}

static void cut_and_trim(void **state)
{
	ds_str rest = DS_S("a,,b");
	assert_str(ds_str_cut(rest, ',', &rest), "a");
	assert_str(ds_str_cut(rest, ',', &rest), "");
	assert_str(ds_str_cut(rest, ',', &rest), "b");
	assert_null(rest.at);
	assert_str(ds_str_trim(DS_S(" \t\r\n a b \n")), "a b");
	assert_str(ds_str_trim(DS_S(" \t ")), "");
}

static void whole_numbers_are_read_exactly_or_not_at_all(void **state)
{
	static const char *const bad[] = { "", "-", "+", "1x", " 1", "9223372036854775808",
		"-9223372036854775809", "1e3", "0x10", "--1" };
	int64_t v = 77;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(ds_str_i64(ds_str_of(bad[i]), &v));
	assert_int_equal(v, 77);
	assert_true(ds_str_i64(DS_S("-9223372036854775808"), &v) && v == INT64_MIN);
	assert_true(ds_str_i64(DS_S("9223372036854775807"), &v) && v == INT64_MAX);
	assert_true(ds_str_i64(DS_S("+007"), &v) && v == 7);
	assert_false(ds_str_i64((ds_str){ "1\0", 2 }, &v));
}

static void doubles_print_shortest_and_read_back(void **state)
{
	static const struct {
		double v;
		const char *text;
	} known[] = { { 0.1, "0.1" }, { 1, "1.0" }, { -0.0, "-0.0" }, { 100000, "100000.0" },
		{ 1e22, "1e+22" }, { 1.5e-7, "1.5e-07" }, { 5e-324, "5e-324" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" }, { 0.0001, "0.0001" },
		{ 123456789012345680.0, "1.2345678901234568e+17" } };
	char out[32];
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		assert_int_equal(ds_f64_print(out, known[i].v), strlen(known[i].text));
		assert_string_equal(out, known[i].text);
	}
	ds_rng r = ds_rng_of(5, 0);
	for (uint64_t i = 0; i < 200000; i++) {
		uint64_t bits = ds_rng_u64(r, i);
		double v, back;
		memcpy(&v, &bits, 8);
		if (!isfinite(v))
			continue;
		size_t n = ds_f64_print(out, v);
		assert_true(n < sizeof(out));
		assert_true(ds_str_f64((ds_str){ out, n }, &back));
		assert_memory_equal(&v, &back, 8);
	}
}

static void text_that_is_no_double_is_refused(void **state)
{
	static const char *const bad[] = { "", "+", "-", "+-1", "1x", " 1", "1 ", "0x1p3", "1e",
		"." };
	double v;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(ds_str_f64(ds_str_of(bad[i]), &v));
	assert_true(ds_str_f64(DS_S("+2.5e-1"), &v) && v == 0.25);
}

static void a_buffer_grows_and_keeps_what_was_there(void **state)
{
	ds_buf b = { 0 };
	assert_string_equal(ds_buf_text(&b), "");
	for (int i = 0; i < 1000; i++) {
		ds_buf_fmt(&b, "%d,", i);
		ds_buf_add_byte(&b, ' ');
		ds_buf_add(&b, NULL, 0);
	}
	assert_memory_equal(b.at, "0, 1, 2, 3", 10);
	assert_string_equal(ds_buf_text(&b) + b.n - 5, "999, ");
	ds_buf_clear(&b);
	assert_int_equal(b.n, 0);
	ds_buf_free(&b);
	assert_null(b.at);
}

static void a_cursor_stays_failed_and_gives_zeros(void **state)
{
	const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7 };
	ds_cur c = ds_cur_of(bytes, sizeof(bytes));
	assert_int_equal(ds_cur_u32(&c), 0x04030201);
	assert_int_equal(ds_cur_left(&c), 3);
	assert_int_equal(ds_cur_u32(&c), 0);
	assert_false(ds_cur_ok(&c));
	assert_int_equal(ds_cur_u8(&c), 0);
	assert_int_equal(ds_cur_left(&c), 0);
	assert_int_equal(ds_cur_bytes(&c, SIZE_MAX).n, 0);
}

TESTS(cmocka_unit_test(order_is_by_bytes_and_the_shorter_first), cmocka_unit_test(cut_and_trim),
	cmocka_unit_test(whole_numbers_are_read_exactly_or_not_at_all),
	cmocka_unit_test(doubles_print_shortest_and_read_back),
	cmocka_unit_test(text_that_is_no_double_is_refused),
	cmocka_unit_test(a_buffer_grows_and_keeps_what_was_there),
	cmocka_unit_test(a_cursor_stays_failed_and_gives_zeros))
