/*
 * rng.c - Philox 4x32-10, as in the paper's reference code (Random123)
 */
#include "base/rng.h"

#include <math.h>

void ds_rng_block(ds_rng r, uint64_t counter, uint32_t out[4])
{
	uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32);
	uint32_t c2 = (uint32_t)r.high, c3 = (uint32_t)(r.high >> 32);
	uint32_t k0 = (uint32_t)r.key, k1 = (uint32_t)(r.key >> 32);
	for (int round = 0; round < 10; round++) {
		uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
		uint32_t n0 = (uint32_t)(b >> 32) ^ c1 ^ k0, n2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
		c1 = (uint32_t)b;
		c3 = (uint32_t)a;
		c0 = n0;
		c2 = n2;
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

uint64_t ds_rng_u64(ds_rng r, uint64_t counter)
{
	uint32_t v[4];
	ds_rng_block(r, counter, v);
	return v[0] | (uint64_t)v[1] << 32;
}

double ds_rng_unit(ds_rng r, uint64_t counter)
{
	return (double)(ds_rng_u64(r, counter) >> 11) * 0x1p-53;
}

uint64_t ds_rng_below(ds_rng r, uint64_t counter, uint64_t n)
{
	/* Multiply and shift over 64 bits of chance. */
	return (uint64_t)((unsigned __int128)ds_rng_u64(r, counter) * n >> 64);
}

void ds_rng_normals(ds_rng r, uint64_t counter, double out[2])
{
	uint32_t v[4];
	ds_rng_block(r, counter, v);
	uint64_t a = v[0] | (uint64_t)v[1] << 32, b = v[2] | (uint64_t)v[3] << 32;
	/* (0, 1], so that the logarithm exists */
	double u = ((double)(a >> 11) + 1) * 0x1p-53, w = (double)(b >> 11) * 0x1p-53;
	double length = sqrt(-2 * log(u)), angle = 6.283185307179586477 * w;
	sincos(angle, &out[1], &out[0]);
	out[0] *= length;
	out[1] *= length;
}

double ds_rng_normal(ds_rng r, uint64_t counter)
{
	double both[2];
	ds_rng_normals(r, counter, both);
	return both[0];
}
