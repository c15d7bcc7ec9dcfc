/*
 * cpu.h - what this machine has, asked once
 *
 * DS_CPU=scalar|avx2|avx512 in the environment lowers the level, for tests; avx512 is without tiles.
 */
#ifndef DS_BASE_CPU_H
#define DS_BASE_CPU_H

typedef enum { DS_CPU_SCALAR, DS_CPU_AVX2, DS_CPU_AVX512 } ds_cpu; /* AVX512: F, BW, DQ and VL */

ds_cpu ds_cpu_level(void);
int ds_cpu_has_bf16(void);   /* AVX512-BF16 */
int ds_cpu_has_amx(void);    /* tiles of bf16, and AVX512-BF16; asks the kernel for them once */
unsigned ds_cpu_cores(void); /* that this process may run on; at least 1 */

#endif
