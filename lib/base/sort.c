/*
 * sort.c - radix sort from the lowest byte, bytes that are the same in all values left out
 */
#include "base/sort.h"

#include "base/mem.h"

#include <string.h>

enum { FEW = 32, BYTES = 8 };

static void insert_all(uint64_t *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		uint64_t x = v[i];
		size_t j = i;
		for (; j && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

static void pass(uint64_t *to, const uint64_t *from, size_t n, unsigned shift, size_t start[256])
{
	size_t sum = 0;
	for (unsigned i = 0; i < 256; i++) {
		size_t count = start[i];
		start[i] = sum;
		sum += count;
	}
	for (size_t i = 0; i < n; i++)
		to[start[from[i] >> shift & 255]++] = from[i];
}

void ds_sort_u64(uint64_t *v, size_t n)
{
	if (n <= FEW) {
		insert_all(v, n);
		return;
	}
	size_t count[BYTES][256] = { 0 };
	for (size_t i = 0; i < n; i++)
		for (unsigned b = 0; b < BYTES; b++)
			count[b][v[i] >> 8 * b & 255]++;
	uint64_t *aside = ds_mem_get(n * sizeof(*aside)), *from = v, *to = aside;
	for (unsigned b = 0; b < BYTES; b++) {
		if (count[b][from[0] >> 8 * b & 255] == n)
			continue;
		pass(to, from, n, 8 * b, count[b]);
		uint64_t *was = from;
		from = to;
		to = was;
	}
	if (from != v)
		memcpy(v, from, n * sizeof(*v));
	ds_mem_free(aside);
}
