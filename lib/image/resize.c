/*
 * resize.c - resampling with antialiasing, to Pillow's bits
 *
 * A pixel of the result is a weighted sum over the pixels that lie under the filter around its centre; where a
 * picture becomes smaller the filter is widened by the scale. Weights are doubles that add up to 1, rounded to
 * multiples of 2^-22, so that a sum of bytes fits 32 bits; one axis is done after the other, rounded to bytes.
 */
#include "image/resize_impl.h"

#include "base/cpu.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static double sinc(double x)
{
	return x == 0 ? 1 : sin(x * M_PI) / (x * M_PI);
}

static double box(double x)
{
	return x > -0.5 && x <= 0.5;
}

static double bilinear(double x)
{
	x = fabs(x);
	return x < 1 ? 1 - x : 0;
}

static double hamming(double x)
{
	x = fabs(x);
	if (x == 0)
		return 1;
	return x >= 1 ? 0 : sinc(x) * ((double)0.54f + (double)0.46f * cos(x * M_PI));
}

/* Keys' cubic with a = -1/2. */
static double bicubic(double x)
{
	const double a = -0.5;
	x = fabs(x);
	if (x < 1)
		return ((a + 2) * x - (a + 3)) * x * x + 1;
	return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double lanczos(double x)
{
	return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static const struct {
	double (*at)(double x);
	double support;
} filters[DS_N_FILTERS] = { [DS_FILTER_LANCZOS] = { lanczos, 3 },
	[DS_FILTER_BILINEAR] = { bilinear, 1 },
	[DS_FILTER_BICUBIC] = { bicubic, 2 },
	[DS_FILTER_BOX] = { box, 0.5 },
	[DS_FILTER_HAMMING] = { hamming, 1 } };

static int32_t rounded(double w)
{
	return (int32_t)((w < 0 ? -0.5 : 0.5) + w * (1 << DS_RESIZE_BITS));
}

/* Which of n pixels, and by how much, make each of `to`. */
static ds_resize_taps taps_of(int32_t n, int32_t to, ds_filter filter, ds_arena *mem)
{
	double scale = (double)n / to, wide = scale < 1 ? 1 : scale;
	double support = filters[filter].support * wide;
	ds_resize_taps t = { .most = (int32_t)ceil(support) * 2 + 1 };
	t.first = ds_arena_get(mem, (size_t)to * sizeof(*t.first));
	t.n = ds_arena_get(mem, (size_t)to * sizeof(*t.n));
	t.weights = ds_arena_zero(mem, (size_t)to * (size_t)t.most * sizeof(*t.weights));
	double *w = ds_arena_get(mem, (size_t)t.most * sizeof(*w));
	for (int32_t i = 0; i < to; i++) {
		double center = (i + 0.5) * scale, sum = 0;
		int32_t from = (int32_t)(center - support + 0.5),
			end = (int32_t)(center + support + 0.5);
		from = from < 0 ? 0 : from;
		end = end > n ? n : end;
		for (int32_t k = from; k < end; k++)
			sum += w[k - from] = filters[filter].at((k - center + 0.5) * (1 / wide));
		for (int32_t k = from; k < end; k++)
			t.weights[(size_t)i * (size_t)t.most + (size_t)(k - from)] =
				rounded(sum != 0 ? w[k - from] * (1 / sum) : w[k - from]);
		t.first[i] = from;
		t.n[i] = end - from;
	}
	return t;
}

static ds_resize_fn *pick_columns(void)
{
	switch (ds_cpu_level()) {
	case DS_CPU_AVX512:
		return ds_resize_columns_avx512;
	case DS_CPU_AVX2:
		return ds_resize_columns_avx2;
	default:
		return ds_resize_columns_plain;
	}
}

static ds_resize_fn *pick_rows(void)
{
	switch (ds_cpu_level()) {
	case DS_CPU_AVX512:
		return ds_resize_rows_avx512;
	case DS_CPU_AVX2:
		return ds_resize_rows_avx2;
	default:
		return ds_resize_rows_plain;
	}
}

/* Places are added up, as Pillow's are: with them their rounding. */
static ds_image nearest(const ds_image *in, int32_t w, int32_t h, ds_arena *mem)
{
	uint8_t *to = ds_arena_get(mem, 3 * (size_t)w * (size_t)h), *out = to;
	double dx = (double)in->w / w, dy = (double)in->h / h, row = dy * 0.5;
	for (int32_t y = 0; y < h; y++, row += dy) {
		double col = dx * 0.5;
		for (int32_t x = 0; x < w; x++, col += dx, out += 3)
			memcpy(out, in->at + (size_t)row * in->ld + 3 * (size_t)col, 3);
	}
	return (ds_image){ w, h, 3 * (size_t)w, to };
}

static ds_image pass(const ds_image *in, bool columns, int32_t n, ds_filter filter, ds_arena *mem)
{
	int32_t w = columns ? n : in->w, h = columns ? in->h : n;
	if (n == (columns ? in->w : in->h))
		return *in;
	ds_resize_taps t = taps_of(columns ? in->w : in->h, n, filter, mem);
	uint8_t *to = ds_arena_get(mem, 3 * (size_t)w * (size_t)h);
	(columns ? pick_columns() : pick_rows())(in, &t, n, to);
	return (ds_image){ w, h, 3 * (size_t)w, to };
}

/*
 * Columns first, as Pillow always did; from version 13 on it begins with the rows where that leaves more than
 * twice as much less to do, and so does this. The bytes between differ.
 */
ds_image ds_image_resize(const ds_image *in, int32_t w, int32_t h, ds_filter filter, ds_arena *mem)
{
	if (filter == DS_FILTER_NEAREST)
		return nearest(in, w, h, mem);
	int32_t less = in->h - h;
	bool columns = !(less > 0 && less > 2 * (in->w - w));
	ds_image now = pass(in, columns, columns ? w : h, filter, mem);
	return pass(&now, !columns, columns ? h : w, filter, mem);
}
