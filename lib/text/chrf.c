/*
 * chrf.c - characters as units, and the mean over the orders that both texts have
 */
#include "text/chrf.h"

#include "text/overlap.h"
#include "text/tok/category.h"

enum { ORDER = 6, BETA2 = 4 };

/* The characters that are not white space; bytes that are not UTF-8 count as one each. */
static ds_units characters(ds_str s, ds_arena *mem)
{
	uint64_t *out = ds_arena_get(mem, (s.n + 1) * sizeof(*out));
	size_t n = 0;
	for (size_t i = 0; i < s.n;) {
		unsigned len;
		uint32_t c = ds_utf8_at((const uint8_t *)s.at + i, s.n - i, &len);
		if (c >= 0x110000 || !ds_cat_white(ds_cat_of(c)))
			out[n++] = c;
		i += len;
	}
	return (ds_units){ out, n };
}

double ds_chrf(ds_str text, ds_str reference, ds_arena *mem)
{
	size_t orders = 0;
	double precision = 0, recall = 0;
	uint64_t both[ORDER];
	ds_units a = characters(text, mem), b = characters(reference, mem);
	ds_overlap(a, &b, 1, ORDER, both, mem);
	for (size_t order = 1; order <= ORDER; order++) {
		size_t x = ds_n_grams(a.n, order), y = ds_n_grams(b.n, order);
		if (!x || !y)
			continue;
		precision += (double)both[order - 1] / (double)x;
		recall += (double)both[order - 1] / (double)y;
		orders++;
	}
	if (!orders || precision + recall == 0)
		return 0;
	precision /= (double)orders;
	recall /= (double)orders;
	return 100 * (1 + BETA2) * precision * recall / (BETA2 * precision + recall);
}
