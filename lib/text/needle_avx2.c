/*
 * needle_avx2.c - 64 places at a time
 */
#include "text/needle.h"

#include <immintrin.h>

static inline __m256i equal(const char *p, __m256i fold, __m256i byte)
{
	return _mm256_cmpeq_epi8(
		_mm256_or_si256(_mm256_loadu_si256((const __m256i *)p), fold), byte);
}

bool ds_needle_in_avx2(const ds_needle *needle, ds_str text, size_t *next)
{
	const char *rare = text.at + needle->rare, *other = text.at + needle->other;
	__m256i rare_byte = _mm256_set1_epi8(needle->at[needle->rare]);
	__m256i rare_fold = _mm256_set1_epi8((char)needle->fold[needle->rare]);
	__m256i other_byte = _mm256_set1_epi8(needle->at[needle->other]);
	__m256i other_fold = _mm256_set1_epi8((char)needle->fold[needle->other]);
	size_t i = 0;
	for (; i + 64 + needle->n <= text.n; i += 64) {
		__m256i a = equal(rare + i, rare_fold, rare_byte);
		__m256i b = equal(rare + i + 32, rare_fold, rare_byte);
		if (_mm256_testz_si256(_mm256_or_si256(a, b), _mm256_set1_epi8(-1)))
			continue;
		a = _mm256_and_si256(a, equal(other + i, other_fold, other_byte));
		b = _mm256_and_si256(b, equal(other + i + 32, other_fold, other_byte));
		uint64_t hits = (uint32_t)_mm256_movemask_epi8(a) |
				(uint64_t)(uint32_t)_mm256_movemask_epi8(b) << 32;
		for (; hits; hits &= hits - 1)
			if (ds_needle_is_at(needle, text.at + i + __builtin_ctzll(hits)))
				return true;
	}
	*next = i;
	return false;
}
