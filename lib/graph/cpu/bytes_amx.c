/*
 * bytes_amx.c - bytes packed by AVX-512, and multiplied by AMX tiles, TDPBSSD
 *
 * 16 rows by 16 columns over 64 numbers of k an instruction. h and l of a strip meet two panels, so that four sums are under way
 * at once: one alone waits for itself. With few rows it is bound by reading the weights.
 */
#include "graph/cpu/bytes.h"

#include "graph/cpu/amx_impl.h"

enum { LINE = 64 };

#if defined(__AMX_INT8__) && defined(__AVX512BF16__)

INLINE const float *row_of(const ds_tile_rows *r, int64_t i)
{
	return (const float *)r->at + i * r->ld;
}

/* The larger of top and |v| by lanes; NaN where v is not finite, and from then on. */
INLINE __m512 larger(__m512 top, __m512 v)
{
	__m512 a = _mm512_abs_ps(v), most = _mm512_set1_ps(3.40282347e+38f);
	__mmask16 bad = _mm512_cmp_ps_mask(a, most, _CMP_NLE_UQ) |
			_mm512_cmp_ps_mask(top, top, _CMP_UNORD_Q);
	return _mm512_mask_mov_ps(_mm512_max_ps(top, a), bad, _mm512_set1_ps(__builtin_nanf("")));
}

static float largest(const float *x, int64_t n)
{
	__m512 top = _mm512_setzero_ps();
	for (int64_t i = 0; i < n; i += 16)
		top = larger(top, _mm512_maskz_loadu_ps(first(n - i), x + i));
	return _mm512_cmp_ps_mask(top, top, _CMP_UNORD_Q) ? __builtin_nanf("")
							  : _mm512_reduce_max_ps(top);
}

/* 16 numbers from p on, of which there are n, in steps of 1 / by. */
INLINE __m512i rounded(const float *p, int64_t n, __m512 by)
{
	return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(first(n), p), by));
}

void ds_bytes_pack_rows_amx(const ds_tile_rows *r, int64_t strip, void *to)
{
	char *out = to;
	int64_t tiles = ds_bytes_tiles(r->cols);
	float *scales = (float *)(out + 2 * tiles * DS_BYTES_TILE);
	for (int64_t i = 0; i < DS_TILE; i++) {
		bool has = strip * DS_TILE + i < r->rows;
		const float *x = has ? row_of(r, strip * DS_TILE + i) : NULL;
		float top = has ? largest(x, r->cols) : 0;
		__m512 by = _mm512_set1_ps(top > 0 ? 32512 / top : 0);
		scales[i] = top / 32512;
		for (int64_t k = 0; k < tiles * DS_BYTES_K; k += 16) {
			char *line = out + k / DS_BYTES_K * 2 * DS_BYTES_TILE + i * LINE +
				     k % DS_BYTES_K;
			__m512i q = has && k < r->cols ? rounded(x + k, r->cols - k, by)
						       : _mm512_setzero_si512();
			__m512i h =
				_mm512_srai_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(128)), 8);
			__m512i l = _mm512_sub_epi32(q, _mm512_slli_epi32(h, 8));
			_mm_storeu_si128((__m128i *)line, _mm512_cvtepi32_epi8(h));
			_mm_storeu_si128(
				(__m128i *)(line + DS_BYTES_TILE), _mm512_cvtepi32_epi8(l));
		}
	}
}

/* Rows of W are columns of B: 64 numbers of each are a line of four numbers 16 times, which are transposed. */
static void pack_rows_of_w(const ds_tile_rows *w, int64_t panel, char *out, float *scales)
{
	__m512 by[DS_TILE];
	int64_t n = w->rows - panel * DS_TILE;
	for (int64_t j = 0; j < DS_TILE; j++) {
		float top = j < n ? largest(row_of(w, panel * DS_TILE + j), w->cols) : 0;
		by[j] = _mm512_set1_ps(top > 0 ? 127 / top : 0);
		scales[j] = top / 127;
	}
	for (int64_t k = 0; k < w->cols; k += DS_BYTES_K, out += DS_BYTES_TILE) {
		__m512i v[DS_TILE];
		for (int64_t j = 0; j < DS_TILE; j++) {
			__m128i q[4] = { 0 };
			for (int64_t z = 0; z < 4 && j < n && k + 16 * z < w->cols; z++)
				q[z] = _mm512_cvtepi32_epi8(
					rounded(row_of(w, panel * DS_TILE + j) + k + 16 * z,
						w->cols - k - 16 * z, by[j]));
			v[j] = _mm512_loadu_si512(q);
		}
		transpose16(v);
		for (int j = 0; j < DS_TILE; j++)
			_mm512_store_si512(out + j * LINE, v[j]);
	}
}

/* Columns of W: four rows of 16 columns are a line. */
static void pack_columns_of_w(const ds_tile_rows *w, int64_t panel, char *out, float *scales)
{
	int64_t at = panel * DS_TILE, n = w->cols - at;
	__m512 top = _mm512_setzero_ps(), most = _mm512_set1_ps(127);
	for (int64_t k = 0; k < w->rows; k++)
		top = larger(top, _mm512_maskz_loadu_ps(first(n), row_of(w, k) + at));
	__m512 by = _mm512_maskz_div_ps(
		_mm512_cmp_ps_mask(top, _mm512_setzero_ps(), _CMP_GT_OQ), most, top);
	_mm512_storeu_ps(scales, _mm512_div_ps(top, most));
	for (int64_t k = 0; k < ds_bytes_tiles(w->rows) * DS_BYTES_K; k += 4, out += LINE) {
		__m512i line = _mm512_setzero_si512();
		for (int64_t z = 0; z < 4 && k + z < w->rows; z++) {
			__m512i q = rounded(row_of(w, k + z) + at, n, by);
			q = _mm512_and_si512(q, _mm512_set1_epi32(255));
			line = _mm512_or_si512(line, _mm512_slli_epi32(q, (unsigned)(8 * z)));
		}
		_mm512_store_si512(out, line);
	}
}

void ds_bytes_pack_weights_amx(const ds_tile_rows *w, bool across, int64_t panel, void *to)
{
	int64_t k = across ? w->rows : w->cols;
	float *scales = (float *)((char *)to + ds_bytes_tiles(k) * DS_BYTES_TILE);
	if (across)
		pack_columns_of_w(w, panel, to, scales);
	else
		pack_rows_of_w(w, panel, to, scales);
}

void ds_bytes_sum_amx(const void *strip, const void *const panels[2], int64_t k, int32_t *sums)
{
	const char *a = strip, *b = panels[0], *b1 = panels[1];
	configure_tiles();
	_tile_zero(0);
	_tile_zero(1);
	_tile_zero(2);
	_tile_zero(3);
	for (int64_t t = 0; t < ds_bytes_tiles(k);
		t++, a += 2 * DS_BYTES_TILE, b += DS_BYTES_TILE) {
		_tile_loadd(4, a, LINE);
		_tile_loadd(6, b, LINE);
		_tile_dpbssd(0, 4, 6);
		_tile_loadd(5, a + DS_BYTES_TILE, LINE);
		_tile_dpbssd(1, 5, 6);
		if (b1) {
			_tile_loadd(7, b1, LINE);
			_tile_dpbssd(2, 4, 7);
			_tile_dpbssd(3, 5, 7);
			b1 += DS_BYTES_TILE;
		}
	}
	_tile_stored(0, sums, LINE);
	_tile_stored(1, sums + 256, LINE);
	_tile_stored(2, sums + 512, LINE);
	_tile_stored(3, sums + 768, LINE);
	_tile_release();
}

#else

void ds_bytes_pack_rows_amx(const ds_tile_rows *a, int64_t strip, void *to)
{
	__builtin_unreachable();
}

void ds_bytes_pack_weights_amx(const ds_tile_rows *w, bool across, int64_t panel, void *to)
{
	__builtin_unreachable();
}

void ds_bytes_sum_amx(const void *strip, const void *const panels[2], int64_t k, int32_t *sums)
{
	__builtin_unreachable();
}

#endif
