/*
 * resize_avx2.c - resizing by AVX2
 */
#define LANES 8
#define RESIZE(what) ds_resize_##what##_avx2
#include "resize_body.inc"
