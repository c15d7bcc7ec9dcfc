/*
 * utf8.c - validation and repair
 */
#include "text/utf8.h"

#include "base/cpu.h"
#include "text/unicode.h"
#include "text/utf8_impl.h"

size_t ds_utf8_ascii(ds_str s)
{
	const uint8_t *p = (const uint8_t *)s.at;
	size_t i = ds_cpu_level() >= DS_CPU_AVX2 ? ds_utf8_ascii_avx2(p, s.n) : 0;
	for (uint64_t eight; i + 8 <= s.n; i += 8) {
		memcpy(&eight, p + i, 8);
		if (eight & 0x8080808080808080)
			break;
	}
	while (i < s.n && p[i] < 0x80)
		i++;
	return i;
}

size_t ds_utf8_valid(ds_str s)
{
	const uint8_t *p = (const uint8_t *)s.at, *end = p + s.n;
	size_t i = ds_cpu_level() >= DS_CPU_AVX2 ? ds_utf8_valid_avx2(p, s.n) : 0;
	uint32_t c;
	while (i < s.n) {
		unsigned n = ds_utf8_get(p + i, end, &c);
		if (n == 0)
			break;
		i += n;
	}
	return i;
}

/*
 * The bytes of the ill-formed part at p: as many as could begin a character, at least one. The ranges
 * of second bytes are those of Unicode table 3-7.
 */
static size_t bad_part(const uint8_t *p, const uint8_t *end)
{
	uint8_t lead = p[0], low = 0x80, high = 0xbf;
	size_t want = lead >= 0xf0 && lead <= 0xf4 ? 4 : lead >= 0xe0 && lead < 0xf0 ? 3 : 1;
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	size_t n = 1;
	while (n < want && n < (size_t)(end - p) && p[n] >= low && p[n] <= high) {
		n++;
		low = 0x80;
		high = 0xbf;
	}
	return n;
}

ds_str ds_utf8_repair(ds_str s, ds_arena *mem, size_t *n_repaired)
{
	const uint8_t *p = (const uint8_t *)s.at, *end = p + s.n;
	*n_repaired = 0;
	size_t good = ds_utf8_valid(s);
	if (good == s.n)
		return s;
	/* A replacement takes three bytes, the least that it replaces is one: counted before. */
	size_t bytes = 0;
	for (size_t i = good;; i += ds_utf8_valid((ds_str){ s.at + i, s.n - i })) {
		bytes = *n_repaired * 3 + s.n;
		if (i == s.n)
			break;
		i += bad_part(p + i, end);
		(*n_repaired)++;
	}
	char *out = ds_arena_bytes(mem, bytes), *w = out;
	for (size_t i = 0; i < s.n;) {
		ds_str rest = { s.at + i, s.n - i };
		size_t n = i == 0 ? good : ds_utf8_valid(rest);
		memcpy(w, rest.at, n);
		w += n;
		i += n;
		if (i < s.n) {
			memcpy(w, "\xef\xbf\xbd", 3);
			w += 3;
			i += bad_part(p + i, end);
		}
	}
	return (ds_str){ out, (size_t)(w - out) };
}

void ds_utf8_census(ds_str s, size_t *whole, size_t *broken)
{
	const uint8_t *p = (const uint8_t *)s.at, *end = p + s.n;
	*whole = *broken = 0;
	for (size_t i = 0; i < s.n;) {
		size_t stop = i + ds_utf8_valid((ds_str){ s.at + i, s.n - i });
		for (; i < stop; i++)
			*whole += p[i] >= 0xc0;
		if (i == s.n)
			break;
		size_t n = bad_part(p + i, end);
		*broken += i + n < s.n || p[i] < 0xc2;
		i += n;
	}
}

size_t ds_utf8_count(ds_str s)
{
	const uint8_t *p = (const uint8_t *)s.at;
	size_t valid = ds_utf8_valid(s), n = 0;
	for (size_t i = 0; i < valid; i++)
		n += (p[i] & 0xc0) != 0x80;
	for (size_t i = valid; i < s.n; n++) {
		uint32_t c;
		unsigned k = ds_utf8_get(p + i, p + s.n, &c);
		i += k ? k : 1;
	}
	return n;
}
