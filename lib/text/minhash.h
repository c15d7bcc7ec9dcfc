/*
 * minhash.h - MinHash signatures, bottom sketches, and the bands of locality-sensitive hashing
 *
 * A permutation is h(x) = (a * x >> 32) + b mod 2^32 over 32-bit shingle hashes, where a * x is a
 * full 64-bit product (multiply-shift: Dietzfelbinger 1996). The product of the low halves alone would
 * be monotone in x before it wraps, so that all permutations chose nearly the same element.
 * Signatures are the same bytes at every CPU level.
 */
#ifndef DS_TEXT_MINHASH_H
#define DS_TEXT_MINHASH_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DS_PERM_MAX = 4096, DS_PERM_STEP = 32 };

typedef struct ds_minhash ds_minhash; /* the permutations; never changes, any thread */
ds_minhash *ds_minhash_new(unsigned n_perm, uint64_t seed); /* 1 <= n_perm <= DS_PERM_MAX */
void ds_minhash_free(ds_minhash *m);
/* Values of a signature: n_perm rounded up to DS_PERM_STEP. Signatures are 64-byte aligned. */
size_t ds_minhash_padded(const ds_minhash *m);
void ds_minhash_reset(const ds_minhash *m, uint32_t *sig);
void ds_minhash_add(const ds_minhash *m, const uint32_t *x, size_t n, uint32_t *sig);
DS_AUTO_WITH(ds_minhash, ds_minhash_free)

/*
 * The k smallest different values of a set that comes in parts; sorted once by finish. k = 0: all of
 * them. The view that finish gives lives until the next reset.
 */
typedef struct ds_sketch ds_sketch;
ds_sketch *ds_sketch_new(size_t k);
void ds_sketch_free(ds_sketch *s);
void ds_sketch_reset(ds_sketch *s);
void ds_sketch_add(ds_sketch *s, const uint32_t *x, size_t n);
const uint32_t *ds_sketch_finish(ds_sketch *s, size_t *n);
DS_AUTO_WITH(ds_sketch, ds_sketch_free)
/*
 * Jaccard of two sets by their finished sketches: over the k smallest values of the union, which is exact
 * while the union has at most k. k = 0: over all.
 */
double ds_sketch_jaccard(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b, size_t k);

/*
 * Bands of `rows` values each: two sets of Jaccard j share one with probability 1 - (1 - j^rows)^bands.
 * The chooser takes the longest rows for which that is at least 0.99 at threshold + 0.05 (near 1: half
 * way from the threshold to 1).
 */
typedef struct {
	unsigned bands, rows;
} ds_bands;
ds_bands ds_bands_choose(unsigned n_perm, double threshold);
double ds_bands_recall(ds_bands b, double jaccard);
/* The key of one band of a signature: the upper 40 bits of an XXH3-64 of its values. */
uint64_t ds_bands_key(ds_bands b, const uint32_t *sig, unsigned band);

#endif
