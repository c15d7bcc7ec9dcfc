/*
 * tiles_amx.c - products with weights that were packed before, by the CPU's tiles
 *
 * gemm_amx.c packs both operands at every product; here the weights are prepacked, and rows of activations are packed once for all
 * columns. Factors are bf16, or a float as the sum of three of them, each the rounding of what those before left (Henry, Tang
 * and Heinecke, "Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations", ARITH 2019): of the nine
 * products the three smallest are left out, which are below the last bit of a float. Against sums in double the error is half of
 * dnnl_sgemm's, at 1.7 to 1.9 times its speed.
 *
 * Bound by the multiplications: 24 of them for 14 loads. Sums stay in the tiles as floats along the whole of k, from
 * the bias on, and pass through C without a change where k is cut: the same bits whatever the cut and the number of
 * rows.
 */
#include "graph/cpu/tiles.h"

#include "graph/cpu/amx_impl.h"
#include "graph/cpu/cpu_impl.h"

enum { LINE = 64, TILE = 16 * LINE, MOST_PARTS = 3 }; /* bytes */

size_t ds_tiles_bytes(int parts, int64_t n, int64_t k)
{
	return (size_t)(ceil_div(n, DS_TILE) * ceil_div(k, DS_TILE_K) * parts) * TILE;
}

#if defined(__AMX_BF16__) && defined(__AVX512BF16__)

/* ---- packing ---- */

INLINE __m512 wide(__m256i halves)
{
	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

/* 32 floats, 16 at a and 16 at b, as the sum of so many parts. */
INLINE void split(__m512 a, __m512 b, int parts, __m512i out[MOST_PARTS])
{
	for (int s = 0; s < parts; s++) {
		out[s] = (__m512i)_mm512_cvtne2ps_pbh(b, a);
		a = _mm512_sub_ps(a, wide(_mm512_castsi512_si256(out[s])));
		b = _mm512_sub_ps(b, wide(_mm512_extracti64x4_epi64(out[s], 1)));
	}
}

/* 32 numbers of a row that has n of them from p on. */
INLINE void read_line(const ds_tile_rows *r, const char *p, int64_t n, __m512i out[MOST_PARTS])
{
	if (r->is_f32)
		split(_mm512_maskz_loadu_ps(first(n), p),
			_mm512_maskz_loadu_ps(first(n - 16), p + LINE), r->parts, out);
	else
		out[0] = _mm512_maskz_loadu_epi16(n >= 32 ? 0xffffffffu : (1u << n) - 1, p);
}

INLINE const char *element(const ds_tile_rows *r, int64_t row, int64_t col)
{
	return (const char *)r->at + (row * r->ld + col) * (r->is_f32 ? 4 : 2);
}

void ds_tiles_pack_rows(const ds_tile_rows *r, int64_t strip, void *to)
{
	char *out = to;
	for (int64_t k = 0; k < r->cols; k += DS_TILE_K, out += r->parts * TILE)
		for (int64_t i = 0; i < DS_TILE; i++) {
			int64_t row = strip * DS_TILE + i;
			__m512i v[MOST_PARTS] = { _mm512_setzero_si512(), _mm512_setzero_si512(),
				_mm512_setzero_si512() };
			if (row < r->rows)
				read_line(r, element(r, row, k), r->cols - k, v);
			for (int s = 0; s < r->parts; s++)
				_mm512_store_si512(out + s * TILE + i * LINE, v[s]);
		}
}

/* A panel of 16 rows of W, which lie along k: lines are transposed. */
static void pack_transposed(const ds_tile_rows *r, int64_t panel, char *out)
{
	for (int64_t k = 0; k < r->cols; k += DS_TILE_K, out += r->parts * TILE) {
		__m512i v[MOST_PARTS][DS_TILE] = { 0 };
		for (int64_t i = 0; i < DS_TILE && panel * DS_TILE + i < r->rows; i++) {
			__m512i line[MOST_PARTS];
			read_line(r, element(r, panel * DS_TILE + i, k), r->cols - k, line);
			for (int s = 0; s < r->parts; s++)
				v[s][i] = line[s];
		}
		for (int s = 0; s < r->parts; s++) {
			transpose16(v[s]);
			for (int i = 0; i < DS_TILE; i++)
				_mm512_store_si512(out + s * TILE + i * LINE, v[s][i]);
		}
	}
}

/* 16 numbers of a row of W that lies across k; zeros where there is none. */
INLINE __m512 read_across(const ds_tile_rows *r, int64_t row, int64_t col)
{
	__mmask16 m = row < r->rows ? first(r->cols - col) : 0;
	const char *p = element(r, row < r->rows ? row : 0, col);
	return r->is_f32 ? _mm512_maskz_loadu_ps(m, p) : wide(_mm256_maskz_loadu_epi16(m, p));
}

static void pack_across(const ds_tile_rows *r, int64_t panel, char *out)
{
	for (int64_t k = 0; k < r->rows; k += DS_TILE_K, out += r->parts * TILE)
		for (int64_t p = 0; p < DS_TILE; p++) {
			__m512i v[MOST_PARTS];
			split(read_across(r, k + 2 * p, panel * DS_TILE),
				read_across(r, k + 2 * p + 1, panel * DS_TILE), r->parts, v);
			for (int s = 0; s < r->parts; s++)
				_mm512_store_si512(out + s * TILE + p * LINE,
					_mm512_permutexvar_epi16(interleave_rows(), v[s]));
		}
}

void ds_tiles_pack_weights(const ds_tile_rows *r, bool across, int64_t panel, void *to)
{
	if (across)
		pack_across(r, panel, to);
	else
		pack_transposed(r, panel, to);
}

/* ---- 2 x 2 tiles of sums ---- */

typedef struct {
	const char *a[2], *b[2]; /* tiles of two strips, two panels: [tile of k][part] */
	bool two_a, two_b;
	int64_t tiles;
	int parts;
} quad;

INLINE void load_a(const quad *q, const char *const a[2], int part)
{
	_tile_loadd(4, a[0] + part * TILE, LINE);
	if (q->two_a)
		_tile_loadd(5, a[1] + part * TILE, LINE);
}

INLINE void load_b(const quad *q, const char *const b[2], int part)
{
	_tile_loadd(6, b[0] + part * TILE, LINE);
	if (q->two_b)
		_tile_loadd(7, b[1] + part * TILE, LINE);
}

INLINE void multiply(const quad *q)
{
	_tile_dpbf16ps(0, 4, 6);
	if (q->two_b)
		_tile_dpbf16ps(1, 4, 7);
	if (q->two_a)
		_tile_dpbf16ps(2, 5, 6);
	if (q->two_a && q->two_b)
		_tile_dpbf16ps(3, 5, 7);
}

/* From the smallest products to the largest. */
INLINE void sum_quad(const quad *q)
{
	const char *a[2] = { q->a[0], q->a[1] }, *b[2] = { q->b[0], q->b[1] };
	for (int64_t t = 0; t < q->tiles; t++) {
		if (q->parts > 1) {
			load_a(q, a, 2);
			load_b(q, b, 0);
			multiply(q);
			load_a(q, a, 1);
			multiply(q);
			load_b(q, b, 1);
			multiply(q);
			load_a(q, a, 0);
			multiply(q);
			load_b(q, b, 2);
			multiply(q);
			load_b(q, b, 0);
			multiply(q);
		} else {
			load_a(q, a, 0);
			load_b(q, b, 0);
			multiply(q);
		}
		for (int i = 0; i < 2; i++) {
			a[i] += q->parts * TILE;
			b[i] += q->parts * TILE;
		}
	}
}

static void sum_one(const quad *q)
{
	if (q->two_a && q->two_b)
		sum_quad(&(quad){
			{ q->a[0], q->a[1] }, { q->b[0], q->b[1] }, true, true, q->tiles, 1 });
	else
		sum_quad(&(quad){ { q->a[0], q->a[1] }, { q->b[0], q->b[1] }, q->two_a, q->two_b,
			q->tiles, 1 });
}

static void sum_three(const quad *q)
{
	if (q->two_a && q->two_b)
		sum_quad(&(quad){
			{ q->a[0], q->a[1] }, { q->b[0], q->b[1] }, true, true, q->tiles, 3 });
	else
		sum_quad(&(quad){ { q->a[0], q->a[1] }, { q->b[0], q->b[1] }, q->two_a, q->two_b,
			q->tiles, 3 });
}

static void load_sums(const float *c, int64_t bytes, int64_t down)
{
	tiles_see_memory();
	_tile_loadd(0, c, bytes);
	_tile_loadd(1, c + DS_TILE, bytes);
	_tile_loadd(2, c + down, bytes);
	_tile_loadd(3, c + down + DS_TILE, bytes);
}

static void store_sums(float *c, int64_t bytes, int64_t down)
{
	_tile_stored(0, c, bytes);
	_tile_stored(1, c + DS_TILE, bytes);
	_tile_stored(2, c + down, bytes);
	_tile_stored(3, c + down + DS_TILE, bytes);
}

/* ---- the product ---- */

enum { PAIR = 2 * DS_TILE };

/* C's block into a whole one, and back. */
static void copy_in(float *sums, const float *c, int64_t ldc, int64_t m, int64_t n)
{
	for (int64_t i = 0; i < m; i++)
		memcpy(sums + i * PAIR, c + i * ldc, (size_t)n * sizeof(*c));
}

static void copy_out(const float *sums, float *c, int64_t ldc, int64_t m, int64_t n)
{
	for (int64_t i = 0; i < m; i++)
		memcpy(c + i * ldc, sums + i * PAIR, (size_t)n * sizeof(*c));
}

static void run_quad(const ds_tile_product *p, const quad *q, int64_t i, const float *start)
{
	float sums[PAIR * PAIR] = { 0 }, *c = p->c + i * p->ldc;
	int64_t m = min_i64(PAIR, p->m - i);
	bool whole = m == PAIR && p->n == PAIR;
	if (start)
		load_sums(start, 0, 0); /* 16 times the same line */
	else if (whole)
		load_sums(c, p->ldc * 4, DS_TILE * p->ldc);
	else {
		copy_in(sums, c, p->ldc, m, p->n);
		load_sums(sums, PAIR * 4, DS_TILE * PAIR);
	}
	if (p->parts > 1)
		sum_three(q);
	else
		sum_one(q);
	if (whole)
		store_sums(c, p->ldc * 4, DS_TILE * p->ldc);
	else {
		store_sums(sums, PAIR * 4, DS_TILE * PAIR);
		copy_out(sums, c, p->ldc, m, p->n);
	}
}

/* Three parts: four tiles of two panels are 24 KiB, which stay in the first-level cache for all rows. */
void ds_tiles_multiply(const ds_tile_product *p)
{
	int64_t step = p->parts > 1 ? 4 : p->to - p->from, size = (int64_t)p->parts * TILE;
	float start[PAIR] = { 0 };
	if (p->bias)
		memcpy(start, p->bias, (size_t)p->n * sizeof(*start));
	configure_tiles();
	for (int64_t t = p->from; t < p->to; t += step)
		for (int64_t i = 0; i < p->m; i += PAIR) {
			const char *a = (const char *)p->a + (i / DS_TILE * p->tiles + t) * size;
			const char *b = (const char *)p->b + t * size;
			bool two_a = i + DS_TILE<p->m, two_b = p->n> DS_TILE;
			quad q = { .a = { a, two_a ? a + p->tiles * size : a },
				.b = { b, two_b ? b + p->tiles * size : b },
				.two_a = two_a,
				.two_b = two_b,
				.tiles = min_i64(step, p->to - t),
				.parts = p->parts };
			run_quad(p, &q, i, t == 0 ? start : NULL);
		}
	_tile_release();
}

#else

void ds_tiles_pack_rows(const ds_tile_rows *r, int64_t strip, void *to)
{
	__builtin_unreachable();
}

void ds_tiles_pack_weights(const ds_tile_rows *r, bool across, int64_t panel, void *to)
{
	__builtin_unreachable();
}

void ds_tiles_multiply(const ds_tile_product *p)
{
	__builtin_unreachable();
}

#endif
