/*
 * test_ngram.c - units, shingles and white space against slow, plain definitions
 */
#include "base/mem.h"
#include "test.h"
#include "text/ngram.h"
#include "text/utf8.h"

#include <stdlib.h>

enum { LIMIT = 20000 };

/* The definition in ngram.h, word for word, for ASCII: the truth that the fast paths are held to. */
static uint64_t slow_unit(const uint8_t *p, size_t n)
{
	uint64_t h = UINT64_C(0xff51afd7ed558cff);
	for (size_t i = 0; i < n; i += 16) {
		uint8_t b[16] = { 0 };
		for (size_t k = 0; k < 16 && i + k < n; k++)
			b[k] = p[i + k] >= 'A' && p[i + k] <= 'Z' ? p[i + k] + 32 : p[i + k];
		uint64_t v, w;
		memcpy(&v, b, 8);
		memcpy(&w, b + 8, 8);
		__uint128_t m = (__uint128_t)(v ^ h) * (w ^ UINT64_C(0x9e3779b97f4a7c15));
		h = (uint64_t)m ^ (uint64_t)(m >> 64);
	}
	return h;
}

static uint64_t slow_shingle(const uint64_t *u, size_t n)
{
	uint64_t s = 0;
	for (size_t i = 0; i < n; i++)
		s = s * UINT64_C(0xd6e8feb86659fd93) + u[i];
	uint64_t z = (s ^ s >> 32) * UINT64_C(0xa0761d6478bd642f);
	return z ^ z >> 32;
}

static bool is_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_op(uint8_t c)
{
	return c && strchr("!#$%&*+-/<=>@\\^|~", c);
}

static bool is_white(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* The bytes from i to k are operators all, and those beside them are not. */
static bool slow_is_unit(const uint8_t *p, size_t len, size_t i, size_t k)
{
	uint8_t before = i ? p[i - 1] : '\n', after = k < len ? p[k] : '\n';
	size_t l = i, r = k;
	while (l && (p[l - 1] == ' ' || p[l - 1] == '\t'))
		l--;
	while (r < len && (p[r] == ' ' || p[r] == '\t'))
		r++;
	uint8_t left = l ? p[l - 1] : '\n', right = r < len ? p[r] : '\n';
	size_t same = 1;
	while (i + same < k && p[i + same] == p[i])
		same++;
	if (is_white(before) && is_white(after) && (left == '\n' || left == '\r'))
		return false;
	if (same < k - i)
		return true;
	bool one = k - i == 1, spaced = is_white(before) && is_white(after);
	if (p[i] == '-') {
		bool sign = is_digit(after) && (!is_word(before) || is_digit(before));
		return one && (sign || (!is_digit(after) && spaced &&
					       (is_digit(left) || is_digit(right))));
	}
	if (p[i] == '!')
		return one && !is_word(before) && (is_word(after) || after == '(' || after == '_');
	return p[i] != '*' || is_white(before) == is_white(after);
}

static size_t slow_shingles(const char *text, size_t len, unsigned n, uint64_t *out)
{
	uint64_t *u = DS_NEW(uint64_t, len + 1);
	size_t n_u = 0, got = 0;
	const uint8_t *p = (const uint8_t *)text;
	for (size_t i = 0; i < len;) {
		size_t k = i;
		while (k < len && is_word(p[k]))
			k++;
		size_t op = k;
		while (k == i && op < len && is_op(p[op]))
			op++;
		if (k > i)
			u[n_u++] = slow_unit(p + i, k - i);
		else if (op > i && slow_is_unit(p, len, i, op))
			u[n_u++] = slow_unit(p + i, op - i);
		i = k > i ? k : op > i ? op : i + 1;
	}
	for (size_t i = 0; i + n <= n_u; i++)
		out[got++] = slow_shingle(u + i, n);
	ds_mem_free(u);
	return got;
}

static size_t all(ds_unit unit, unsigned n, ds_str text, uint64_t *out)
{
	DS_AUTO(ds_ngram) g = ds_ngram_new(unit, n);
	ds_ngram_start(g, text);
	size_t total = 0, got;
	uint64_t part[DS_NGRAM_BATCH];
	while ((got = ds_ngram_next64(g, part))) {
		assert_true(total + got <= LIMIT);
		memcpy(out + total, part, got * sizeof(*part));
		total += got;
	}
	assert_int_equal(ds_ngram_next64(g, part), 0);
	return total;
}

static void ascii_equals_the_definition(void **state)
{
	uint64_t *want = DS_NEW(uint64_t, LIMIT), *got = DS_NEW(uint64_t, LIMIT);
	srand(7);
	for (int round = 0; round < 2000; round++) {
		/* On the heap and of its exact size, so that sanitizers see a read behind the end. */
		size_t len = (size_t)rand() % (round % 10 ? 200 : 9000);
		char *text = malloc(len + 1);
		int gap = 1 + rand() % 30;
		for (size_t i = 0; i < len; i++)
			text[i] = rand() % gap ? "abcXYZ019"[rand() % 9]
					       : " ,_-\n\0@[`{/:+*!=  \t-#&|<"[rand() % 25];
		unsigned n = 1 + (unsigned)rand() % 13;
		char *exact = malloc(len ? len : 1);
		memcpy(exact, text, len);
		size_t n_want = slow_shingles(text, len, n, want);
		size_t n_got = all(DS_UNIT_AUTO, n, (ds_str){ exact, len }, got);
		assert_int_equal(n_got, n_want);
		assert_memory_equal(got, want, n_want * sizeof(*want));
		free(exact);
		free(text);
	}
	ds_mem_free(want);
	ds_mem_free(got);
}

static void same(ds_unit unit, const char *a, const char *b)
{
	uint64_t x[64], y[64];
	size_t n = all(unit, 1, ds_str_of(a), x), m = all(unit, 1, ds_str_of(b), y);
	if (n != m || memcmp(x, y, n * sizeof(*x)) != 0)
		fail_msg("'%s' and '%s' differ", a, b);
}

static size_t count(ds_unit unit, const char *a)
{
	uint64_t x[LIMIT];
	return all(unit, 1, ds_str_of(a), x);
}

static void scripts_decide_what_a_unit_is(void **state)
{
	assert_int_equal(count(DS_UNIT_AUTO, "the caf\xc3\xa9 \xc3\x89t\xc3\xa9"), 3);
	assert_int_equal(
		count(DS_UNIT_AUTO, "\xe6\xbc\xa2\xe5\xad\x97\xe3\x81\x8b\xe3\x83\xbc"), 4);
	assert_int_equal(count(DS_UNIT_AUTO, "abc\xe6\xbc\xa2"
					     "def"),
		3);
	assert_int_equal(count(DS_UNIT_AUTO, "\xe0\xb8\x97\xe0\xb8\xb5\xe0\xb9\x88"),
		3); /* Thai marks too */
	assert_int_equal(count(DS_UNIT_AUTO, "\xed\x95\x9c\xea\xb5\xad \xec\x96\xb4"),
		2); /* Hangul is spaced */
	assert_int_equal(count(DS_UNIT_WORD, "\xe6\xbc\xa2\xe5\xad\x97"), 1);
	assert_int_equal(count(DS_UNIT_CHAR, "ab c\xe6\xbc\xa2"), 4);
	assert_int_equal(count(DS_UNIT_AUTO, "\xe3\x80\x82 \xef\xbc\x8c \xe2\x80\x94 _ !"), 0);
	assert_int_equal(count(DS_UNIT_AUTO, "a\xff"
					     "b\xe6\xbc"
					     "c"),
		3); /* invalid bytes separate */
	same(DS_UNIT_AUTO, "\xc3\x89T\xc3\x89 STRASSE", "\xc3\xa9t\xc3\xa9, strasse");
	same(DS_UNIT_AUTO, "\xce\xa9MEGA1 \xe2\xb1\xa5x",
		"\xcf\x89mega1 \xc8\xbaX"); /* 2 and 3 bytes */
	same(DS_UNIT_CHAR, "ABC", "a b c");
	assert_int_equal(
		count(DS_UNIT_AUTO, "\xe1\x80\x99\xe1\x80\xbc\xe1\x80\x94"), 3); /* Burmese */
}

static void symbols_and_operators_are_units_but_for_punctuation(void **state)
{
	same(DS_UNIT_AUTO, "a - b, c -- d! *e* well-known", "a b c d e well known");
	same(DS_UNIT_AUTO, "* a\n# b\n ## c\n> d\n-----\n", "a b c d");
	assert_int_equal(count(DS_UNIT_AUTO, "5 - 3"), 3);
	assert_int_equal(count(DS_UNIT_AUTO, "x -3"), 3);
	assert_int_equal(count(DS_UNIT_AUTO, "a && !b"), 4);
	assert_int_equal(count(DS_UNIT_AUTO, "a->b != c"), 5);
	assert_int_equal(count(DS_UNIT_AUTO, "a * b"), 3);
	assert_int_equal(count(DS_UNIT_AUTO, "C++ C#"), 4);
	assert_int_equal(count(DS_UNIT_CHAR, "ab+c"), 4);
	assert_int_equal(count(DS_UNIT_LETTERS, "ab+c \xf0\x9f\x98\x80"), 2);
	assert_int_equal(count(DS_UNIT_AUTO, "\xf0\x9f\x98\x80\xf0\x9f\x98\xa1 \xe2\x82\xac"), 3);
	same(DS_UNIT_AUTO, "\xe2\x9d\xa4\xef\xb8\x8f x", "\xe2\x9d\xa4 x");
}

static void a_long_run_is_one_unit_wherever_it_starts(void **state)
{
	char a[400], b[400];
	for (size_t n = 1; n < 150; n++) {
		memset(a, 'x', n);
		memcpy(a + n, "\xc3\xa9y", 4);
		memset(b, ' ', 61);
		memset(b + 61, 'X', n);
		memcpy(b + 61 + n, "\xc3\x89Y", 4);
		same(DS_UNIT_AUTO, a, b);
		assert_int_equal(count(DS_UNIT_AUTO, a), 1);
	}
}

static void a_short_text_has_no_shingle(void **state)
{
	uint64_t x[8];
	assert_int_equal(all(DS_UNIT_AUTO, 5, DS_S("one two"), x), 0);
	assert_int_equal(all(DS_UNIT_AUTO, 5, DS_S("a b c d e"), x), 1);
	assert_int_equal(all(DS_UNIT_AUTO, 5, DS_S("a b c d e f"), x), 2);
	assert_int_equal(all(DS_UNIT_AUTO, 5, DS_S(" ... "), x), 0);
	assert_int_equal(all(DS_UNIT_AUTO, 5, (ds_str){ "", 0 }, x), 0);
}

static void squeezed(const char *text, const char *want, bool want_stable)
{
	size_t n = strlen(text);
	char *in = malloc(n ? n : 1), *out = malloc(n ? n : 1);
	memcpy(in, text, n);
	bool stable;
	size_t got = ds_text_squeeze(out, (ds_str){ in, n }, &stable);
	assert_int_equal(got, strlen(want));
	assert_memory_equal(out, want, got);
	assert_int_equal(stable, want_stable);
	free(in);
	free(out);
}

static void white_space_becomes_one_space(void **state)
{
	squeezed("", "", true);
	squeezed(" \t\n ", "", true);
	squeezed("\n a\r\n\r\nb \xc2\xa0\xe3\x80\x80 c\xe2\x80\xa8", "a b c", true);
	squeezed("a long line of text that is more than sixteen bytes\nand goes  on ",
		"a long line of text that is more than sixteen bytes and goes on", true);
	squeezed("0123456789abcde \n0123456789abcdef", "0123456789abcde 0123456789abcdef", true);
	squeezed("0123456789abcde 0123456789abcdef ", "0123456789abcde 0123456789abcdef", true);
	squeezed("e\xcc\x81", "e\xcc\x81", false);
	squeezed("\xc3\xa9\xe6\xbc\xa2\xff ", "\xc3\xa9\xe6\xbc\xa2\xff", true);
}

TESTS(cmocka_unit_test(ascii_equals_the_definition),
	cmocka_unit_test(scripts_decide_what_a_unit_is),
	cmocka_unit_test(symbols_and_operators_are_units_but_for_punctuation),
	cmocka_unit_test(a_long_run_is_one_unit_wherever_it_starts),
	cmocka_unit_test(a_short_text_has_no_shingle),
	cmocka_unit_test(white_space_becomes_one_space))
