/*
 * hash.h - XXH3, and a table from byte strings to numbers
 *
 * Hashes follow the xxHash specification (XXH3_64bits, XXH3_128bits, seed 0 by default), so other
 * programs can check what ours wrote.
 */
#ifndef DS_BASE_HASH_H
#define DS_BASE_HASH_H

#include "base/str.h"

typedef struct {
	uint64_t lo, hi;
} ds_h128;

uint64_t ds_hash64(const void *p, size_t n);
uint64_t ds_hash64_seed(const void *p, size_t n, uint64_t seed);
ds_h128 ds_hash128(const void *p, size_t n);

typedef struct ds_hasher ds_hasher; /* the same hashes over bytes that come in parts */
ds_hasher *ds_hasher_new(void);
void ds_hasher_free(ds_hasher *h);
void ds_hasher_add(ds_hasher *h, const void *p, size_t n);
uint64_t ds_hasher_get64(const ds_hasher *h);
ds_h128 ds_hasher_get128(const ds_hasher *h);
DS_AUTO_WITH(ds_hasher, ds_hasher_free)

/*
 * Byte string -> u64. Keys are copied. Iteration is in order of insertion, so output never depends
 * on the hash. One thread at a time; many may read a table that no one changes.
 */
typedef struct ds_map ds_map;
ds_map *ds_map_new(size_t expected);
void ds_map_free(ds_map *m);
uint64_t *ds_map_find(const ds_map *m, ds_str key); /* NULL: not there */
uint64_t *ds_map_put(
	ds_map *m, ds_str key, bool *is_new); /* a new value is 0; is_new may be NULL */
size_t ds_map_count(const ds_map *m);
ds_str ds_map_key(const ds_map *m, size_t i); /* i-th inserted; lives as the map does */
uint64_t *ds_map_value(const ds_map *m, size_t i);
DS_AUTO_WITH(ds_map, ds_map_free)

#endif
