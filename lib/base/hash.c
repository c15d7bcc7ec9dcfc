/*
 * hash.c - the door to xxHash, chosen once by what the machine has
 *
 * xxHash is compiled in (XXH_INLINE_ALL) once a level: Debian's library is built for SSE2 alone.
 */
#include "base/hash.h"

#include "base/cpu.h"
#include "base/hash_impl.h"
#include "base/mem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

DS_HASH_DEFINE(ds_hash_scalar)

static const ds_hash_fns *fns(void)
{
	switch (ds_cpu_level()) {
	case DS_CPU_AVX512:
		return &ds_hash_avx512;
	case DS_CPU_AVX2:
		return &ds_hash_avx2;
	default:
		return &ds_hash_scalar;
	}
}

uint64_t ds_hash64(const void *p, size_t n)
{
	/* Short inputs run the same code at every level; a call less. */
	return n <= 240 ? XXH3_64bits(p, n) : fns()->hash64(p, n, 0);
}

uint64_t ds_hash64_seed(const void *p, size_t n, uint64_t seed)
{
	return n <= 240 ? XXH3_64bits_withSeed(p, n, seed) : fns()->hash64(p, n, seed);
}

ds_h128 ds_hash128(const void *p, size_t n)
{
	if (n > 240)
		return fns()->hash128(p, n);
	XXH128_hash_t h = XXH3_128bits(p, n);
	return (ds_h128){ h.low64, h.high64 };
}

struct ds_hasher {
	XXH3_state_t state; /* wants 64-byte alignment, which ds_mem_get gives */
};

ds_hasher *ds_hasher_new(void)
{
	ds_hasher *h = DS_NEW(ds_hasher, 1);
	XXH3_64bits_reset(&h->state);
	return h;
}

void ds_hasher_free(ds_hasher *h)
{
	ds_mem_free(h);
}

void ds_hasher_add(ds_hasher *h, const void *p, size_t n)
{
	if (n)
		fns()->add(&h->state, p, n);
}

uint64_t ds_hasher_get64(const ds_hasher *h)
{
	return XXH3_64bits_digest(&h->state);
}

ds_h128 ds_hasher_get128(const ds_hasher *h)
{
	XXH128_hash_t v = XXH3_128bits_digest(&h->state);
	return (ds_h128){ v.low64, v.high64 };
}
