/*
 * resize_avx512.c - resizing by AVX-512
 */
#include <immintrin.h>
#include <stdint.h>

#define LANES 16
#define RESIZE(what) ds_resize_##what##_avx512
#define VECTOR __m512i

static inline VECTOR widen(const uint8_t *p)
{
	return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}

static inline void narrow(uint8_t *to, VECTOR v)
{
	__m512i positive = _mm512_max_epi32(v, _mm512_setzero_si512());
	_mm_storeu_si128((__m128i *)to, _mm512_cvtusepi32_epi8(positive));
}

#include "resize_body.inc"
