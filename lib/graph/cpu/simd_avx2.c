/*
 * simd_avx2.c - simd.h with eight lanes and fused multiply-add
 */
#define W 8
#define MR 6
#define NV 2
#define NAME "avx2"
#define TABLE ds_simd_avx2
#include "graph/cpu/simd_body.inc"
