/*
 * prep_impl.h - between prep.c and vary.c
 */
#ifndef DS_IMAGE_PREP_IMPL_H
#define DS_IMAGE_PREP_IMPL_H

#include "image/prep.h"

/* The part of a picture that is taken. */
ds_image ds_vary_part(const ds_image *in, const ds_vary *v);
/* Mirrored, in other colours; in itself where nothing is to be done. */
ds_image ds_vary_pixels(const ds_image *in, const ds_vary *v, ds_arena *mem);

#endif
