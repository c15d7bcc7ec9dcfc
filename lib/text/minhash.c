/*
 * minhash.c - permutations, the kernel in plain C, and bands
 */
#include "text/minhash.h"

#include "base/cpu.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "text/minhash_impl.h"

#include <math.h>
#include <string.h>

static ds_minhash_kernel *choose_kernel(void)
{
#if defined(__x86_64__)
	if (ds_cpu_level() == DS_CPU_AVX512)
		return __builtin_cpu_supports("avx512ifma") ? ds_minhash_ifma : ds_minhash_avx512;
	if (ds_cpu_level() == DS_CPU_AVX2)
		return ds_minhash_avx2;
#endif
	return ds_minhash_scalar;
}

ds_minhash *ds_minhash_new(unsigned n_perm, uint64_t seed)
{
	ds_minhash *m = DS_NEW(ds_minhash, 1);
	m->n_perm = n_perm;
	m->n_padded = (n_perm + DS_PERM_STEP - 1) / DS_PERM_STEP * DS_PERM_STEP;
	m->low = DS_NEW(uint32_t, m->n_padded);
	m->high = DS_NEW(uint32_t, m->n_padded);
	m->plus = DS_NEW(uint32_t, m->n_padded);
	m->kernel = choose_kernel();
	for (unsigned i = 0; i < m->n_padded; i++) {
		uint32_t r[4];
		ds_rng_block(ds_rng_of(seed, UINT64_C(0x6d696e68617368)), i, r);
		m->low[i] = r[0] | 1; /* an odd a permutes */
		m->high[i] = r[1];
		m->plus[i] = r[2];
	}
	return m;
}

void ds_minhash_free(ds_minhash *m)
{
	if (!m)
		return;
	ds_mem_free(m->low);
	ds_mem_free(m->high);
	ds_mem_free(m->plus);
	ds_mem_free(m);
}

size_t ds_minhash_padded(const ds_minhash *m)
{
	return m->n_padded;
}

void ds_minhash_reset(const ds_minhash *m, uint32_t *sig)
{
	memset(sig, 0xff, m->n_padded * sizeof(*sig));
}

void ds_minhash_add(const ds_minhash *m, const uint32_t *x, size_t n, uint32_t *sig)
{
	m->kernel(m, x, n, sig);
}

void ds_minhash_scalar(const ds_minhash *m, const uint32_t *x, size_t n, uint32_t *sig)
{
	for (unsigned p = 0; p < m->n_padded; p++) {
		uint64_t a = (uint64_t)m->high[p] << 32 | m->low[p];
		uint32_t least = sig[p];
		for (size_t i = 0; i < n; i++) {
			uint32_t h = (uint32_t)(a * x[i] >> 32) + m->plus[p];
			least = h < least ? h : least;
		}
		sig[p] = least;
	}
}

double ds_bands_recall(ds_bands b, double jaccard)
{
	return 1 - pow(1 - pow(jaccard, b.rows), b.bands);
}

ds_bands ds_bands_choose(unsigned n_perm, double threshold)
{
	double aim = fmin(threshold + 0.05, (threshold + 1) / 2);
	for (unsigned rows = n_perm; rows > 1; rows--) {
		ds_bands b = { n_perm / rows, rows };
		if (ds_bands_recall(b, aim) >= 0.99)
			return b;
	}
	return (ds_bands){ n_perm, 1 };
}

uint64_t ds_bands_key(ds_bands b, const uint32_t *sig, unsigned band)
{
	return ds_hash64_seed(sig + (size_t)band * b.rows, b.rows * sizeof(*sig), band) >> 24;
}
