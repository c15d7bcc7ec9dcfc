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
	memset(s->plane, 0, sizeof(s->plane));
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

/* The bits from..to - 1 of a fingerprint that are in its word w. */
static uint64_t bits_of(unsigned from, unsigned to, unsigned w)
{
	unsigned low = 64 * w, high = low + 64;
	from = from > low ? from : low;
	to = to < high ? to : high;
	if (from >= to)
		return 0;
	return (UINT64_MAX >> (64 - (to - from))) << (from - low);
}

void ds_simhash_keys(const uint64_t *fingerprint, unsigned words, unsigned distance, uint64_t *keys)
{
	unsigned parts = distance + 2, bits = 64 * words, n = 0;
	uint64_t part[DS_SIMHASH_FAR + 2][DS_SIMHASH_WORDS] = { 0 };
	for (unsigned i = 0; i < parts; i++) {
		unsigned from = (i * bits + parts - 1) / parts,
			 to = ((i + 1) * bits + parts - 1) / parts;
		for (unsigned w = 0; w < words; w++)
			part[i][w] = fingerprint[w] & bits_of(from, to, w);
	}
	for (unsigned i = 0; i < parts; i++) {
		for (unsigned k = i + 1; k < parts; k++) {
			uint64_t two[DS_SIMHASH_WORDS];
			for (unsigned w = 0; w < words; w++)
				two[w] = part[i][w] | part[k][w];
			keys[n] = ds_hash64_seed(two, words * sizeof(*two), n) >> 24;
			n++;
		}
	}
}
