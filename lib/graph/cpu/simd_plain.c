/*
 * simd_plain.c - simd.h for any CPU, four lanes; and the choice among the three
 */
#define W 4
#define MR 4
#define NV 2
#define NAME "scalar"
#define TABLE ds_simd_plain
#include "graph/cpu/simd_body.inc"

#include "base/cpu.h"

const ds_simd *ds_simd_now(void)
{
	switch (ds_cpu_level()) {
	case DS_CPU_AVX512:
		return &ds_simd_avx512;
	case DS_CPU_AVX2:
		return &ds_simd_avx2;
	default:
		return &ds_simd_plain;
	}
}
