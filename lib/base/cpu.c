/*
 * cpu.c - asked of the compiler's runtime, which also asks whether the kernel saves the registers
 */
#include "base/cpu.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static ds_cpu find_level(void)
{
	ds_cpu level = DS_CPU_SCALAR;
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
		__builtin_cpu_supports("bmi2"))
		level = DS_CPU_AVX2;
	if (level == DS_CPU_AVX2 && __builtin_cpu_supports("avx512f") &&
		__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
		__builtin_cpu_supports("avx512vl"))
		level = DS_CPU_AVX512;
#endif
	const char *wish = getenv("DS_CPU");
	if (wish && strcmp(wish, "scalar") == 0)
		return DS_CPU_SCALAR;
	if (wish && strcmp(wish, "avx2") == 0 && level > DS_CPU_AVX2)
		return DS_CPU_AVX2;
	return level;
}

ds_cpu ds_cpu_level(void)
{
	static atomic_int known; /* the level plus one; threads that race find the same */
	int level = atomic_load_explicit(&known, memory_order_relaxed);
	if (level == 0) {
		level = (int)find_level() + 1;
		atomic_store_explicit(&known, level, memory_order_relaxed);
	}
	return (ds_cpu)(level - 1);
}

int ds_cpu_has_bf16(void)
{
#if defined(__x86_64__)
	return ds_cpu_level() == DS_CPU_AVX512 && __builtin_cpu_supports("avx512bf16");
#else
	return 0;
#endif
}

unsigned ds_cpu_cores(void)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	int n = CPU_COUNT(&set);
	return n < 1 ? 1 : (unsigned)n;
}
