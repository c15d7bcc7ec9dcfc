/*
 * cpu.c - asked of the compiler's runtime, which also asks whether the kernel saves the registers
 */
#include "base/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* Tiles are 8 KiB of state a thread, which a process has to ask for. */
static int find_amx(void)
{
#if defined(__x86_64__)
	enum {
		ARCH_REQ_XCOMP_PERM = 0x1023,
		XFEATURE_XTILEDATA = 18,
		AMX_BF16 = 1 << 22,
		AMX_INT8 = 1 << 25
	};
	unsigned a, b, c, d; /* clang 14 does not know the name */
	const char *wish = getenv("DS_CPU");
	return ds_cpu_has_bf16() && !(wish && strcmp(wish, "avx512") == 0) &&
	       __get_cpuid_count(7, 0, &a, &b, &c, &d) && d & AMX_BF16 && d & AMX_INT8 &&
	       syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
	return 0;
#endif
}

int ds_cpu_has_amx(void)
{
	static atomic_int known; /* the answer plus one */
	int answer = atomic_load_explicit(&known, memory_order_relaxed);
	if (answer == 0) {
		answer = find_amx() + 1;
		atomic_store_explicit(&known, answer, memory_order_relaxed);
	}
	return answer - 1;
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
