/*
 * minhash_avx512.c - 32 permutations at a time held in registers, over all shingles
 *
 * As in minhash_avx2.c; 8 operations for 16 permutations on two ports. Where the machine has 52-bit
 * multiply-and-add (IFMA), 6: a product's upper half is asked for by shifting x by 20, and b is where
 * the sum starts.
 */
#include "text/minhash_impl.h"

#include <immintrin.h>

typedef struct {
	__m512i even, odd, high, plus, least;
} group;

static inline group load(const ds_minhash *m, const uint32_t *sig, unsigned p)
{
	group g;
	g.even = _mm512_load_si512(m->low + p);
	g.odd = _mm512_srli_epi64(g.even, 32);
	g.high = _mm512_load_si512(m->high + p);
	g.plus = _mm512_load_si512(m->plus + p);
	g.least = _mm512_load_si512(sig + p);
	return g;
}

static inline __m512i next(group g, __m512i x)
{
	__m512i e = _mm512_mul_epu32(g.even, x), o = _mm512_mul_epu32(g.odd, x);
	__m512i h = _mm512_mask_shuffle_epi32(o, 0x5555, e, _MM_PERM_DDBB);
	h = _mm512_add_epi32(h, _mm512_add_epi32(_mm512_mullo_epi32(g.high, x), g.plus));
	return _mm512_min_epu32(g.least, h);
}

void ds_minhash_avx512(const ds_minhash *m, const uint32_t *x, size_t n, uint32_t *sig)
{
	for (unsigned p = 0; p < m->n_padded; p += 32) {
		group g = load(m, sig, p), k = load(m, sig, p + 16);
		for (size_t i = 0; i < n; i++) {
			__m512i v = _mm512_set1_epi32((int)x[i]);
			g.least = next(g, v);
			k.least = next(k, v);
		}
		_mm512_store_si512(sig + p, g.least);
		_mm512_store_si512(sig + p + 16, k.least);
	}
}

#define IFMA __attribute__((target("avx512ifma")))

typedef struct {
	__m512i low[2], high[2], plus[2], least; /* even and odd permutations */
} wide;

IFMA static inline wide load_wide(const ds_minhash *m, const uint32_t *sig, unsigned p)
{
	const __m512i half = _mm512_set1_epi64(0xffffffff);
	wide g;
	__m512i low = _mm512_load_si512(m->low + p), high = _mm512_load_si512(m->high + p);
	__m512i plus = _mm512_load_si512(m->plus + p);
	g.low[0] = _mm512_and_si512(low, half);
	g.low[1] = _mm512_srli_epi64(low, 32);
	g.high[0] = _mm512_and_si512(high, half);
	g.high[1] = _mm512_srli_epi64(high, 32);
	g.plus[0] = _mm512_and_si512(plus, half);
	g.plus[1] = _mm512_srli_epi64(plus, 32);
	g.least = _mm512_load_si512(sig + p);
	return g;
}

IFMA static inline __m512i next_wide(wide g, __m512i x, __m512i x20)
{
	__m512i e = _mm512_madd52hi_epu64(g.plus[0], g.low[0], x20);
	__m512i o = _mm512_madd52hi_epu64(g.plus[1], g.low[1], x20);
	e = _mm512_madd52lo_epu64(e, g.high[0], x);
	o = _mm512_madd52lo_epu64(o, g.high[1], x);
	return _mm512_min_epu32(g.least, _mm512_mask_shuffle_epi32(e, 0xaaaa, o, _MM_PERM_CCAA));
}

IFMA void ds_minhash_ifma(const ds_minhash *m, const uint32_t *x, size_t n, uint32_t *sig)
{
	for (unsigned p = 0; p < m->n_padded; p += 32) {
		wide g = load_wide(m, sig, p), k = load_wide(m, sig, p + 16);
		for (size_t i = 0; i < n; i++) {
			__m512i v = _mm512_set1_epi64(x[i]), v20 = _mm512_slli_epi64(v, 20);
			g.least = next_wide(g, v, v20);
			k.least = next_wide(k, v, v20);
		}
		_mm512_store_si512(sig + p, g.least);
		_mm512_store_si512(sig + p + 16, k.least);
	}
}
