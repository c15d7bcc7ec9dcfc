/*
 * perm.c - a shuffled order of n rows, without a table
 *
 * Four Feistel rounds keyed by Philox; "cycle walking" (Black and Rogaway, CT-RSA 2002) keeps results
 * below n. The domain is less than 4n, so fewer than four steps are taken on average.
 */
#include "model/perm.h"

#include "base/rng.h"

enum { ROUNDS = 4, PURPOSE = 0x7065726d /* "perm" */ };

static uint64_t feistel(ds_rng r, unsigned half_bits, uint64_t x)
{
	uint64_t mask = ((uint64_t)1 << half_bits) - 1, left = x >> half_bits, right = x & mask;
	for (uint64_t round = 0; round < ROUNDS; round++) {
		uint64_t f = ds_rng_u64(r, round << 40 ^ right) & mask;
		uint64_t was = left;
		left = right;
		right = was ^ f;
	}
	return left << half_bits | right;
}

uint64_t ds_perm_at(uint64_t seed, uint64_t epoch, uint64_t n, uint64_t i)
{
	ds_rng r = ds_rng_of(seed, (uint64_t)PURPOSE << 32 ^ epoch);
	unsigned half_bits = 1;
	while (half_bits < 32 && (uint64_t)1 << 2 * half_bits < n)
		half_bits++;
	do
		i = feistel(r, half_bits, i);
	while (i >= n);
	return i;
}
