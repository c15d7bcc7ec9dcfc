/*
 * test_unicode.c - UTF-8, normal form C, case, charsets
 */
#include "test.h"

#include "base/rng.h"
#include "text/byteset.h"
#include "text/unicode.h"
#include "text/utf8.h"

static ds_arena *mem;

static int set_up(void **state)
{
	mem = ds_arena_new(1 << 16);
	return 0;
}

static int tear_down(void **state)
{
	ds_arena_free(mem);
	return 0;
}

static ds_str repaired(ds_str s)
{
	size_t n;
	return ds_utf8_repair(s, mem, &n);
}

static void ill_formed_parts_become_one_mark_each(void **state)
{
	/* The examples of the Unicode standard, tables 3-8 to 3-11. */
	assert_str(repaired(DS_S("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41")),
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf"
		"\xbd"
		"\xef\xbf\xbd\x41");
	assert_str(repaired(DS_S("\xed\xa0\x80\x41")), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x41");
	assert_str(repaired(DS_S("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42")),
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x41\xef\xbf\xbd"
		"\xef\xbf\xbd\x42");
	assert_str(repaired(DS_S("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41")),
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x41");
}

static void valid_text_comes_back_as_the_same_view(void **state)
{
	ds_str s = DS_S("caf\xc3\xa9 \xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80");
	assert_ptr_equal(repaired(s).at, s.at);
	assert_ptr_equal(ds_nfc(s, mem).at, s.at);
	assert_int_equal(ds_utf8_count(s), 9);
}

static size_t valid_slow(const uint8_t *p, size_t n)
{
	uint32_t c;
	for (size_t i = 0;;) {
		unsigned k = i < n ? ds_utf8_get(p + i, p + n, &c) : 0;
		if (k == 0)
			return i;
		i += k;
	}
}

static void vectors_and_single_steps_find_the_same_end(void **state)
{
	ds_rng r = ds_rng_of(7, 1);
	uint64_t draw = 0;
	static const char *const parts[] = { "a", "text of some length ", "\xc3\xa9",
		"\xe4\xb8\xad", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xee\x80\x80",
		"\xf4\x8f\xbf\xbf" };
	static const char *const wrong[] = { "\x80", "\xc0\x80", "\xe0\x9f\xbf", "\xed\xa0\x80",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xc3", "\xe4\xb8", "\xf0\x9f\x98",
		"\xff" };
	for (unsigned round = 0; round < 4000; round++) {
		uint8_t text[700];
		size_t n = 0, want = 1 + ds_rng_below(r, draw++, 300);
		while (n < want) {
			const char *p = ds_rng_below(r, draw++, 60)
						? parts[ds_rng_below(r, draw++, 8)]
						: wrong[ds_rng_below(r, draw++, 10)];
			memcpy(text + n, p, strlen(p));
			n += strlen(p);
		}
		assert_int_equal(ds_utf8_valid((ds_str){ (char *)text, n }), valid_slow(text, n));
		assert_int_equal(
			ds_utf8_valid((ds_str){ (char *)text, want }), valid_slow(text, want));
	}
}

static void nfc_joins_letters_and_marks(void **state)
{
	assert_str(ds_nfc(DS_S("cafe\xcc\x81!"), mem), "caf\xc3\xa9!");
	/* Marks are put in order: dot below before circumflex. */
	assert_str(ds_nfc(DS_S("o\xcc\x82\xcc\xa3"), mem), "\xe1\xbb\x99");
	/* Hangul syllables are put together; what is compatible only stays. */
	assert_str(ds_nfc(DS_S("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"), mem), "\xed\x95\x9c");
	assert_str(ds_nfc(DS_S("10\xc2\xb3 \xef\xac\x81"), mem), "10\xc2\xb3 \xef\xac\x81");
	/* A compatibility ideograph has a canonical form. */
	assert_str(ds_nfc(DS_S("x\xef\xa4\x80y"), mem), "x\xe8\xb1\x88y");
	/* A bad byte stays where it was. */
	assert_str(ds_nfc(DS_S("\xff"
			       "e\xcc\x81\xff\xcc\x81"),
			   mem),
		"\xff\xc3\xa9\xff\xcc\x81");
}

static void nfc_takes_linear_time_over_a_million_marks(void **state)
{
	enum { N = 1000000 };
	char *text = ds_arena_bytes(mem, 4 * N + 1);
	text[0] = 'a';
	for (size_t i = 0; i < N; i++)
		memcpy(text + 1 + 4 * i, "\xcc\x81\xcc\xa3", 4); /* above, below, above … */
	ds_str out = ds_nfc((ds_str){ text, 4 * N + 1 }, mem);
	assert_true(out.n > 3 * N);
}

static void case_follows_the_language_of_the_text(void **state)
{
	assert_str(ds_utf8_lower(DS_S("ABC xyz"), mem), "abc xyz");
	/* The last sigma of a word has its own form. */
	assert_str(ds_utf8_lower(DS_S("\xce\x9f\xce\x94\xce\x9f\xce\xa3 X"), mem),
		"\xce\xbf\xce\xb4\xce\xbf\xcf\x82 x");
	assert_str(ds_utf8_fold(DS_S("STRASSE Stra\xc3\x9f"
				     "e"),
			   mem),
		"strasse strasse");
	assert_str(ds_utf8_lower(DS_S("\xc3\x89\xff\xc3\x89"), mem), "\xc3\xa9\xff\xc3\xa9");
	ds_str zh = DS_S("\xe4\xb8\xad\xe6\x96\x87");
	assert_ptr_equal(ds_utf8_lower(zh, mem).at, zh.at);
}

static void charsets_are_decoded(void **state)
{
	ds_err e;
	ds_str out;
	assert_int_equal(
		ds_charset_decode(&out, DS_S("\xd6\xd0\xce\xc4"), "gb18030", mem, &e), DS_OK);
	assert_str(out, "\xe4\xb8\xad\xe6\x96\x87");
	assert_int_equal(
		ds_charset_decode(&out, DS_S("\x93x\x94"), "windows-1252", mem, &e), DS_OK);
	assert_str(out, "\xe2\x80\x9cx\xe2\x80\x9d");
	assert_int_equal(ds_charset_decode(&out, DS_S("a\0b\0c"), "UTF-16LE", mem, &e), DS_OK);
	assert_str(out, "ab\xef\xbf\xbd");
	assert_int_equal(ds_charset_decode(&out, DS_S("a"), "no-such", mem, &e), DS_USAGE);
}

static void a_byte_of_a_set_is_found_wherever_it_is(void **state)
{
	ds_byteset set;
	ds_byteset_init(&set);
	ds_byteset_add(&set, 0xf0, 0xff);
	ds_byteset_add_all(&set, "<&");
	uint8_t text[300];
	for (unsigned at = 0; at < 260; at++) {
		for (unsigned b = 0; b < 256; b++) {
			memset(text, 'p', sizeof(text));
			text[at] = (uint8_t)b;
			bool in = b >= 0xf0 || b == '<' || b == '&';
			assert_int_equal(ds_byteset_find(&set, (ds_str){ (char *)text, 270 }, 3),
				in && at >= 3 ? at : 270);
		}
	}
}

/* After a Han character ICU sees all; what comes then has the same clusters as by itself. */
static void graphemes_of_ascii_are_those_of_the_standard(void **state)
{
	static const char *const parts[] = { "a", "\r", "\n", " ", "\xcc\x81", "\xe4\xb8\xad",
		"~" };
	for (uint64_t round = 0; round < 3000; round++) {
		ds_rng rng = ds_rng_of(7, round);
		char text[64] = "\xe4\xb8\xad"
				"b";
		uint32_t whole[64], part[64];
		for (uint64_t k = ds_rng_below(rng, 0, 9); k > 0; k--)
			strcat(text, parts[ds_rng_below(rng, k, sizeof(parts) / sizeof(*parts))]);
		size_t n = ds_graphemes(ds_str_of(text), whole, mem);
		assert_int_equal(ds_graphemes(ds_str_of(text + 3), part, mem), n - 1);
		for (size_t i = 1; i < n; i++)
			assert_int_equal(part[i - 1], whole[i] - 3);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
TESTS(T(ill_formed_parts_become_one_mark_each), T(valid_text_comes_back_as_the_same_view),
	T(vectors_and_single_steps_find_the_same_end), T(nfc_joins_letters_and_marks),
	T(nfc_takes_linear_time_over_a_million_marks), T(case_follows_the_language_of_the_text),
	T(charsets_are_decoded), T(a_byte_of_a_set_is_found_wherever_it_is),
	T(graphemes_of_ascii_are_those_of_the_standard))
