/* test_tok_scan.c - pattern scanners find what the regex finds, at every level of the CPU */
#include "base/cpu.h"
#include "base/mem.h"
#include "base/rng.h"
#include "text/tok/scan.h"

#include "test.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* What patterns tell apart, and runs that are longer than a word of masks. */
static const char *const bits[] = { "a", "Z", "word", " ", "  ", "\n", "\r", "\t", "\v", "'", "'s",
	"'LL", "'ve", "'x", "7", "42", "1234567", ".", ",!", "(", "/", "-", "_", "\xc3\xa9",
	"\xc3\x9f", "\xe4\xb8\xad", "\xe6\x96\x87", "\xd0\x96", "\xd0\xb6", "\xef\xbc\x8c",
	"\xe3\x80\x82", "\xc2\xa0", "\xe3\x80\x80", "\xe2\x80\xa8", "\xc2\x85", "\xd9\xa3",
	"\xc2\xb2", "\xe2\x85\xa7", "\xcc\x81", "\xe0\xb8\xb1", "\xc5\xbf", "\xc7\x85", "\xca\xb0",
	"\xf0\x9f\x98\x80", "\xf0\xa0\x80\x80", "\xea\xb0\x80", "\xeb\x82\x98", "\x01", "\x7f",
	"                                ",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\n \n",
	"  \n  " };
enum { N_BITS = sizeof(bits) / sizeof(*bits), MAX_TEXT = 40000 };

static uint64_t seed(void)
{
	const char *s = getenv("DS_SEED");
	return s ? strtoull(s, NULL, 10) : 1;
}

/* A text of n random bits, out of a few kinds so that they meet often. */
static size_t make_text(char *out, ds_rng r, uint32_t n)
{
	size_t len = 0;
	uint32_t few = 2 + (uint32_t)ds_rng_below(r, 0, 8), pool[10];
	for (uint32_t i = 0; i < few; i++)
		pool[i] = (uint32_t)ds_rng_below(r, 1 + i, N_BITS);
	for (uint32_t i = 0; i < n; i++) {
		const char *b = bits[pool[ds_rng_below(r, 100 + i, few)]];
		memcpy(out + len, b, strlen(b));
		len += strlen(b);
	}
	return len;
}

enum { MAX_CODES = 4 };
typedef struct {
	pcre2_code *code[MAX_CODES];
	size_t n;
	uint32_t *ends;
	size_t n_ends;
} splitter;

/* text[0, n) by itself, cut by regex `level` and what that leaves and takes by those after it. */
static void cut(splitter *s, size_t level, const char *text, size_t n, size_t base)
{
	if (n == 0)
		return;
	if (level == s->n) {
		s->ends[s->n_ends++] = (uint32_t)(base + n);
		return;
	}
	pcre2_match_data *m = pcre2_match_data_create(2, NULL);
	const PCRE2_SIZE *found = pcre2_get_ovector_pointer(m);
	for (size_t at = 0; at < n;) {
		bool any = pcre2_match(s->code[level], (PCRE2_SPTR)text, n, at, PCRE2_NO_UTF_CHECK,
				   m, NULL) > 0;
		size_t begin = any ? found[0] : n, end = any ? found[1] : n;
		if (begin != at && s->n == 1)
			fail_msg("the regex leaves a gap at %zu", at);
		cut(s, level + 1, text + at, begin - at, base + at);
		cut(s, level + 1, text + begin, end - begin, base + begin);
		at = end;
	}
	pcre2_match_data_free(m);
}

static size_t by_scan(const ds_pattern *p, const char *text, size_t n, uint32_t *ends)
{
	static ds_scan s;
	static uint32_t turn[DS_SCAN_PIECES];
	size_t all = 0, k;
	/* A copy that ends where its memory does: reading on is then seen by the sanitizer. */
	char *copy = ds_mem_get(n ? n : 1);
	if (n)
		memcpy(copy, text, n);
	ds_scan_begin(&s, p, copy, n);
	while ((k = ds_scan_next(&s, turn)) > 0) {
		memcpy(ends + all, turn, k * sizeof(*turn));
		all += k;
	}
	ds_mem_free(copy);
	return all;
}

static void compare(const ds_pattern *p, splitter *s, const char *text, size_t n)
{
	static uint32_t want[MAX_TEXT], got[MAX_TEXT];
	s->ends = want;
	s->n_ends = 0;
	cut(s, 0, text, n, 0);
	size_t n_want = s->n_ends, n_got = by_scan(p, text, n, got);
	for (size_t i = 0; i < n_want && i < n_got; i++)
		if (want[i] != got[i])
			fail_msg("%s, DS_SEED=%llu: piece %zu ends at %u, not %u, in '%.*s'",
				p->name, (unsigned long long)seed(), i, got[i], want[i],
				(int)(n < 200 ? n : 200), text);
	assert_int_equal(n_got, n_want);
}

static pcre2_code *compiled(const char *name, const char *regex)
{
	int error;
	PCRE2_SIZE where;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED,
		PCRE2_UTF | PCRE2_UCP, &error, &where, NULL);
	if (!code)
		fail_msg("%s does not compile", name);
	return code;
}

static void pieces_are_those_of_the_regex(void **state)
{
	static char text[MAX_TEXT];
	for (size_t i = 0; ds_pattern_at(i); i++) {
		const ds_pattern *p = ds_pattern_at(i);
		splitter code = { .n = 0 };
		if (p->words)
			continue;
		do
			code.code[code.n] = compiled(p->name, p->regexes[code.n]);
		while (++code.n, p->sequence && p->regexes[code.n]);
		for (uint64_t k = 0; k < 1500; k++) {
			ds_rng r = ds_rng_of(seed(), k);
			uint32_t length =
				k % 100 == 0 ? 500 : 1 + (uint32_t)ds_rng_below(r, 99, 60);
			compare(p, &code, text, make_text(text, r, length));
		}
		for (size_t k = 0; k < code.n; k++)
			pcre2_code_free(code.code[k]);
	}
}

static void every_byte_is_in_a_piece(void **state)
{
	static char text[9000];
	static uint32_t ends[MAX_TEXT];
	for (uint64_t k = 0; k < 200; k++) {
		ds_rng r = ds_rng_of(seed() + 1, k);
		size_t n = (size_t)ds_rng_below(r, 0, k % 20 ? 200 : sizeof(text)), last = 0;
		for (size_t i = 0; i < n; i++)
			text[i] = (char)ds_rng_below(r, i + 1, 256);
		for (size_t i = 0; ds_pattern_at(i); i++, last = 0) {
			size_t m = by_scan(ds_pattern_at(i), text, n, ends);
			for (size_t j = 0; j < m; j++) {
				assert_true(ends[j] > last);
				last = ends[j];
			}
			assert_int_equal(last, n);
		}
	}
}

static void same_raw(const ds_scan_raw *a, const ds_scan_raw *b)
{
	assert_int_equal(a->letter, b->letter);
	assert_int_equal(a->digit, b->digit);
	assert_int_equal(a->space, b->space);
	assert_int_equal(a->blank, b->blank);
	assert_int_equal(a->line, b->line);
	assert_int_equal(a->quote, b->quote);
	assert_int_equal(a->slash, b->slash);
	assert_int_equal(a->upper, b->upper);
	assert_int_equal(a->high, b->high);
	if (!a->high)
		return;
	assert_int_equal(a->cont, b->cont);
	assert_int_equal(a->lead2, b->lead2);
	assert_int_equal(a->lead3, b->lead3);
	assert_int_equal(a->lead4e, b->lead4e);
}

static void vectors_classify_as_plain_c_does(void **state)
{
	uint8_t text[64 * 40];
	ds_scan_raw want[40], got[40];
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i < 256 ? i
					    : ds_rng_below(ds_rng_of(seed(), 7), i,
						      i < 1024 ? 128 : 256));
	ds_scan_classify_scalar(text, 40, want);
	if (ds_cpu_level() >= DS_CPU_AVX2) {
		ds_scan_classify_avx2(text, 40, got);
		for (int i = 0; i < 40; i++)
			same_raw(&want[i], &got[i]);
	}
	if (ds_cpu_level() >= DS_CPU_AVX512) {
		ds_scan_classify_avx512(text, 40, got);
		for (int i = 0; i < 40; i++)
			same_raw(&want[i], &got[i]);
	}
}

TESTS(cmocka_unit_test(pieces_are_those_of_the_regex), cmocka_unit_test(every_byte_is_in_a_piece),
	cmocka_unit_test(vectors_classify_as_plain_c_does))
