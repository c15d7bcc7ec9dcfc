/*
 * numpy_rng.c - SeedSequence, PCG64 (XSL-RR 128/64) and Lemire's bounded numbers
 */
#include "numpy_rng.h"

enum { POOL = 4 };

static uint32_t hash_word(uint32_t v, uint32_t *h)
{
	v ^= *h;
	*h *= 0x931E8875u;
	v *= *h;
	return v ^ v >> 16;
}

static uint32_t mix(uint32_t x, uint32_t y)
{
	uint32_t r = 0xCA01F9DDu * x - 0x4973F715u * y;
	return r ^ r >> 16;
}

static void fill_pool(uint32_t pool[POOL], uint64_t seed)
{
	uint32_t h = 0x43B0D7E5u, words[POOL] = { (uint32_t)seed, (uint32_t)(seed >> 32), 0, 0 };
	for (int i = 0; i < POOL; i++)
		pool[i] = hash_word(words[i], &h);
	for (int a = 0; a < POOL; a++)
		for (int b = 0; b < POOL; b++)
			if (a != b)
				pool[b] = mix(pool[b], hash_word(pool[a], &h));
}

static void step(numpy_rng *r)
{
	const unsigned __int128 by =
		(unsigned __int128)0x2360ED051FC65DA4u << 64 | 0x4385DF649FCCF645u;
	r->state = r->state * by + r->step;
}

numpy_rng numpy_rng_of(uint64_t seed)
{
	uint32_t pool[POOL], g = 0x8B51F9DDu, w[8];
	uint64_t v[4];
	numpy_rng r = { 0 };
	fill_pool(pool, seed);
	for (int i = 0; i < 8; i++) {
		uint32_t d = pool[i % POOL] ^ g;
		g *= 0x58F38DEDu;
		d *= g;
		w[i] = d ^ d >> 16;
	}
	for (int i = 0; i < 4; i++)
		v[i] = (uint64_t)w[2 * i + 1] << 32 | w[2 * i];
	r.step = ((unsigned __int128)v[2] << 64 | v[3]) << 1 | 1;
	step(&r);
	r.state += (unsigned __int128)v[0] << 64 | v[1];
	step(&r);
	return r;
}

uint64_t numpy_rng_u64(numpy_rng *r)
{
	step(r);
	uint64_t x = (uint64_t)(r->state >> 64) ^ (uint64_t)r->state;
	unsigned by = (unsigned)(r->state >> 122);
	return x >> by | x << (-by & 63);
}

static uint32_t next_u32(numpy_rng *r)
{
	if (r->has_half) {
		r->has_half = false;
		return r->half;
	}
	uint64_t v = numpy_rng_u64(r);
	r->half = (uint32_t)(v >> 32);
	r->has_half = true;
	return (uint32_t)v;
}

uint32_t numpy_rng_below(numpy_rng *r, uint32_t n)
{
	uint64_t m;
	if (n == 1)
		return 0;
	m = (uint64_t)next_u32(r) * n;
	if ((uint32_t)m < n) {
		uint32_t least = -n % n;
		while ((uint32_t)m < least)
			m = (uint64_t)next_u32(r) * n;
	}
	return (uint32_t)(m >> 32);
}

bool numpy_rng_coin(numpy_rng *r)
{
	if (r->n_coins == 0) {
		r->coins = next_u32(r);
		r->n_coins = 32;
	}
	bool c = r->coins & 1;
	r->coins >>= 1;
	r->n_coins--;
	return c;
}
