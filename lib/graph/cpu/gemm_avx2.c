/*
 * gemm_avx2.c - matrix products in f32 for CPUs without AVX-512, whatever type the operands lie in
 *
 * Bound by two FMAs a cycle. 6 x 16 sums stay in registers; each step along k takes two
 * loads of B and six broadcasts of A for twelve FMAs. Rows of A are packed by six, KC numbers long: MC of
 * them stay in the second-level cache. Panels of 16 columns of B are packed NC columns at a time just before
 * they meet them all, each of which it does from the first-level cache. Packing transposes, widens 16-bit floats, and rounds f32 to the type
 * of the product, so bf16 costs what f32 does (Goto and van de Geijn, "Anatomy of High-Performance Matrix
 * Multiplication", ACM TOMS 2008).
 *
 * Sums go along k in one order: the same bits whatever m, n and the cut into tiles.
 */
#include "graph/cpu/cpu_impl.h"

enum { MR = 6, NR = 16, KC = 256, MC = 264, NC = 128 };

size_t ds_cpu_gemm_avx2_bytes(const ds_gemm *g)
{
	int64_t rows = ceil_div(min_i64(g->m, MC), MR) * MR, k = min_i64(g->k, KC);
	return (size_t)((rows + NC) * k) * sizeof(float) + 64;
}

#ifdef __AVX2__

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

typedef struct { /* its element (k, i) */
	const char *at;
	int64_t ld;
	bool along; /* neighbours in memory are neighbours along k */
	ds_dtype lies, type;
} operand;

static operand operand_of(const ds_gemm *g, bool is_b)
{
	return (operand){ is_b ? g->b : g->a, is_b ? g->ldb : g->lda,
		is_b ? g->b_trans : !g->a_trans, is_b ? g->b_type : g->a_type, g->type };
}

/* ---- reading eight numbers as floats that were rounded to the product's type ---- */

/* To nearest even; what is NaN stays one. */
INLINE __m256 round_bf16(__m256 v)
{
	__m256i u = _mm256_castps_si256(v);
	__m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
	__m256i up = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
	__m256i nan = _mm256_or_si256(u, _mm256_set1_epi32(0x400000));
	__m256 is_nan = _mm256_cmp_ps(v, v, _CMP_UNORD_Q);
	__m256 r = _mm256_blendv_ps(_mm256_castsi256_ps(up), _mm256_castsi256_ps(nan), is_nan);
	return _mm256_and_ps(r, _mm256_castsi256_ps(_mm256_set1_epi32((int)0xffff0000)));
}

INLINE __m256 rounded(ds_dtype type, __m256 v)
{
	if (type == DS_BF16)
		return round_bf16(v);
	if (type == DS_F16)
		return _mm256_cvtph_ps(_mm256_cvtps_ph(v, 0));
	return v;
}

INLINE __m256 load8(ds_dtype lies, ds_dtype type, const char *p)
{
	if (lies == DS_F32)
		return rounded(type, _mm256_loadu_ps((const float *)p));
	__m128i h = _mm_loadu_si128((const __m128i *)p);
	if (lies == DS_F16)
		return _mm256_cvtph_ps(h);
	return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

/* The first n < 8 of them, zeros behind. */
static __m256 load_some(ds_dtype lies, ds_dtype type, const char *p, int64_t n)
{
	char bytes[32] = { 0 };
	if (n > 0)
		memcpy(bytes, p, (size_t)n * ds_dtype_bytes(lies));
	return load8(lies, type, bytes);
}

INLINE const char *element(const operand *f, ds_dtype lies, int64_t k, int64_t i)
{
	return f->at +
	       (size_t)(f->along ? i * f->ld + k : k * f->ld + i) * (lies == DS_F32 ? 4 : 2);
}

INLINE __m256 load(const operand *f, ds_dtype lies, ds_dtype type, int64_t k, int64_t i, int64_t n)
{
	const char *p = element(f, lies, k, i);
	return n >= 8 ? load8(lies, type, p) : load_some(lies, type, p, n);
}

INLINE void transpose8(__m256 r[8])
{
	__m256 t[8], u[8];
	UNROLL for (int i = 0; i < 8; i += 2)
	{
		t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
	}
	UNROLL for (int i = 0; i < 8; i += 4)
	{
		u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
		u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
		u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
		u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
	}
	UNROLL for (int i = 0; i < 4; i++)
	{
		r[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
		r[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
	}
}

/* ---- packing: panels of `width` columns, the numbers of one k side by side ---- */

typedef struct {
	int64_t k, kc, i, n; /* numbers [k, k + kc) of columns (rows of A) [i, i + n) */
	float *to;           /* panels one after another, of width × kc numbers */
} range;

INLINE void store(float *to, __m256 v, int n) /* n: 8 or 6 */
{
	if (n == 8) {
		_mm256_storeu_ps(to, v);
		return;
	}
	_mm_storeu_ps(to, _mm256_castps256_ps128(v));
	_mm_storel_pi((__m64 *)(to + 4), _mm256_extractf128_ps(v, 1));
}

INLINE void across8(const operand *f, ds_dtype lies, ds_dtype type, int width, const range *r,
	int64_t c, int64_t k, int64_t n)
{
	float *to = r->to + c * r->kc + k * width;
	for (int64_t p = 0; p < n; p++, to += width) {
		_mm_prefetch(element(f, lies, r->k + k + p + 8, r->i + c), _MM_HINT_T0);
		UNROLL for (int w = 0; w < width; w += 8) store(to + w,
			load(f, lies, type, r->k + k + p, r->i + c + w, min_i64(8, r->n - c - w)),
			width == MR ? MR : 8);
	}
}

INLINE void along8(const operand *f, ds_dtype lies, ds_dtype type, int width, const range *r,
	int64_t c, int64_t k, int64_t n)
{
	UNROLL for (int w = 0; w < width; w += 8)
	{
		float *to = r->to + c * r->kc + k * width + w;
		__m256 v[8];
		UNROLL for (int i = 0; i < 8; i++) v[i] =
			w + i < width && c + w + i < r->n
				? load(f, lies, type, r->k + k, r->i + c + w + i, n)
				: _mm256_setzero_ps();
		transpose8(v);
		for (int64_t p = 0; p < n; p++)
			store(to + p * width, v[p], width == MR ? MR : 8);
	}
}

/*
 * What lies across is taken eight rows at a time over all panels: a panel's own columns are a line of each
 * row, and rows of weights lie so far apart that these lines meet in the same sets of the caches.
 */
INLINE void pack_as(const operand *f, ds_dtype lies, ds_dtype type, int width, const range *r)
{
	if (f->along) {
		for (int64_t c = 0; c < r->n; c += width)
			for (int64_t k = 0; k < r->kc; k += 8)
				along8(f, lies, type, width, r, c, k, min_i64(8, r->kc - k));
		return;
	}
	for (int64_t k = 0; k < r->kc; k += 8)
		for (int64_t c = 0; c < r->n; c += width)
			across8(f, lies, type, width, r, c, k, min_i64(8, r->kc - k));
}

INLINE void pack(const operand *f, int width, const range *r)
{
	if (f->lies == DS_BF16)
		pack_as(f, DS_BF16, DS_BF16, width, r);
	else if (f->lies == DS_F16)
		pack_as(f, DS_F16, DS_F16, width, r);
	else if (f->type == DS_BF16)
		pack_as(f, DS_F32, DS_BF16, width, r);
	else if (f->type == DS_F16)
		pack_as(f, DS_F32, DS_F16, width, r);
	else
		pack_as(f, DS_F32, DS_F32, width, r);
}

static void pack_b(const operand *f, const range *r)
{
	pack(f, NR, r);
}

static void pack_a(const operand *f, const range *r)
{
	pack(f, MR, r);
}

/* ---- the product of packed panels ---- */

/* c[MR][NR] (+)= a[kc][MR] b[kc][NR] */
INLINE void product(const float *a, const float *b, int64_t kc, float *c, int64_t ldc, bool add)
{
	__m256 s[MR][2];
	UNROLL for (int i = 0; i < MR; i++)
	{
		s[i][0] = _mm256_setzero_ps();
		s[i][1] = _mm256_setzero_ps();
		_mm_prefetch((const char *)(c + i * ldc), _MM_HINT_T0);
	}
	for (int64_t k = 0; k < kc; k++, a += MR, b += NR) {
		__m256 b0 = _mm256_load_ps(b), b1 = _mm256_load_ps(b + 8);
		UNROLL for (int i = 0; i < MR; i++)
		{
			__m256 x = _mm256_broadcast_ss(a + i);
			s[i][0] = _mm256_fmadd_ps(x, b0, s[i][0]);
			s[i][1] = _mm256_fmadd_ps(x, b1, s[i][1]);
		}
	}
	UNROLL for (int i = 0; i < MR; i++) UNROLL for (int h = 0; h < 2; h++)
	{
		float *to = c + i * ldc + 8 * h;
		_mm256_storeu_ps(to, add ? _mm256_add_ps(_mm256_loadu_ps(to), s[i][h]) : s[i][h]);
	}
}

static void whole(const float *a, const float *b, int64_t kc, float *c, int64_t ldc, bool add)
{
	if (add)
		product(a, b, kc, c, ldc, true);
	else
		product(a, b, kc, c, ldc, false);
}

/* At the edges: m x n of the sums are wanted. */
static void cut(const float *a, const float *b, int64_t kc, float *c, int64_t ldc, bool add,
	int64_t m, int64_t n)
{
	float t[MR * NR] __attribute__((aligned(32)));
	whole(a, b, kc, t, NR, false);
	for (int64_t i = 0; i < m; i++)
		for (int64_t k = 0; k < n; k++)
			c[i * ldc + k] = (add ? c[i * ldc + k] : 0) + t[i * NR + k];
}

/* One block of A against all columns. */
static void block(const ds_gemm *g, int64_t i0, int64_t m, int64_t k0, int64_t kc, float *workspace)
{
	operand fa = operand_of(g, false), fb = operand_of(g, true);
	float *b = workspace, *a = workspace + NC * kc;
	bool add = k0 > 0 || g->beta != 0;
	pack_a(&fa, &(range){ k0, kc, i0, m, a });
	for (int64_t j = 0; j < g->n; j += NR) {
		int64_t n = min_i64(NR, g->n - j);
		if (j % NC == 0)
			pack_b(&fb, &(range){ k0, kc, j, min_i64(NC, g->n - j), b });
		const float *panel = b + j % NC * kc;
		for (int64_t i = 0; i < m; i += MR) {
			float *c = g->c + (i0 + i) * g->ldc + j;
			if (n == NR && m - i >= MR)
				whole(a + i * kc, panel, kc, c, g->ldc, add);
			else
				cut(a + i * kc, panel, kc, c, g->ldc, add, min_i64(MR, m - i), n);
		}
	}
}

void ds_cpu_gemm_avx2(const ds_gemm *g)
{
	float *workspace = (float *)(((uintptr_t)g->workspace + 63) & ~(uintptr_t)63);
	for (int64_t i = 0; i < g->m; i += MC)
		for (int64_t k = 0; k < g->k; k += KC)
			block(g, i, min_i64(MC, g->m - i), k, min_i64(KC, g->k - k), workspace);
}

#else

void ds_cpu_gemm_avx2(const ds_gemm *g)
{
	__builtin_unreachable();
}

#endif
