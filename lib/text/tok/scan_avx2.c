/*
 * scan_avx2.c - classifies 64 bytes in two halves; see scan.c for what the kinds are
 */
#include "text/tok/scan.h"

#include <immintrin.h>

static uint64_t both(__m256i a, __m256i b)
{
	return (uint32_t)_mm256_movemask_epi8(a) | (uint64_t)(uint32_t)_mm256_movemask_epi8(b)
							   << 32;
}

static __m256i equal(__m256i v, char c)
{
	return _mm256_cmpeq_epi8(v, _mm256_set1_epi8(c));
}

/* first <= v < first + n, unsigned */
static __m256i within(__m256i v, char first, char n)
{
	__m256i d = _mm256_sub_epi8(v, _mm256_set1_epi8(first));
	return _mm256_cmpeq_epi8(_mm256_min_epu8(d, _mm256_set1_epi8((char)(n - 1))), d);
}

void ds_scan_classify_avx2(const uint8_t *p, size_t n_words, ds_scan_raw *out)
{
	const __m256i lower = _mm256_set1_epi8(32);
	for (size_t w = 0; w < n_words; w++, p += 64) {
		__m256i a = _mm256_loadu_si256((const __m256i *)p);
		__m256i b = _mm256_loadu_si256((const __m256i *)(p + 32));
		__m256i a2 = _mm256_or_si256(a, lower), b2 = _mm256_or_si256(b, lower);
		ds_scan_raw *r = &out[w];
		r->letter = both(within(a2, 'a', 26), within(b2, 'a', 26));
		r->digit = both(within(a, '0', 10), within(b, '0', 10));
		r->space = both(equal(a, ' '), equal(b, ' '));
		r->line =
			both(equal(a, '\n'), equal(b, '\n')) | both(equal(a, '\r'), equal(b, '\r'));
		r->blank = both(within(a, 9, 5), within(b, 9, 5)) & ~r->line;
		r->quote = both(equal(a, '\''), equal(b, '\''));
		r->slash = both(equal(a, '/'), equal(b, '/'));
		r->upper = both(within(a, 'A', 26), within(b, 'A', 26));
		r->high = both(a, b);
		r->cont = r->lead2 = r->lead3 = r->lead4e = 0;
		if (!r->high)
			continue;
		r->cont = both(within(a, (char)0x80, 64), within(b, (char)0x80, 64));
		r->lead2 = both(within(a, (char)0xd0, 2), within(b, (char)0xd0, 2));
		r->lead3 = both(within(a, (char)0xe5, 8), within(b, (char)0xe5, 8)) &
			   ~both(equal(a, (char)0xea), equal(b, (char)0xea));
		r->lead4e = both(equal(a, (char)0xe4), equal(b, (char)0xe4)) &
			    both(within(a, (char)0xb8, 72), within(b, (char)0xb8, 72)) >> 1;
	}
}
