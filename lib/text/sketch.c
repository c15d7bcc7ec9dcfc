/*
 * sketch.c - the k smallest values of a set
 *
 * Values below the largest that can still matter are gathered; when the buffer is full it is sorted,
 * made unique and cut to k, which lowers that limit. The values are hashes, so they are spread
 * evenly, and a sort of a few thousand is one pass into buckets of about one value and a short repair.
 * More are sorted a byte at a time, which no choice of values makes slow.
 */
#include "base/mem.h"
#include "text/minhash.h"

#include <string.h>

enum { FEW = 24, MANY = 4096 };

struct ds_sketch {
	size_t k, n, cap;
	uint64_t limit; /* values from here on cannot be among the k smallest */
	uint32_t *at, *aside;
	uint16_t start[4 * MANY + 2]; /* of each bucket */
};

ds_sketch *ds_sketch_new(size_t k)
{
	ds_sketch *s = DS_NEW(ds_sketch, 1);
	s->k = k;
	s->cap = k ? 4 * k : 4096;
	s->at = DS_NEW(uint32_t, s->cap);
	s->aside = DS_NEW(uint32_t, s->cap);
	ds_sketch_reset(s);
	return s;
}

void ds_sketch_free(ds_sketch *s)
{
	if (!s)
		return;
	ds_mem_free(s->at);
	ds_mem_free(s->aside);
	ds_mem_free(s);
}

void ds_sketch_reset(ds_sketch *s)
{
	s->n = 0;
	s->limit = UINT64_C(1) << 32;
}

static void insert_all(uint32_t *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		uint32_t x = v[i];
		size_t j = i;
		for (; j && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

static void swap(ds_sketch *s)
{
	uint32_t *was = s->at;
	s->at = s->aside;
	s->aside = was;
}

static void sort_bytes(ds_sketch *s)
{
	for (unsigned shift = 0; shift < 32; shift += 8) {
		size_t start[257] = { 0 };
		for (size_t i = 0; i < s->n; i++)
			start[(s->at[i] >> shift & 255) + 1]++;
		for (size_t i = 1; i < 256; i++)
			start[i] += start[i - 1];
		for (size_t i = 0; i < s->n; i++)
			s->aside[start[s->at[i] >> shift & 255]++] = s->at[i];
		swap(s);
	}
}

static void sort_buckets(ds_sketch *s)
{
	/* Four times as many buckets as values, by the upper bits of what is at most the limit. */
	uint64_t top = s->limit >> 32 ? UINT32_MAX : s->limit;
	unsigned bits = 65 - (unsigned)__builtin_clzll(s->n),
		 width = 64 - (unsigned)__builtin_clzll(top | 1);
	unsigned shift = width > bits ? width - bits : 0;
	size_t n_buckets = (size_t)(top >> shift) + 1;
	memset(s->start, 0, (n_buckets + 1) * sizeof(*s->start));
	for (size_t i = 0; i < s->n; i++)
		s->start[(s->at[i] >> shift) + 1]++;
	for (size_t i = 1; i < n_buckets; i++)
		s->start[i] += s->start[i - 1];
	for (size_t i = 0; i < s->n; i++)
		s->aside[s->start[s->at[i] >> shift]++] = s->at[i];
	swap(s);
	insert_all(s->at, s->n);
}

static void sort(ds_sketch *s)
{
	if (s->n <= FEW)
		insert_all(s->at, s->n);
	else if (s->n <= MANY)
		sort_buckets(s);
	else
		sort_bytes(s);
}

static void cut(ds_sketch *s)
{
	sort(s);
	size_t n = s->n ? 1 : 0;
	for (size_t i = 1; i < s->n; i++) {
		s->at[n] = s->at[i];
		n += s->at[n] != s->at[n - 1];
	}
	s->n = n;
	if (s->k && n >= s->k) {
		s->n = s->k;
		s->limit = s->at[s->k - 1];
	}
}

static void grow(ds_sketch *s)
{
	size_t was = s->cap * sizeof(*s->at);
	s->cap *= 2;
	s->at = ds_mem_grow(s->at, was, 2 * was);
	s->aside = ds_mem_grow(s->aside, was, 2 * was);
}

void ds_sketch_add(ds_sketch *s, const uint32_t *x, size_t n)
{
	while (n) {
		if (s->cap - s->n < s->cap / 4)
			cut(s);
		if (s->cap - s->n < s->cap / 4)
			grow(s); /* only where all values are kept */
		size_t part = s->cap - s->n < n ? s->cap - s->n : n, k = s->n;
		for (size_t i = 0; i < part; i++) {
			s->at[k] = x[i];
			k += x[i] < s->limit;
		}
		s->n = k;
		x += part;
		n -= part;
	}
}

const uint32_t *ds_sketch_finish(ds_sketch *s, size_t *n)
{
	cut(s);
	*n = s->n;
	return s->at;
}

double ds_sketch_jaccard(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b, size_t k)
{
	size_t i = 0, j = 0, both = 0, all = 0, most = k ? k : n_a + n_b;
	while (i < n_a && j < n_b && all < most) {
		uint32_t x = a[i], y = b[j];
		i += x <= y;
		j += y <= x;
		both += x == y;
		all++;
	}
	size_t rest = n_a - i + n_b - j;
	all += rest < most - all ? rest : most - all;
	return all ? (double)both / (double)all : 0;
}
