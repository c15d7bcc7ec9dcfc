/* run_avx2.c - ds_json_run, 32 bytes a step; the same bytes */
#include "json/scan.h"

#include <immintrin.h>

size_t ds_json_run_avx2(char *out, const char *in, size_t n)
{
	const __m256i quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\');
	const __m256i control = _mm256_set1_epi8(0x1F);
	size_t i = 0;
	for (; i + 32 <= n; i += 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(in + i));
		__m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(v, control), v);
		__m256i bad = _mm256_or_si256(low,
			_mm256_or_si256(_mm256_cmpeq_epi8(v, quote), _mm256_cmpeq_epi8(v, slash)));
		uint32_t mask = (uint32_t)_mm256_movemask_epi8(bad);
		_mm256_storeu_si256((__m256i *)(out + i), v);
		if (mask)
			return i + (size_t)__builtin_ctz(mask);
	}
	return i + ds_json_run(out + i, in + i, n - i);
}
