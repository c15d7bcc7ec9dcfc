/*
 * hash_impl.h - the long-input functions of xxHash, once a CPU level; only for hash*.c
 */
#ifndef DS_BASE_HASH_IMPL_H
#define DS_BASE_HASH_IMPL_H

#include "base/hash.h"

typedef struct {
	uint64_t (*hash64)(const void *p, size_t n, uint64_t seed);
	ds_h128 (*hash128)(const void *p, size_t n);
	void (*add)(void *state, const void *p, size_t n);
} ds_hash_fns;

extern const ds_hash_fns ds_hash_scalar, ds_hash_avx2, ds_hash_avx512;

/* Defines the table `name` from the xxhash.h that the file included for its level. */
#define DS_HASH_DEFINE(name) \
	static uint64_t name##_64(const void *p, size_t n, uint64_t seed) \
	{ \
		return XXH3_64bits_withSeed(p, n, seed); \
	} \
	static ds_h128 name##_128(const void *p, size_t n) \
	{ \
		XXH128_hash_t h = XXH3_128bits(p, n); \
		return (ds_h128){ h.low64, h.high64 }; \
	} \
	static void name##_add(void *state, const void *p, size_t n) \
	{ \
		XXH3_64bits_update((XXH3_state_t *)state, p, n); \
	} \
	const ds_hash_fns name = { name##_64, name##_128, name##_add };

#endif
