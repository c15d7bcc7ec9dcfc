/*
 * resize_avx512.c - resizing by AVX-512
 */
#define LANES 16
#define RESIZE(what) ds_resize_##what##_avx512
#include "resize_body.inc"
