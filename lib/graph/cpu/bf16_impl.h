/*
 * bf16_impl.h - what the kernels of VDPBF16PS share; for files that are compiled for it
 *
 * The instruction multiplies pairs: 32 bits of an operand are two neighbours along k.
 */
#ifndef DS_GRAPH_CPU_BF16_IMPL_H
#define DS_GRAPH_CPU_BF16_IMPL_H

#ifdef __AVX512BF16__

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MR = 8 }; /* rows of a block of sums */

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

INLINE __mmask16 first(int64_t n)
{
	return n >= 16 ? 0xffff : n <= 0 ? 0 : (__mmask16)((1u << n) - 1);
}

/* The permutation that interleaves two rows of 16. */
INLINE __m512i interleave_rows(void)
{
	return _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7,
		22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
}

/* 16 columns of the row at p interleaved with those of the one at q. */
INLINE __m512i zip(bool wide, const char *p, const char *q, __mmask16 m, __mmask16 m2)
{
	__m512i rows;
	if (wide)
		rows = (__m512i)_mm512_cvtne2ps_pbh(
			_mm512_maskz_loadu_ps(m2, q), _mm512_maskz_loadu_ps(m, p));
	else
		rows = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_maskz_loadu_epi16(m, p)),
			_mm256_maskz_loadu_epi16(m2, q), 1);
	return _mm512_permutexvar_epi16(interleave_rows(), rows);
}

/* Rows become columns. */
INLINE void transpose16(__m512i r[16])
{
	__m512i t[16];
	UNROLL for (int i = 0; i < 16; i += 2)
	{
		t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
	}
	UNROLL for (int i = 0; i < 16; i += 4)
	{
		r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
		r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
		r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	UNROLL for (int i = 0; i < 4; i++)
	{
		t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
		t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
		t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
		t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
	}
	UNROLL for (int i = 0; i < 8; i++)
	{
		r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
		r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
	}
}

/* ---- the block of sums: 8 rows, up to 48 columns ---- */

typedef struct {
	const char *a;      /* of its first row */
	int64_t row, pair;  /* bytes from a row, from a pair to the next */
	const uint32_t *b;  /* pairs of rows, 16 nv columns of them */
	int64_t step;       /* words from a pair of b to the next */
	int64_t pairs, ldc; /* how many; of C */
	float *c;
	int64_t m, n; /* how much of the block is wanted */
	bool add;
} block;

/* clang-format off: it takes UNROLL for a part of the loop */
INLINE void sum_block(const block *x, int nv)
{
	__m512 s[MR][3];
	const char *a = x->a, *a4 = x->a + 4 * x->row;
	const uint32_t *b = x->b;
	UNROLL for (int i = 0; i < MR; i++) UNROLL for (int j = 0; j < nv; j++) s[i][j] =
		_mm512_setzero_ps();
	for (int64_t p = 0; p < x->pairs; p++) {
		__m512bh v[3];
		UNROLL for (int j = 0; j < nv; j++) v[j] = (__m512bh)_mm512_loadu_si512(b + 16 * j);
		UNROLL for (int i = 0; i < MR; i++)
		{
			int32_t two;
			memcpy(&two, (i < 4 ? a : a4) + i % 4 * x->row, sizeof(two));
			__m512bh u = (__m512bh)_mm512_set1_epi32(two);
			UNROLL for (int j = 0; j < nv; j++) s[i][j] =
				_mm512_dpbf16_ps(s[i][j], u, v[j]);
		}
		a += x->pair;
		a4 += x->pair;
		b += x->step;
	}
	UNROLL for (int i = 0; i < MR; i++)
	{
		if (i >= x->m)
			break;
		UNROLL for (int j = 0; j < nv; j++)
		{
			float *c = x->c + i * x->ldc + 16 * j;
			__mmask16 m = first(x->n - 16 * j);
			if (x->add)
				s[i][j] = _mm512_add_ps(s[i][j], _mm512_maskz_loadu_ps(m, c));
			_mm512_mask_storeu_ps(c, m, s[i][j]);
		}
	}
}
/* clang-format on */

#endif
#endif
