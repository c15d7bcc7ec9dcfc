/*
 * bytes.c - packing and multiplying bytes, one after another
 *
 * bytes_amx.c does the same by AMX, with the same bits: this is what other CPUs do. Sums fit 32 bits up to k = 130,000.
 */
#include "graph/cpu/bytes.h"

#include "base/cpu.h"
#include "graph/cpu/cpu_impl.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { LINE = 64, SCALES = DS_TILE * sizeof(float), SUMS = DS_TILE * DS_TILE };

size_t ds_bytes_strip(int64_t k)
{
	return (size_t)(2 * ds_bytes_tiles(k)) * DS_BYTES_TILE + SCALES;
}

size_t ds_bytes_panel(int64_t k)
{
	return (size_t)ds_bytes_tiles(k) * DS_BYTES_TILE + SCALES;
}

static float largest(const float *x, int64_t n, int64_t step)
{
	float top = 0;
	for (int64_t i = 0; i < n; i++) {
		float a = fabsf(x[i * step]);
		if (!(a <= FLT_MAX))
			return NAN;
		top = a > top ? a : top;
	}
	return top;
}

/* ---- packing ---- */

void ds_bytes_pack_rows(const ds_tile_rows *r, int64_t strip, void *to)
{
	if (ds_cpu_has_amx()) {
		ds_bytes_pack_rows_amx(r, strip, to);
		return;
	}
	int8_t *out = memset(to, 0, ds_bytes_strip(r->cols));
	float *scales = (float *)(out + ds_bytes_strip(r->cols) - SCALES);
	for (int64_t i = 0; i < DS_TILE && strip * DS_TILE + i < r->rows; i++) {
		const float *x = (const float *)r->at + (strip * DS_TILE + i) * r->ld;
		float top = largest(x, r->cols, 1), by = top > 0 ? 32512 / top : 0;
		scales[i] = top / 32512;
		for (int64_t k = 0; k < r->cols; k++) {
			int8_t *line = out + k / DS_BYTES_K * 2 * DS_BYTES_TILE + i * LINE;
			int q = (int)lrintf(x[k] * by), h = (q + 128) >> 8;
			line[k % DS_BYTES_K] = (int8_t)h;
			line[DS_BYTES_TILE + k % DS_BYTES_K] = (int8_t)(q - 256 * h);
		}
	}
}

void ds_bytes_pack_weights(const ds_tile_rows *w, bool across, int64_t panel, void *to)
{
	if (ds_cpu_has_amx()) {
		ds_bytes_pack_weights_amx(w, across, panel, to);
		return;
	}
	int64_t k = across ? w->rows : w->cols, n = across ? w->cols : w->rows;
	int64_t step = across ? w->ld : 1, next = across ? 1 : w->ld;
	int8_t *out = memset(to, 0, ds_bytes_panel(k));
	float *scales = (float *)(out + ds_bytes_panel(k) - SCALES);
	for (int64_t j = 0; j < DS_TILE && panel * DS_TILE + j < n; j++) {
		const float *x = (const float *)w->at + (panel * DS_TILE + j) * next;
		float top = largest(x, k, step), by = top > 0 ? 127 / top : 0;
		scales[j] = top / 127;
		for (int64_t i = 0; i < k; i++)
			out[i / 4 * LINE + 4 * j + i % 4] = (int8_t)lrintf(x[i * step] * by);
	}
}

/* ---- products ---- */

static void sum_plain(const void *strip, const void *panel, int64_t k, int32_t *sums)
{
	const int8_t *a = strip, *b = panel;
	memset(sums, 0, 2 * SUMS * sizeof(*sums));
	for (int64_t t = 0; t < 2 * ds_bytes_tiles(k); t++)
		for (int i = 0; i < DS_TILE; i++) {
			const int8_t *x = a + t * DS_BYTES_TILE + i * LINE;
			const int8_t *y = b + t / 2 * DS_BYTES_TILE;
			int32_t *s = sums + t % 2 * SUMS + i * DS_TILE;
			for (int z = 0; z < DS_BYTES_K; z += 4, y += LINE)
				for (int j = 0; j < DS_TILE; j++)
					s[j] += x[z] * y[4 * j] + x[z + 1] * y[4 * j + 1] +
						x[z + 2] * y[4 * j + 2] + x[z + 3] * y[4 * j + 3];
		}
}

/* A strip's rows by a panel's columns, those that there are. */
static void put(const ds_bytes_product *p, int64_t i, int64_t j, const int32_t *sums)
{
	const char *a = (const char *)p->a + (size_t)(i / DS_TILE + 1) * ds_bytes_strip(p->k);
	const char *b = (const char *)p->b + (size_t)(j / DS_TILE + 1) * ds_bytes_panel(p->k);
	const float *rows = (const float *)(a - SCALES), *cols = (const float *)(b - SCALES);
	int64_t m = min_i64(DS_TILE, p->m - i), n = min_i64(DS_TILE, p->n - j);
	for (int64_t y = 0; y < m; y++) {
		const int32_t *h = sums + y * DS_TILE, *l = h + SUMS;
		float *c = p->c + (i + y) * p->ldc + j;
		for (int64_t x = 0; x < n; x++)
			c[x] = ((float)h[x] * 256 + (float)l[x]) * (rows[y] * cols[x]);
		for (int64_t x = 0; p->bias && x < n; x++)
			c[x] += p->bias[j + x];
	}
}

void ds_bytes_multiply(const ds_bytes_product *p)
{
	int32_t sums[4 * SUMS] __attribute__((aligned(64)));
	const char *b = p->b, *b1 = p->n > DS_TILE ? b + ds_bytes_panel(p->k) : NULL;
	bool amx = ds_cpu_has_amx();
	for (int64_t i = 0; i < p->m; i += DS_TILE) {
		const char *a = (const char *)p->a + (size_t)(i / DS_TILE) * ds_bytes_strip(p->k);
		if (amx)
			ds_bytes_sum_amx(a, (const void *[]){ b, b1 }, p->k, sums);
		else {
			sum_plain(a, b, p->k, sums);
			if (b1)
				sum_plain(a, b1, p->k, sums + 2 * SUMS);
		}
		put(p, i, 0, sums);
		if (b1)
			put(p, i, DS_TILE, sums + 2 * SUMS);
	}
}
