/*
 * simd_avx512.c - simd.h with sixteen lanes
 */
#define W 16
#define MR 6
#define NV 4
#define NAME "avx512"
#define TABLE ds_simd_avx512
#include "graph/cpu/simd_body.inc"
