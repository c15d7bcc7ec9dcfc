/*
 * utf8_avx2.c - validation 64 bytes at a time
 *
 * Three table look-ups by nibbles find every ill-formed pair of bytes, one comparison finds missing and
 * surplus third and fourth bytes (Keiser and Lemire, "Validating UTF-8 In Less Than One Instruction
 * Per Byte", 2021). What is ASCII costs one test.
 */
#include "text/utf8_impl.h"

#include <immintrin.h>
#include <stdbool.h>

enum {
	TOO_SHORT = 1 << 0, /* a lead without its continuation */
	TOO_LONG = 1 << 1,  /* a continuation after ASCII */
	OVERLONG_3 = 1 << 2,
	SURROGATE = 1 << 4,
	OVERLONG_2 = 1 << 5,
	TWO_CONTS = 1 << 7, /* allowed only where a third or fourth byte must be */
	TOO_LARGE = 1 << 3,
	TOO_LARGE_1000 = 1 << 6,
	OVERLONG_4 = 1 << 6,
	CARRY = TOO_SHORT | TOO_LONG | TWO_CONTS,
};

#define REPEAT(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

static inline __m256i high_nibble(__m256i x)
{
	return _mm256_and_si256(_mm256_srli_epi16(x, 4), _mm256_set1_epi8(15));
}

/* x moved up by n bytes, the last of `before` in front. */
#define PREVIOUS(x, before, n) \
	_mm256_alignr_epi8(x, _mm256_permute2x128_si256(before, x, 0x21), 16 - (n))

static inline __m256i special_cases(__m256i x, __m256i prev1)
{
	const __m256i by_high_1 = REPEAT(TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
		TOO_LONG, TOO_LONG, (char)TWO_CONTS, (char)TWO_CONTS, (char)TWO_CONTS,
		(char)TWO_CONTS, TOO_SHORT | OVERLONG_2, TOO_SHORT,
		TOO_SHORT | OVERLONG_3 | SURROGATE,
		TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4);
	const __m256i by_low_1 = REPEAT((char)(CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4),
		(char)(CARRY | OVERLONG_2), (char)CARRY, (char)CARRY, (char)(CARRY | TOO_LARGE),
		(char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
		(char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
		(char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
		(char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
		(char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
		(char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
		(char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
		(char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
		(char)(CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE),
		(char)(CARRY | TOO_LARGE | TOO_LARGE_1000),
		(char)(CARRY | TOO_LARGE | TOO_LARGE_1000));
	const __m256i by_high_2 = REPEAT(TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
		TOO_SHORT, TOO_SHORT, TOO_SHORT,
		(char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE_1000 |
			OVERLONG_4),
		(char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE),
		(char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE),
		(char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE), TOO_SHORT,
		TOO_SHORT, TOO_SHORT, TOO_SHORT);
	__m256i a = _mm256_shuffle_epi8(by_high_1, high_nibble(prev1));
	__m256i b = _mm256_shuffle_epi8(by_low_1, _mm256_and_si256(prev1, _mm256_set1_epi8(15)));
	__m256i c = _mm256_shuffle_epi8(by_high_2, high_nibble(x));
	return _mm256_and_si256(_mm256_and_si256(a, b), c);
}

static inline __m256i errors_in(__m256i x, __m256i before)
{
	__m256i special = special_cases(x, PREVIOUS(x, before, 1));
	__m256i third = _mm256_subs_epu8(PREVIOUS(x, before, 2), _mm256_set1_epi8(0xe0 - 0x80));
	__m256i fourth = _mm256_subs_epu8(PREVIOUS(x, before, 3), _mm256_set1_epi8(0xf0 - 0x80));
	__m256i must =
		_mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
	return _mm256_xor_si256(must, special);
}

/* Where the character that reaches over the end of p[0..n) begins, or n. */
static size_t back_to_start(const uint8_t *p, size_t n)
{
	for (size_t back = 1; back <= 3 && back <= n; back++) {
		uint8_t b = p[n - back];
		if (b >= 0xc0)
			return (b >= 0xf0 ? 4u : b >= 0xe0 ? 3u : 2u) > back ? n - back : n;
		if (b < 0x80)
			return n;
	}
	return n;
}

size_t ds_utf8_valid_avx2(const uint8_t *p, size_t n)
{
	__m256i before = _mm256_setzero_si256();
	bool open = false; /* a character may reach over the seam */
	size_t i = 0;
	for (; i + 64 <= n; i += 64) {
		__m256i a = _mm256_loadu_si256((const __m256i *)(p + i));
		__m256i b = _mm256_loadu_si256((const __m256i *)(p + i + 32));
		if (!open && _mm256_movemask_epi8(_mm256_or_si256(a, b)) == 0) {
			before = b;
			continue;
		}
		__m256i bad = _mm256_or_si256(errors_in(a, before), errors_in(b, a));
		if (!_mm256_testz_si256(bad, bad))
			break;
		before = b;
		open = p[i + 63] >= 0xc0 || p[i + 62] >= 0xe0 || p[i + 61] >= 0xf0;
	}
	return back_to_start(p, i);
}

size_t ds_utf8_ascii_avx2(const uint8_t *p, size_t n)
{
	size_t i = 0;
	for (; i + 64 <= n; i += 64) {
		__m256i a = _mm256_loadu_si256((const __m256i *)(p + i));
		__m256i b = _mm256_loadu_si256((const __m256i *)(p + i + 32));
		if (_mm256_movemask_epi8(_mm256_or_si256(a, b)) != 0)
			break;
	}
	return i;
}
