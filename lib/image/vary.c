/*
 * vary.c - pictures as training sees them: a part, mirrored, in other colours
 *
 * The part is chosen as torchvision's RandomResizedCrop does: up to ten tries of an area and of the logarithm of
 * a ratio, then the middle. Colours are its ColorJitter without hue: brightness, contrast (against the mean of
 * the grey picture), saturation, in this order.
 */
#include "image/prep_impl.h"

#include "base/rng.h"

#include <math.h>

enum { TRIES = 10, DRAW_FLIP = 4 * TRIES, DRAW_COLOR };
#define NARROWEST (3.0 / 4)
#define VARY_KEY 0x76617279u /* "vary" */

static double draw(const ds_vary *v, uint64_t which, double low, double high)
{
	ds_rng r = ds_rng_of(v->seed ^ (uint64_t)VARY_KEY << 32, v->number);
	return low + (high - low) * ds_rng_unit(r, which);
}

ds_image ds_vary_part(const ds_image *in, const ds_vary *v)
{
	double area = (double)in->w * in->h, least = v->crop < 1 ? 1 - v->crop : 0;
	for (uint64_t i = 0; i < TRIES; i++) {
		double some = area * draw(v, 4 * i, least, 1);
		double ratio = exp(draw(v, 4 * i + 1, log(NARROWEST), -log(NARROWEST)));
		int32_t w = (int32_t)lround(sqrt(some * ratio)),
			h = (int32_t)lround(sqrt(some / ratio));
		if (w < 1 || h < 1 || w > in->w || h > in->h)
			continue;
		int32_t x = (int32_t)draw(v, 4 * i + 2, 0, in->w - w + 1);
		int32_t y = (int32_t)draw(v, 4 * i + 3, 0, in->h - h + 1);
		return ds_image_part(in, x, y, w, h);
	}
	double ratio = (double)in->w / in->h;
	int32_t w = ratio > 1 / NARROWEST ? (int32_t)lround(in->h / NARROWEST) : in->w;
	int32_t h = ratio < NARROWEST ? (int32_t)lround(in->w / NARROWEST) : in->h;
	return ds_image_part(in, (in->w - w) / 2, (in->h - h) / 2, w, h);
}

static uint8_t byte_of(double v)
{
	return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
}

static double grey(const uint8_t *p)
{
	return 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
}

static void recolor(uint8_t *at, size_t n, const ds_vary *v)
{
	double by[3], mean = 0;
	double low = v->color < 1 ? 1 - v->color : 0;
	for (uint64_t i = 0; i < 3; i++)
		by[i] = draw(v, DRAW_COLOR + i, low, 1 + v->color);
	for (size_t i = 0; i < 3 * n; i++)
		at[i] = byte_of(by[0] * at[i]);
	for (size_t i = 0; i < n; i++)
		mean += grey(at + 3 * i) / (double)n;
	for (size_t i = 0; i < 3 * n; i++)
		at[i] = byte_of(mean + by[1] * (at[i] - mean));
	for (size_t i = 0; i < n; i++) {
		double g = grey(at + 3 * i);
		for (size_t c = 3 * i; c < 3 * i + 3; c++)
			at[c] = byte_of(g + by[2] * (at[c] - g));
	}
}

ds_image ds_vary_pixels(const ds_image *in, const ds_vary *v, ds_arena *mem)
{
	bool flip = draw(v, DRAW_FLIP, 0, 1) < v->flip;
	if (!flip && v->color <= 0)
		return *in;
	uint8_t *to = ds_arena_get(mem, 3 * (size_t)in->w * (size_t)in->h), *at = to;
	for (int32_t y = 0; y < in->h; y++)
		for (int32_t x = 0; x < in->w; x++, at += 3) {
			const uint8_t *from = in->at + (size_t)y * in->ld +
					      3 * (size_t)(flip ? in->w - 1 - x : x);
			for (int c = 0; c < 3; c++)
				at[c] = from[c];
		}
	if (v->color > 0)
		recolor(to, (size_t)in->w * (size_t)in->h, v);
	return (ds_image){ in->w, in->h, 3 * (size_t)in->w, to };
}
