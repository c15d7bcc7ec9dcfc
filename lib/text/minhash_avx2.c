/*
 * minhash_avx2.c - 16 permutations at a time held in registers, over all shingles
 *
 * Even and odd permutations go through two 64-bit multiplications, whose upper halves are put
 * together again; the upper half of a needs the low 32 bits of its product only. Bound by the
 * multiplier: 4 of them for 8 permutations.
 */
#include "text/minhash_impl.h"

#include <immintrin.h>

typedef struct {
	__m256i even, odd, high, plus, least;
} group;

static inline group load(const ds_minhash *m, const uint32_t *sig, unsigned p)
{
	group g;
	g.even = _mm256_load_si256((const __m256i *)(m->low + p));
	g.odd = _mm256_srli_epi64(g.even, 32);
	g.high = _mm256_load_si256((const __m256i *)(m->high + p));
	g.plus = _mm256_load_si256((const __m256i *)(m->plus + p));
	g.least = _mm256_load_si256((const __m256i *)(sig + p));
	return g;
}

static inline __m256i next(group g, __m256i x)
{
	__m256i e = _mm256_mul_epu32(g.even, x), o = _mm256_mul_epu32(g.odd, x);
	__m256i h = _mm256_blend_epi32(_mm256_srli_epi64(e, 32), o, 0xaa);
	h = _mm256_add_epi32(h, _mm256_add_epi32(_mm256_mullo_epi32(g.high, x), g.plus));
	return _mm256_min_epu32(g.least, h);
}

void ds_minhash_avx2(const ds_minhash *m, const uint32_t *x, size_t n, uint32_t *sig)
{
	for (unsigned p = 0; p < m->n_padded; p += 16) {
		group g = load(m, sig, p), k = load(m, sig, p + 8);
		for (size_t i = 0; i < n; i++) {
			__m256i v = _mm256_set1_epi32((int)x[i]);
			g.least = next(g, v);
			k.least = next(k, v);
		}
		_mm256_store_si256((__m256i *)(sig + p), g.least);
		_mm256_store_si256((__m256i *)(sig + p + 8), k.least);
	}
}
