/*
 * byteset_avx2.c - 32 bytes at a time
 *
 * The low half of a byte chooses a row of bits by shuffle (which gives zero where the top bit is set,
 * so that two tables cover all values), the high half the bit of that row ("truffle", from Hyperscan).
 */
#include "text/byteset_impl.h"

#include <immintrin.h>

typedef struct {
	__m256i low, high, bits;
} tables;

static inline tables load(const ds_byteset *set)
{
	return (tables){
		_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)set->low)),
		_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)set->high)),
		_mm256_broadcastsi128_si256(
			_mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128)),
	};
}

/* A bit for each byte that is not in the set. */
static inline uint32_t misses(const tables *t, const uint8_t *p)
{
	__m256i x = _mm256_loadu_si256((const __m256i *)p);
	__m256i top = _mm256_set1_epi8((char)0x80);
	__m256i rows = _mm256_or_si256(_mm256_shuffle_epi8(t->low, x),
		_mm256_shuffle_epi8(t->high, _mm256_xor_si256(x, top)));
	__m256i half = _mm256_and_si256(_mm256_srli_epi16(x, 4), _mm256_set1_epi8(15));
	__m256i hit = _mm256_and_si256(rows, _mm256_shuffle_epi8(t->bits, half));
	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(hit, _mm256_setzero_si256()));
}

size_t ds_byteset_find_avx2(const ds_byteset *set, const uint8_t *p, size_t n)
{
	tables t = load(set);
	size_t i = 0;
	for (; i + 32 <= n; i += 32) {
		uint32_t hits = ~misses(&t, p + i);
		if (hits)
			return i + (size_t)__builtin_ctz(hits);
	}
	return i;
}

size_t ds_byteset_pair_avx2(
	const ds_byteset *single, const ds_byteset *pair, const uint8_t *p, size_t n)
{
	tables one = load(single), two = load(pair);
	size_t i = 0;
	for (; i + 33 <= n; i += 32) {
		uint32_t in_pair = ~misses(&two, p + i);
		/* Whether the last is followed by one is seen by the byte. */
		uint32_t next = in_pair >> 1 | (uint32_t)pair->has[p[i + 32]] << 31;
		uint32_t hits = ~misses(&one, p + i) | (in_pair & next);
		if (hits)
			return i + (size_t)__builtin_ctz(hits);
	}
	return i;
}
