/*
 * hash_avx512.c - xxHash compiled for this level; the same hashes
 */
#include "base/hash_impl.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

DS_HASH_DEFINE(ds_hash_avx512)
