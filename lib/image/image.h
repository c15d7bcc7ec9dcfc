/*
 * image.h - pictures: bytes of a file to RGB, resizing, cutting
 *
 * Decoding gives what transformers makes of a file with Pillow: what is transparent is laid on white, grey is
 * repeated, the first picture of an animated GIF counts. Resizing is Pillow's resize() to its bits: filters widened by the scale
 * (antialiasing), one axis after the other, rounded to bytes between. Everything lives in the arena that is given.
 * A picture never changes; parts of it are views.
 */
#ifndef DS_IMAGE_IMAGE_H
#define DS_IMAGE_IMAGE_H

#include "base/arena.h"
#include "base/err.h"

#include <stdint.h>

/* More pixels are refused before anything is allocated; a side has at most 65535. */
enum { DS_IMAGE_MOST = 100000000, DS_IMAGE_SIDE = 65535 };

typedef struct {
	int32_t w, h;
	size_t ld;         /* bytes from a row to the next, 3 * w or more */
	const uint8_t *at; /* R, G, B */
} ds_image;

/* DS_BAD: no format that is known, or damaged, truncated, too large. */
DS_MUST ds_rc ds_image_decode(ds_str bytes, ds_arena *mem, ds_image *out, ds_err *e);
/* Is it whole? All bytes are looked at, as decoding would, but no picture is kept; *w and *h may be NULL. */
DS_MUST ds_rc ds_image_check(ds_str bytes, ds_arena *mem, int32_t *w, int32_t *h, ds_err *e);

/* Columns [x, x + w) of rows [y, y + h), which lie inside. */
ds_image ds_image_part(const ds_image *in, int32_t x, int32_t y, int32_t w, int32_t h);

typedef enum { /* numbered as Pillow numbers them */
	DS_FILTER_NEAREST,
	DS_FILTER_LANCZOS,
	DS_FILTER_BILINEAR,
	DS_FILTER_BICUBIC,
	DS_FILTER_BOX,
	DS_FILTER_HAMMING,
	DS_N_FILTERS
} ds_filter;

ds_image ds_image_resize(const ds_image *in, int32_t w, int32_t h, ds_filter filter, ds_arena *mem);

#endif
