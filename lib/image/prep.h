/*
 * prep.h - from a picture to the numbers that a model takes, as its preprocessor_config.json says
 *
 * Resized (the shorter side to a length, or both to a size), cut in the middle, divided by 255, less the mean
 * and over the deviation of every channel; then in patches, row after row, each with all of its red values
 * first. Equal to the processors of CLIP and ViT in transformers, with Pillow behind them. In training a
 * picture may be varied first; by which numbers, seed and number of the row alone decide.
 */
#ifndef DS_IMAGE_PREP_H
#define DS_IMAGE_PREP_H

#include "image/image.h"

#include <stdbool.h>

typedef struct {
	bool resizes, cuts, rescales, normalizes;
	int32_t shortest; /* length of the shorter side; 0: both, to w and h */
	int32_t w, h;
	ds_filter filter;
	int32_t cut_w, cut_h;
	double factor, mean[3], deviation[3];
} ds_prep;

/* As CLIP's and ViT's are published, for pictures of size x size. */
ds_prep ds_prep_clip(int32_t size);
ds_prep ds_prep_vit(int32_t size);
/* preprocessor_config.json; p has what it leaves open. DS_USAGE: wrong, or with steps that are not known here. */
DS_MUST ds_rc ds_prep_parse(ds_prep *p, ds_str json, ds_err *e);
void ds_prep_print(const ds_prep *p, const char *processor, ds_buf *out);
/* DS_USAGE where what comes of it is not size x size. */
DS_MUST ds_rc ds_prep_check(const ds_prep *p, int32_t size, ds_err *e);

typedef struct {      /* all 0: nothing is varied */
	double flip;  /* share of pictures that are mirrored */
	double crop;  /* parts of an area between 1 - crop and all of it, of sides 3:4 to 4:3 */
	double color; /* brightness, contrast and saturation between 1 - color and 1 + color */
	uint64_t seed, number; /* what is drawn depends on both alone; number: the picture's */
} ds_vary;

/*
 * [h / patch * w / patch][3 * patch * patch] of what ds_prep_check agreed to. vary NULL: it is taken as it is.
 * DS_BAD: so narrow that the longer side would have more pixels than a picture may.
 */
DS_MUST ds_rc ds_prep_run(const ds_prep *p, const ds_image *in, const ds_vary *vary, int32_t patch,
	ds_arena *mem, float *out, ds_err *e);

#endif
