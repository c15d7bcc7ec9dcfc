/*
 * resize_plain.c - resizing as it is defined
 */
#include "image/resize_impl.h"

void ds_resize_columns_plain(const ds_image *in, const ds_resize_taps *t, int32_t n, uint8_t *to)
{
	for (int32_t y = 0; y < in->h; y++)
		for (int32_t x = 0; x < n; x++)
			for (int c = 0; c < 3; c++) {
				const uint8_t *from =
					in->at + (size_t)y * in->ld + 3 * t->first[x] + c;
				int32_t sum = DS_RESIZE_HALF;
				for (int32_t k = 0; k < t->n[x]; k++)
					sum += from[3 * k] *
					       t->weights[(size_t)x * (size_t)t->most + (size_t)k];
				*to++ = ds_resize_byte(sum);
			}
}

void ds_resize_rows_plain(const ds_image *in, const ds_resize_taps *t, int32_t n, uint8_t *to)
{
	for (int32_t y = 0; y < n; y++)
		for (int32_t x = 0; x < 3 * in->w; x++) {
			const uint8_t *from = in->at + (size_t)t->first[y] * in->ld + x;
			int32_t sum = DS_RESIZE_HALF;
			for (int32_t k = 0; k < t->n[y]; k++)
				sum += from[(size_t)k * in->ld] *
				       t->weights[(size_t)y * (size_t)t->most + (size_t)k];
			*to++ = ds_resize_byte(sum);
		}
}
