/* run_avx512.c - ds_json_run, 64 bytes a step, the rest under a mask; the same bytes */
#include "json/scan.h"

#include <immintrin.h>

size_t ds_json_run_avx512(char *out, const char *in, size_t n)
{
	const __m512i quote = _mm512_set1_epi8('"'), slash = _mm512_set1_epi8('\\');
	const __m512i space = _mm512_set1_epi8(0x20);
	for (size_t i = 0; i < n; i += 64) {
		size_t left = n - i;
		__mmask64 here = left >= 64 ? ~0ull : (1ull << left) - 1;
		__m512i v = _mm512_maskz_loadu_epi8(here, in + i);
		uint64_t mask = _mm512_mask_cmplt_epu8_mask(here, v, space) |
				_mm512_mask_cmpeq_epi8_mask(here, v, quote) |
				_mm512_mask_cmpeq_epi8_mask(here, v, slash);
		_mm512_mask_storeu_epi8(out + i, here, v);
		if (mask)
			return i + (size_t)__builtin_ctzll(mask);
	}
	return n;
}
