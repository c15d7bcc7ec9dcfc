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
DS_MUST ds_rc ds_image_room(ds_image_job *j, uint64_t w, uint64_t h, ds_err *e);

#endif
