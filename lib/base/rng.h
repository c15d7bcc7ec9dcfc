/*
 * rng.h - random numbers without state
 *
 * A number is a function of a key and a counter (Philox 4x32-10: Salmon et al., "Parallel Random
 * Numbers: As Easy as 1, 2, 3", SC 2011), so it depends on what it is for and never on who asks or
 * in which order. Make the key from the seed and the purpose, count by record, element or draw.
 */
#ifndef DS_BASE_RNG_H
#define DS_BASE_RNG_H

#include <stdint.h>

typedef struct {
	uint64_t key, high; /* high: the upper half of the counter, e.g. the record or the tensor */
} ds_rng;

static inline ds_rng ds_rng_of(uint64_t seed, uint64_t high)
{
	return (ds_rng){ seed, high };
}
void ds_rng_block(ds_rng r, uint64_t counter, uint32_t out[4]);
uint64_t ds_rng_u64(ds_rng r, uint64_t counter);
double ds_rng_unit(ds_rng r, uint64_t counter);                /* [0, 1), 53 bits */
uint64_t ds_rng_below(ds_rng r, uint64_t counter, uint64_t n); /* [0, n), n > 0; bias < 2^-64 n */
double ds_rng_normal(ds_rng r, uint64_t counter); /* mean 0, deviation 1 (Box-Muller) */
/* Two of them for the price of one: independent, the first is ds_rng_normal's. */
void ds_rng_normals(ds_rng r, uint64_t counter, double out[2]);

#endif
