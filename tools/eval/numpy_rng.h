/*
 * numpy_rng.h - the random numbers that sacreBLEU draws: numpy's default_rng(seed)
 *
 * PCG64 (O'Neill, 2014) seeded by numpy's SeedSequence; bounded numbers by Lemire's method ("Fast Random
 * Integer Generation in an Interval", 2019) on 32 bits. Equal numbers make intervals and p-values equal.
 */
#ifndef DS_EVAL_NUMPY_RNG_H
#define DS_EVAL_NUMPY_RNG_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
	unsigned __int128 state, step;
	uint32_t half; /* the upper half of the last 64 bits, where has_half */
	bool has_half;
	uint32_t coins, n_coins;
} numpy_rng;

numpy_rng numpy_rng_of(uint64_t seed);
uint64_t numpy_rng_u64(numpy_rng *r);
uint32_t numpy_rng_below(numpy_rng *r, uint32_t n); /* choice(n): [0, n), n > 0 */
bool numpy_rng_coin(numpy_rng *r);                  /* integers(2, dtype=bool) */

#endif
