/*
 * gemm_avx512bf16.c - bf16 matrix products by VDPBF16PS
 *
 * Bound by that instruction: two a cycle, 32 products each. 8 x 48 sums stay in registers over KC
 * elements of k; each pair of elements takes 3 loads of B and 8 broadcasts of A for 24 of these
 * instructions. B is packed by panels of 48 columns, pairs of rows side by side as the instruction
 * wants them, 192 columns at a time: they stay in the second-level cache for all rows of A. A is
 * read in place when its rows are bf16 along k; else it is packed by 8 rows. Packing transposes
 * where the operand needs it and rounds f32 to bf16, so weights, gradients and their transposes
 * need no pass of their own. On the products of GPT-2 124M at 256 rows 0.7-0.9 of the
 * peak (540 Gflop/s, one core of Zen 5), weights f32 from memory.
 *
 * Sums go along k in one order: the same bits whatever m, n and the cut into tiles.
 */
#include "graph/cpu/bf16_impl.h"
#include "graph/cpu/cpu_impl.h"

enum { NV = 3, NR = 16 * NV, KC = 512, MC = 512, NC = 192 };

typedef struct { /* its element (k, i) */
	const char *at;
	int64_t ld;
	bool wide, along; /* f32; neighbours in memory are neighbours along k */
} operand;

static operand operand_of(const ds_gemm *g, bool is_b)
{
	ds_dtype t = is_b ? g->b_type : g->a_type;
	return (operand){ is_b ? g->b : g->a, is_b ? g->ldb : g->lda, t == DS_F32,
		is_b ? g->b_trans : !g->a_trans };
}

INLINE const char *element(const operand *f, int64_t k, int64_t i)
{
	return f->at + (size_t)((f->along ? i * f->ld + k : k * f->ld + i) * (f->wide ? 4 : 2));
}

/* ---- packing: 16 columns (or rows of A) and pairs of k, a pair in 32 bits ---- */

/* 32 numbers along k of column i. */
INLINE __m512i along(const operand *f, bool wide, int64_t k, int64_t i, int64_t left)
{
	const char *p = element(f, k, i);
	if (!wide)
		return _mm512_maskz_loadu_epi16(left >= 32 ? 0xffffffffu : (1u << left) - 1, p);
	__m512 a = _mm512_maskz_loadu_ps(first(left), p);
	__m512 b = _mm512_maskz_loadu_ps(first(left - 16), p + 64);
	return (__m512i)_mm512_cvtne2ps_pbh(b, a);
}

typedef struct { /* columns (or rows of A) [i, i + n), numbers [k, k + kc) */
	int64_t i, n, k, kc;
	uint32_t *to; /* panels one after the other */
} range;

/* 16 columns of pair p, from column c on, into panels of MR (A) or NR columns. */
INLINE void put(const range *r, bool is_b, int64_t c, int64_t p, __m512i v)
{
	int64_t pairs = (r->kc + 1) / 2;
	if (is_b) {
		_mm512_storeu_si512(r->to + c / NR * NR * pairs + p * NR + c % NR, v);
		return;
	}
	uint32_t *to = r->to + c * pairs + p * MR;
	_mm256_storeu_si256((__m256i *)to, _mm512_castsi512_si256(v));
	_mm256_storeu_si256((__m256i *)(to + MR * pairs), _mm512_extracti64x4_epi64(v, 1));
}

enum { AHEAD = 8 }; /* rows asked for before they are needed */

INLINE void pair_across(
	const operand *f, bool wide, bool is_b, const range *r, int64_t p, bool both)
{
	int64_t size = wide ? 4 : 2, row = f->ld * size, pairs = (r->kc + 1) / 2, c = 0;
	const char *at = element(f, r->k + 2 * p, r->i);
	uint32_t *to = r->to + p * NR;
	for (int64_t k = 0; k < r->n * size; k += 64) {
		_mm_prefetch(at + AHEAD * row + k, _MM_HINT_T0);
		_mm_prefetch(at + (AHEAD + 1) * row + k, _MM_HINT_T0);
	}
	for (; is_b && c + NR <= r->n; c += NR, to += NR * pairs)
		UNROLL for (int v = 0; v < NV; v++)
		{
			const char *x = at + (c + 16 * v) * size;
			_mm512_storeu_si512(
				to + 16 * v, zip(wide, x, x + row, 0xffff, both ? 0xffff : 0));
		}
	for (; c < r->n; c += 16) {
		const char *x = at + c * size;
		__mmask16 m = first(r->n - c);
		put(r, is_b, c, p, zip(wide, x, x + row, m, both ? m : 0));
	}
}

/* Row after row, as they lie: one panel alone would touch three lines of each row, and rows of weights
 * lie so far apart that these meet in the same sets of the caches. */
INLINE void pack_across(const operand *f, bool wide, bool is_b, const range *r)
{
	int64_t p = 0;
	for (; 2 * p + 1 < r->kc; p++)
		pair_across(f, wide, is_b, r, p, true);
	if (r->kc % 2)
		pair_across(f, wide, is_b, r, p, false);
}

INLINE void pack_along(const operand *f, bool wide, bool is_b, const range *r)
{
	for (int64_t c = 0; c < r->n; c += 16)
		for (int64_t k = 0; k < r->kc; k += 32) {
			__m512i v[16];
			int64_t n = r->n - c, left = r->kc - k, pairs = (min_i64(left, 32) + 1) / 2;
			for (int i = 0; i < 16; i++) { /* too many streams for the CPU's own */
				const char *ahead = element(f, r->k + k + 64, r->i + c + i);
				_mm_prefetch(ahead, _MM_HINT_T0);
				_mm_prefetch(ahead + 64, _MM_HINT_T0);
			}
			UNROLL for (int i = 0; i < 16; i++) v[i] =
				i < n ? along(f, wide, r->k + k, r->i + c + i, left)
				      : _mm512_setzero_si512();
			transpose16(v);
			for (int64_t p = 0; p < pairs; p++)
				put(r, is_b, c, k / 2 + p, v[p]);
		}
}

INLINE void pack(const operand *f, bool is_b, const range *r)
{
	if (f->along && f->wide)
		pack_along(f, true, is_b, r);
	else if (f->along)
		pack_along(f, false, is_b, r);
	else if (f->wide)
		pack_across(f, true, is_b, r);
	else
		pack_across(f, false, is_b, r);
}

/* ---- the block of sums ---- */

static void sum_any(const block *x)
{
	if (x->n > 32)
		sum_block(x, 3);
	else if (x->n > 16)
		sum_block(x, 2);
	else
		sum_block(x, 1);
}

/* ---- the product ---- */

typedef struct {
	const ds_gemm *g;
	operand a, b;
	bool direct;      /* A is read where it lies, but for what is left of 8 rows */
	uint32_t *panels; /* of B */
	uint32_t *rows;   /* of A: panels one after the other, or the last one alone */
	int64_t i, m, k, kc;
} part;

static bool is_direct(const ds_gemm *g)
{
	return g->a_type == DS_BF16 && !g->a_trans && (g->k % 2 == 0 || g->a_even);
}

static int64_t words_of_rows(const ds_gemm *g)
{
	return (is_direct(g) ? 16 : ceil_div(min_i64(g->m, MC), 16) * 16) *
	       ceil_div(min_i64(g->k, KC), 2);
}

static int64_t words_of_panels(const ds_gemm *g)
{
	return ceil_div(min_i64(g->n, NC), NR) * NR * ceil_div(min_i64(g->k, KC), 2);
}

size_t ds_cpu_gemm_bf16_bytes(const ds_gemm *g)
{
	return (size_t)(words_of_panels(g) + words_of_rows(g)) * sizeof(uint32_t);
}

static void pack_rows(const part *x)
{
	int64_t from = x->direct ? x->m / MR * MR : 0;
	pack(&x->a, false, &(range){ x->i + from, x->m - from, x->k, x->kc, x->rows });
}

static void pack_panels(const part *x, int64_t j, int64_t n)
{
	pack(&x->b, true, &(range){ j, n, x->k, x->kc, x->panels });
}

static void panel_times_rows(const part *x, const uint32_t *panel, int64_t j, int64_t n)
{
	const ds_gemm *g = x->g;
	block b = { .b = panel,
		.step = NR,
		.pairs = ceil_div(x->kc, 2),
		.ldc = g->ldc,
		.n = n,
		.add = x->k > 0 || g->beta != 0 };
	int64_t whole = x->direct ? x->m / MR * MR : 0;
	for (int64_t i = 0; i < x->m; i += MR) {
		bool lies = i < whole;
		b.a = lies ? element(&x->a, x->k, x->i + i)
			   : (const char *)(x->rows + (i - whole) * b.pairs);
		b.row = lies ? 2 * g->lda : 4;
		b.pair = lies ? 4 : 4 * MR;
		b.m = min_i64(MR, x->m - i);
		b.c = g->c + (x->i + i) * g->ldc + j;
		sum_any(&b);
	}
}

static void rows_times_columns(const part *x, int64_t j, int64_t n)
{
	pack_panels(x, j, n);
	for (int64_t c = 0; c < n; c += NR)
		panel_times_rows(x, x->panels + c * ceil_div(x->kc, 2), j + c, min_i64(NR, n - c));
}

void ds_cpu_gemm_bf16(const ds_gemm *g)
{
	part x = { .g = g,
		.a = operand_of(g, false),
		.b = operand_of(g, true),
		.direct = is_direct(g),
		.panels = g->workspace };
	x.rows = x.panels + words_of_panels(g);
	for (x.i = 0; x.i < g->m; x.i += MC) {
		x.m = min_i64(MC, g->m - x.i);
		for (x.k = 0; x.k < g->k; x.k += KC) {
			x.kc = min_i64(KC, g->k - x.k);
			pack_rows(&x);
			for (int64_t j = 0; j < g->n; j += NC)
				rows_times_columns(&x, j, min_i64(NC, g->n - j));
		}
	}
}
