/*
 * simhash.h - fingerprints of 64 or 128 bits whose Hamming distance tells how unlike two texts are
 *
 * A bit of the fingerprint is that of more than half of the features' hashes, each weighted by how often it
 * occurs (Charikar 2002); one of 128 bits is two of 64, the second of other hashes of the same features
 * (ds_simhash_other). To find all fingerprints within distance d, the bits are cut into d + 2 parts:
 * two of them are equal whatever d bits differ, so there is a key for every two parts (Manku, Jain
 * and Das Sarma 2007).
 */
#ifndef DS_TEXT_SIMHASH_H
#define DS_TEXT_SIMHASH_H

#include <stddef.h>
#include <stdint.h>

enum {
	DS_SIMHASH_FAR = 8,
	DS_SIMHASH_WORDS = 2,
	DS_SIMHASH_KEYS = (DS_SIMHASH_FAR + 2) * (DS_SIMHASH_FAR + 1) / 2
};

typedef struct {           /* start with { 0 } */
	uint64_t plane[8]; /* of a byte for each bit, the lowest first */
	uint32_t in_planes;
	uint64_t n, count[64];
} ds_simhash;
void ds_simhash_add(ds_simhash *s, const uint64_t *features, size_t n);
uint64_t ds_simhash_finish(ds_simhash *s);

/* Another hash of what x is a hash of. */
static inline uint64_t ds_simhash_other(uint64_t x)
{
	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

static inline unsigned ds_simhash_distance(uint64_t a, uint64_t b)
{
	return (unsigned)__builtin_popcountll(a ^ b);
}
unsigned ds_simhash_tables(unsigned distance); /* (d + 2) (d + 1) / 2; distance <= DS_SIMHASH_FAR */
/* A 40-bit key for each table; a fingerprint has 1 or 2 words. */
void ds_simhash_keys(
	const uint64_t *fingerprint, unsigned words, unsigned distance, uint64_t *keys);

#endif
