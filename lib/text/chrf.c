/*
 * chrf.c - n-grams are hashed, sorted and merged: no table, and time in proportion to n log n
 */
#include "text/chrf.h"

#include "base/hash.h"
#include "text/tok/category.h"

#include <stdlib.h>

enum { ORDER = 6, BETA2 = 4 };

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* The characters that are not white space; bytes that are not UTF-8 count as one each. */
static uint32_t *characters(ds_str s, ds_arena *mem, size_t *n)
{
	uint32_t *out = ds_arena_get(mem, (s.n + 1) * sizeof(*out));
	*n = 0;
	for (size_t i = 0; i < s.n;) {
		unsigned len;
		uint32_t c = ds_utf8_at((const uint8_t *)s.at + i, s.n - i, &len);
		if (c >= 0x110000 || !ds_cat_white(ds_cat_of(c)))
			out[(*n)++] = c;
		i += len;
	}
	return out;
}

static size_t grams(uint64_t *out, const uint32_t *c, size_t n, size_t order)
{
	if (n < order)
		return 0;
	for (size_t i = 0; i + order <= n; i++)
		out[i] = ds_hash64(c + i, order * sizeof(*c));
	qsort(out, n - order + 1, sizeof(*out), by_value);
	return n - order + 1;
}

static size_t shared(const uint64_t *a, size_t n, const uint64_t *b, size_t m)
{
	size_t i = 0, k = 0, found = 0;
	while (i < n && k < m) {
		if (a[i] == b[k]) {
			found++;
			i++;
			k++;
		} else if (a[i] < b[k]) {
			i++;
		} else {
			k++;
		}
	}
	return found;
}

double ds_chrf(ds_str text, ds_str reference, ds_arena *mem)
{
	size_t n, m, orders = 0;
	double precision = 0, recall = 0;
	uint32_t *a = characters(text, mem, &n), *b = characters(reference, mem, &m);
	uint64_t *ga = ds_arena_get(mem, (n + 1) * sizeof(*ga));
	uint64_t *gb = ds_arena_get(mem, (m + 1) * sizeof(*gb));
	for (size_t order = 1; order <= ORDER; order++) {
		size_t x = grams(ga, a, n, order), y = grams(gb, b, m, order);
		if (!x || !y)
			continue;
		double both = (double)shared(ga, x, gb, y);
		precision += both / (double)x;
		recall += both / (double)y;
		orders++;
	}
	if (!orders || precision + recall == 0)
		return 0;
	precision /= (double)orders;
	recall /= (double)orders;
	return 100 * (1 + BETA2) * precision * recall / (BETA2 * precision + recall);
}
