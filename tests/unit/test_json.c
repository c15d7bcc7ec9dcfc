/* test_json.c - JSON in and out: values, errors, escapes, exact numbers */
#include "json/json.h"
#include "json/scan.h"

#include "base/cpu.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static const ds_json *parse(ds_arena *mem, const char *text)
{
	ds_err e = { { 0 } };
	const ds_json *v = NULL;
	if (ds_json_parse(&v, mem, ds_str_of(text), &e) != DS_OK)
		fail_msg("%s: %s", text, e.msg);
	return v;
}

static void same_again(const char *text)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_buf out = { 0 };
	ds_json_add(&out, parse(mem, text));
	assert_string_equal(ds_buf_text(&out), text);
	ds_buf_free(&out);
}

static void a_value_comes_back_as_it_was(void **state)
{
	same_again("null");
	same_again("[true,false,null,0,-1,1.0,-0.0,1e400,123456789012345678901234567890]");
	same_again("{\"a\":{\"b\":[{},[]]},\"\":\"\"}");
	same_again("\"\\u0000\\u001f\\n\\t\\\"\\\\/\xE4\xBD\xA0\xF0\x9F\x98\x80\"");
}

static void fails(ds_str text, const char *why)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_err e = { { 0 } };
	const ds_json *v = NULL;
	assert_int_equal(ds_json_parse(&v, mem, text, &e), DS_BAD);
	if (!strstr(e.msg, why))
		fail_msg("'%s' gives '%s'", text.at, e.msg);
}

static void what_is_not_json_is_refused(void **state)
{
	static const char *const bad[] = { "", " ", "{", "}", "[", "]", "[1", "[1,", "[,]", "[1,]",
		"{]", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{1:1}",
		"{\"a\" 1}", "{\"a\":1 \"b\":2}", "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x1",
		"--1", "tru", "truee", "nul", "NaN", "Infinity", "'a'", "\"a", "\"\\\"", "\"\\x\"",
		"\"\\u12\"", "\"\\u12G4\"", "\"\n\"", "\"\t\"", "1 2", "{} {}", "\"a\"b",
		"\"a\"\"b\"", "[1 2]", ":", "[\"a\":1]", "{\"a\",1}", "\xEF\xBB", "\x01", "[1}",
		"{\"a\":1]", "\"\\", "\\" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		fails(ds_str_of(bad[i]), "offset ");
	fails(DS_S("nul\0"), "offset");
	fails(DS_S("\"a\0\""), "offset 2: a control byte");
}

static void a_long_text_is_refused_as_a_short_one(void **state)
{
	ds_buf b = { 0 };
	static const char *const tails[] = { "\"a\":1}", "\"a\"}", "\"k0\":1}", "1:1}",
		"\"a\" \"b\"}", "\"a\":tru}", "\"a\":\"}", "\"a\":1}}", "\"a\":\"\\q\"}",
		"\"a\":\"\n\"}", "\"a\":", "\"a\":5\"\"}", "\"a\":true\"x\"}" };
	for (size_t t = 0; t < sizeof(tails) / sizeof(*tails); t++) {
		DS_AUTO(ds_arena) mem = ds_arena_new(4096);
		const ds_json *v = NULL;
		ds_err e = { { 0 } };
		ds_buf_clear(&b);
		ds_buf_add_byte(&b, '{');
		for (int i = 0; i < 9000; i++)
			ds_buf_fmt(&b, "\"k%d\": \"v\\n%d\" ,\r\n", i, i);
		ds_buf_add_c(&b, tails[t]);
		ds_rc rc = ds_json_parse(&v, mem, ds_buf_view(&b), &e);
		assert_int_equal(rc, t ? DS_BAD : DS_OK);
		if (!t) {
			assert_int_equal(v->n, 9001);
			assert_true(ds_str_is(ds_json_text(v, "k8999", NULL), "v\n8999"));
		}
	}
	ds_buf_free(&b);
}

/* A request's body without a byte has no address either. */
static void no_text_at_all_is_an_error(void **state)
{
	fails((ds_str){ NULL, 0 }, "");
}

static void a_duplicate_key_is_named(void **state)
{
	fails(DS_S("{\"a\":1,\"b\":2,\"a\":3}"), "duplicate key 'a'");
	fails(DS_S("{\"a\":1,\"\\u0061\":3}"), "duplicate key 'a'");
	fails(DS_S("[{\"x\":{\"a\":1,\"a\":3}}]"), "duplicate key 'a'");
}

static void nesting_ends_at_512(void **state)
{
	ds_buf b = { 0 };
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	for (int i = 0; i < 512; i++)
		ds_buf_add_byte(&b, '[');
	for (int i = 0; i < 512; i++)
		ds_buf_add_byte(&b, ']');
	parse(mem, ds_buf_text(&b));
	ds_buf_clear(&b);
	for (int i = 0; i < 100000; i++)
		ds_buf_add_byte(&b, '[');
	fails(ds_buf_view(&b), "offset 512: nested deeper");
	ds_buf_free(&b);
}

static void strings_are_unescaped(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	const ds_json *v =
		parse(mem, "[\"\\u0041\\ud83d\\ude00\\/\",\"\\ud83dx\",\"\\ude00\\ud83d\"]");
	assert_true(ds_str_is(v->items[0]->s, "A\xF0\x9F\x98\x80/"));
	assert_true(ds_str_is(v->items[1]->s, "\xED\xA0\xBDx"));
	assert_true(ds_str_is(v->items[2]->s, "\xED\xB8\x80\xED\xA0\xBD"));
}

static void invalid_utf8_is_replaced_on_output_only(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_buf out = { 0 };
	const ds_json *v = parse(mem, "\"a\xFFz\"");
	assert_true(ds_str_eq(v->s, DS_S("a\xFFz")));
	assert_int_equal(ds_json_add_str(&out, v->s), 1);
	assert_string_equal(ds_buf_text(&out), "\"a\xEF\xBF\xBDz\"");
	ds_buf_clear(&out);
	assert_int_equal(ds_json_add_str(&out, DS_S("\xED\xA0\x80|\xE4\xBD|\xF0\x9F\x98")), 5);
	ds_buf_free(&out);
}

static void a_number_is_a_double_only_where_it_survives(void **state)
{
	static const struct {
		const char *text;
		bool exact;
	} rows[] = { { "1.0", true }, { "1.50", true }, { "0.1", true }, { "-0.0", true },
		{ "1e5", true }, { "100000e-5", true }, { "0.30000000000000004", true },
		{ "0.1000000000000000055511151231257827", false },
		{ "123456789012345678.5", false }, { "5e-324", true },
		{ "1.7976931348623157e308", true }, { "2.5e-310", true }, { "0e999999999", true },
		{ "9007199254740993.0", false } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		double v;
		bool exact;
		assert_true(ds_json_f64(ds_str_of(rows[i].text), &v, &exact));
		assert_true(v == strtod(rows[i].text, NULL));
		if (exact != rows[i].exact)
			fail_msg("%s", rows[i].text);
	}
	double v;
	bool exact;
	assert_false(ds_json_f64(DS_S("1e400"), &v, &exact) && exact);
	int64_t n;
	assert_true(ds_json_i64(DS_S("-9223372036854775808"), &n) && n == INT64_MIN);
	assert_true(ds_json_i64(DS_S("999999999999999999"), &n) && n == 999999999999999999);
	assert_false(ds_json_i64(DS_S("9223372036854775808"), &n));
	assert_false(ds_json_i64(DS_S("-0"), &n));
}

static void doubles_are_the_nearest(void **state)
{
	ds_buf b = { 0 };
	for (uint64_t i = 0; i < 20000; i++) {
		uint64_t x = i * 0x9E3779B97F4A7C15u;
		double v;
		bool exact;
		ds_buf_clear(&b);
		ds_buf_fmt(&b, "%llu.%llue%d", (unsigned long long)(x >> 40 >> (i % 24)),
			(unsigned long long)(x & 0xFFFFFF) >> (i % 23), (int)(x >> 30 & 63) - 32);
		ds_str s = ds_buf_view(&b);
		assert_true(ds_json_f64(s, &v, &exact));
		if (v != strtod(ds_buf_text(&b), NULL))
			fail_msg("%s", ds_buf_text(&b));
	}
	ds_buf_free(&b);
}

static void runs_are_the_same_on_every_cpu(void **state)
{
	char in[300], a[400], b[400];
	for (unsigned i = 0; i < 300; i++)
		in[i] = (char)(i * 7 % 90 + 36 == '\\' ? 'x' : i * 7 % 90 + 36);
	for (unsigned at = 0; at < 200; at++) {
		static const char stops[] = { '"', '\\', 0, 31, '\n', (char)0x80, 0x7F, ' ' };
		for (unsigned k = 0; k < sizeof(stops); k++) {
			char was = in[at];
			in[at] = stops[k];
			size_t n = ds_json_run(a, in, 200);
			assert_int_equal(n, k < 5 ? at : 200);
			if (ds_cpu_level() >= DS_CPU_AVX2) {
				assert_int_equal(ds_json_run_avx2(b, in, 200), n);
				assert_memory_equal(a, b, n);
			}
			if (ds_cpu_level() >= DS_CPU_AVX512) {
				assert_int_equal(ds_json_run_avx512(b, in, 200), n);
				assert_memory_equal(a, b, n);
			}
			in[at] = was;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_comes_back_as_it_was),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(a_long_text_is_refused_as_a_short_one),
		cmocka_unit_test(no_text_at_all_is_an_error),
		cmocka_unit_test(a_duplicate_key_is_named),
		cmocka_unit_test(nesting_ends_at_512),
		cmocka_unit_test(strings_are_unescaped),
		cmocka_unit_test(invalid_utf8_is_replaced_on_output_only),
		cmocka_unit_test(a_number_is_a_double_only_where_it_survives),
		cmocka_unit_test(doubles_are_the_nearest),
		cmocka_unit_test(runs_are_the_same_on_every_cpu),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
