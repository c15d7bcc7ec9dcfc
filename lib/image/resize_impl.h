/*
 * resize_impl.h - the two passes of resizing, for each level of the CPU; all give the same bytes
 */
#ifndef DS_IMAGE_RESIZE_IMPL_H
#define DS_IMAGE_RESIZE_IMPL_H

#include "image/image.h"

enum { DS_RESIZE_BITS = 22 };

typedef struct { /* of one axis: result i is n[i] pixels from first[i] on */
	int32_t *first, *n;
	int32_t most;     /* weights lie so far apart */
	int32_t *weights; /* times 2^DS_RESIZE_BITS */
} ds_resize_taps;

/* n: columns or rows of the result, which is without gaps; the other axis is in's. */
typedef void ds_resize_fn(const ds_image *in, const ds_resize_taps *t, int32_t n, uint8_t *to);
ds_resize_fn ds_resize_columns_plain, ds_resize_columns_avx2, ds_resize_columns_avx512;
ds_resize_fn ds_resize_rows_plain, ds_resize_rows_avx2, ds_resize_rows_avx512;

/* A sum as a byte; it begins at one half. */
enum { DS_RESIZE_HALF = 1 << (DS_RESIZE_BITS - 1) };
static inline uint8_t ds_resize_byte(int32_t sum)
{
	int32_t v = sum >> DS_RESIZE_BITS;
	return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

#endif
