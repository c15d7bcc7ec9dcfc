/*
 * image_impl.h - what a format is: one file each, listed in formats.def
 */
#ifndef DS_IMAGE_IMAGE_IMPL_H
#define DS_IMAGE_IMAGE_IMPL_H

#include "image/image.h"

#include <stdbool.h>

typedef struct {
	ds_str bytes;
	bool check; /* only whether it is whole: `at` may stay NULL, and the size be a smaller one */
	ds_arena *mem;
	/* got */
	int32_t w, h;
	uint8_t *at; /* rows of 3 * w bytes */
} ds_image_job;

typedef struct {
	const char *name;
	bool (*looks)(ds_str bytes);
	ds_rc (*decode)(ds_image_job *j, ds_err *e); /* DS_BAD where it is damaged */
} ds_image_format;

/* Refuses sizes over the limits, then gives 3 * w * h bytes. */
DS_MUST ds_rc ds_image_reserve(ds_image_job *j, uint64_t w, uint64_t h, ds_err *e);

/* A value of 0 to 255 over white, rounded as Pillow's alpha_composite rounds. */
static inline uint8_t ds_image_on_white(uint8_t v, uint8_t alpha)
{
	uint32_t by = (uint32_t)alpha * 128, t = v * by + 255 * (255 * 128 - by) + (0x80 << 7);
	return (uint8_t)(((t >> 8) + t) >> 8 >> 7);
}

/* n pixels of R, G, B and A into three bytes each. */
static inline void ds_image_drop_alpha(uint8_t *to, const uint8_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++, to += 3, from += 4)
		for (int c = 0; c < 3; c++)
			to[c] = ds_image_on_white(from[c], from[3]);
}

#endif
