/* test_scalar.c - values of columnar formats as text: dates, times, decimals */
#include "test.h"

#include "base/arena.h"
#include "record/scalar.h"

static ds_arena *mem;

static int set_up(void **state)
{
	mem = ds_arena_new(4096);
	return 0;
}

static int tear_down(void **state)
{
	ds_arena_free(mem);
	return 0;
}

static const char *text_of(ds_scalar k, int64_t i, ds_str s)
{
	ds_text t = ds_text_new(mem, 16);
	ds_scalars one = { 1, &i, NULL, &s };
	ds_scalar_text(&t, &k, &one, 0);
	ds_text_byte(&t, 0);
	return t.at;
}

static const char *number(ds_scalar_kind kind, uint8_t digits, bool utc, int64_t i)
{
	return text_of(
		(ds_scalar){ .kind = kind, .digits = digits, .utc = utc }, i, (ds_str){ "", 0 });
}

static const char *decimal(int scale, bool little, ds_str bytes)
{
	return text_of((ds_scalar){ .kind = DS_SC_DECIMAL,
			       .form = DS_FORM_BYTES,
			       .scale = scale,
			       .little = little },
		0, bytes);
}

static void dates_go_on_before_the_calendar_and_beyond_four_digits(void **state)
{
	assert_string_equal(number(DS_SC_DATE, 0, false, 0), "1970-01-01");
	assert_string_equal(number(DS_SC_DATE, 0, false, -1), "1969-12-31");
	assert_string_equal(number(DS_SC_DATE, 0, false, 19782), "2024-02-29");
	assert_string_equal(number(DS_SC_DATE, 0, false, -719528), "0000-01-01");
	assert_string_equal(number(DS_SC_DATE, 0, false, -719529), "-0001-12-31");
	assert_string_equal(number(DS_SC_DATE, 0, false, 2932897), "+10000-01-01");
}

static void a_fraction_has_the_digits_that_it_needs(void **state)
{
	assert_string_equal(number(DS_SC_STAMP, 3, true, 0), "1970-01-01T00:00:00Z");
	assert_string_equal(number(DS_SC_STAMP, 3, false, -1), "1969-12-31T23:59:59.999");
	assert_string_equal(number(DS_SC_STAMP, 6, false, 1500000), "1970-01-01T00:00:01.500");
	assert_string_equal(number(DS_SC_STAMP, 6, false, 1), "1970-01-01T00:00:00.000001");
	assert_string_equal(number(DS_SC_STAMP, 9, false, 1), "1970-01-01T00:00:00.000000001");
	assert_string_equal(number(DS_SC_TIME, 6, false, 86399999999), "23:59:59.999999");
	assert_string_equal(number(DS_SC_DURATION, 3, false, -1500), "PT-1.500S");
}

static void times_at_the_ends_of_their_range_are_printed(void **state)
{
	assert_string_equal(
		number(DS_SC_STAMP, 9, false, INT64_MIN), "1677-09-21T00:12:43.145224192");
	assert_string_equal(
		number(DS_SC_STAMP, 9, false, INT64_MAX), "2262-04-11T23:47:16.854775807");
	assert_string_equal(
		number(DS_SC_STAMP, 0, false, INT64_MIN), "-292277022657-01-27T08:29:52");
	number(DS_SC_DATE, 0, false, INT64_MIN);
	number(DS_SC_TIME, 9, false, INT64_MIN);
	number(DS_SC_DURATION, 9, false, INT64_MIN);
}

static void decimals_keep_every_digit(void **state)
{
	ds_scalar k = { .kind = DS_SC_DECIMAL, .form = DS_FORM_INT, .scale = 2 };
	assert_string_equal(text_of(k, 5, DS_S("")), "0.05");
	assert_string_equal(text_of(k, -5, DS_S("")), "-0.05");
	assert_string_equal(text_of(k, 0, DS_S("")), "0.00");
	assert_string_equal(text_of(k, INT64_MIN, DS_S("")), "-92233720368547758.08");
	assert_string_equal(decimal(0, false, DS_S("\x80")), "-128");
	assert_string_equal(decimal(0, false, DS_S("\xff\xff")), "-1");
	assert_string_equal(decimal(1, true, DS_S("\x10\x27")), "1000.0");
	assert_string_equal(decimal(-2, false, DS_S("\x07")), "700");
	assert_string_equal(decimal(0, false, DS_S("")), "0");
	assert_string_equal(
		decimal(3, false,
			DS_S("\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
			     "\x00")),
		"340282366920938463463374607431768211.456");
	assert_string_equal(
		decimal(0, false,
			DS_S("\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")),
		"-170141183460469231731687303715884105728");
}

static void the_largest_decimal_fits(void **state)
{
	char bytes[DS_DECIMAL_BYTES];
	memset(bytes, 0xff, sizeof(bytes));
	bytes[0] = 0x7f;
	assert_int_equal(strlen(decimal(0, false, (ds_str){ bytes, sizeof(bytes) })), 308);
}

static void intervals_and_uuids_are_text(void **state)
{
	ds_scalar k = { .kind = DS_SC_INTERVAL, .form = DS_FORM_BYTES };
	assert_string_equal(
		text_of(k, 0, DS_S("\x01\0\0\0\x02\0\0\0\xac\x0d\0\0")), "P1M2DT3.500S");
	assert_string_equal(text_of(k, 0, DS_S("\0\0\0\0\0\0\0\0\0\0\0\0")), "PT0S");
	k.kind = DS_SC_UUID;
	assert_string_equal(
		text_of(k, 0,
			DS_S("\0\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff")),
		"00112233-4455-6677-8899-aabbccddeeff");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_go_on_before_the_calendar_and_beyond_four_digits),
		cmocka_unit_test(a_fraction_has_the_digits_that_it_needs),
		cmocka_unit_test(times_at_the_ends_of_their_range_are_printed),
		cmocka_unit_test(decimals_keep_every_digit),
		cmocka_unit_test(the_largest_decimal_fits),
		cmocka_unit_test(intervals_and_uuids_are_text),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
