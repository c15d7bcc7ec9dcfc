/*
 * byteset.c - sets of byte values, and the search without vectors
 */
#include "text/byteset.h"

#include "base/cpu.h"
#include "text/byteset_impl.h"

void ds_byteset_init(ds_byteset *set)
{
	*set = (ds_byteset){ 0 };
}

void ds_byteset_add(ds_byteset *set, unsigned first, unsigned last)
{
	for (unsigned b = first; b <= last; b++) {
		uint8_t bit = (uint8_t)(1u << (b >> 4 & 7));
		if (b < 0x80)
			set->low[b & 15] |= bit;
		else
			set->high[b & 15] |= bit;
		set->has[b] = 1;
	}
}

void ds_byteset_add_all(ds_byteset *set, const char *bytes)
{
	for (; *bytes; bytes++)
		ds_byteset_add(set, (uint8_t)*bytes, (uint8_t)*bytes);
}

size_t ds_byteset_find(const ds_byteset *set, ds_str s, size_t from)
{
	const uint8_t *p = (const uint8_t *)s.at;
	size_t i = from;
	/* Hits are often near: the first bytes are looked at before a vector is set up. */
	for (size_t end = s.n - from > 8 ? from + 8 : s.n; i < end; i++)
		if (set->has[p[i]])
			return i;
	if (s.n - i >= 64 && ds_cpu_level() >= DS_CPU_AVX512)
		i += ds_byteset_find_avx512(set, p + i, s.n - i);
	else if (s.n - i >= 32 && ds_cpu_level() >= DS_CPU_AVX2)
		i += ds_byteset_find_avx2(set, p + i, s.n - i);
	for (; i < s.n; i++)
		if (set->has[p[i]])
			return i;
	return s.n;
}

size_t ds_byteset_find_pair(const ds_byteset *single, const ds_byteset *pair, ds_str s, size_t from)
{
	const uint8_t *p = (const uint8_t *)s.at;
	size_t i = from;
	if (i < s.n && ds_cpu_level() >= DS_CPU_AVX2)
		i += ds_byteset_pair_avx2(single, pair, p + i, s.n - i);
	for (; i < s.n; i++)
		if (single->has[p[i]] || (pair->has[p[i]] && (i + 1 == s.n || pair->has[p[i + 1]])))
			return i;
	return s.n;
}
