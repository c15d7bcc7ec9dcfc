/*
 * resize_avx2.c - resizing by AVX2
 */
#include <immintrin.h>
#include <stdint.h>

#define LANES 8
#define RESIZE(what) ds_resize_##what##_avx2
#define VECTOR __m256i

static inline VECTOR widen(const uint8_t *p)
{
	return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}

static inline void narrow(uint8_t *to, VECTOR v)
{
	__m128i low = _mm256_castsi256_si128(v), high = _mm256_extracti128_si256(v, 1);
	__m128i both = _mm_packus_epi32(low, high);
	_mm_storel_epi64((__m128i *)to, _mm_packus_epi16(both, both));
}

#include "resize_body.inc"
