/*
 * simhash.c - 64 counters at once
 *
 * Bit k of eight words is a counter of one byte; adding a feature to all 64 is eight half-adders,
 * about 3 ns. After 255 features the counters are emptied into wider ones.
 */
#include "text/simhash.h"

#include "base/hash.h"

#include <string.h>

static void empty(ds_simhash *s)
{
	for (unsigned bit = 0; bit < 64; bit++)
		for (unsigned p = 0; p < 8; p++)
			s->count[bit] += (s->plane[p] >> bit & 1) << p;
	memset(s->plane, 0, sizeof s->plane);
	s->in_planes = 0;
}

void ds_simhash_add(ds_simhash *s, const uint64_t *features, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t carry = features[i];
		for (unsigned p = 0; p < 8; p++) {
			uint64_t both = s->plane[p] & carry;
			s->plane[p] ^= carry;
			carry = both;
		}
		if (++s->in_planes == 255)
			empty(s);
	}
	s->n += n;
}

uint64_t ds_simhash_finish(ds_simhash *s)
{
	uint64_t out = 0;
	empty(s);
	for (unsigned bit = 0; bit < 64; bit++)
		out |= (uint64_t)(2 * s->count[bit] > s->n) << bit;
	return out;
}

unsigned ds_simhash_tables(unsigned distance)
{
	return (distance + 2) * (distance + 1) / 2;
}

void ds_simhash_keys(uint64_t fingerprint, unsigned distance, uint64_t *keys)
{
	unsigned parts = distance + 2, n = 0;
	for (unsigned i = 0; i < parts; i++) {
		for (unsigned k = i + 1; k < parts; k++) {
			uint64_t mask = 0;
			for (unsigned bit = 0; bit < 64; bit++)
				if (bit * parts / 64 == i || bit * parts / 64 == k)
					mask |= UINT64_C(1) << bit;
			uint64_t part = fingerprint & mask;
			keys[n] = ds_hash64_seed(&part, sizeof part, n) >> 24;
			n++;
		}
	}
}
