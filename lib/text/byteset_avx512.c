/*
 * byteset_avx512.c - 64 bytes at a time, as byteset_avx2.c
 */
#include "text/byteset_impl.h"

#include <immintrin.h>

size_t ds_byteset_find_avx512(const ds_byteset *set, const uint8_t *p, size_t n)
{
	__m512i low = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)set->low));
	__m512i high = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)set->high));
	__m512i bits = _mm512_broadcast_i32x4(
		_mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128));
	__m512i top = _mm512_set1_epi8((char)0x80), nibble = _mm512_set1_epi8(15);
	size_t i = 0;
	for (; i + 64 <= n; i += 64) {
		__m512i x = _mm512_loadu_si512(p + i);
		__m512i rows = _mm512_or_si512(_mm512_shuffle_epi8(low, x),
			_mm512_shuffle_epi8(high, _mm512_xor_si512(x, top)));
		__m512i half = _mm512_and_si512(_mm512_srli_epi16(x, 4), nibble);
		uint64_t hits = _mm512_test_epi8_mask(rows, _mm512_shuffle_epi8(bits, half));
		if (hits)
			return i + (size_t)__builtin_ctzll(hits);
	}
	return i;
}
