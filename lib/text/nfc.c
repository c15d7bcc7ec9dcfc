/*
 * nfc.c - only the places that may change are given to ICU
 *
 * A character that is stable (combining class 0 and NFC_Quick_Check=Yes) never joins what is before
 * it. So the text from the stable character before an unstable one up to the next stable one can be
 * normalized by itself, and all between such places is copied.
 */
#include "text/unicode.h"

#include "text/byteset.h"
#include "text/grow.h"
#include "text/units_impl.h"
#include "text/unicode_impl.h"
#include "text/utf8.h"

enum { STABLE, UNSTABLE, INVALID };
enum { PLACE_MAX = 1024 }; /* characters; see unicode.h */

static unsigned step(const uint8_t *p, const uint8_t *end, unsigned *n)
{
	uint32_t c;
	*n = ds_utf8_get(p, end, &c);
	if (!*n) {
		*n = 1;
		return INVALID;
	}
	return ds_units_entry(c) & DS_UNITS_UNSTABLE ? UNSTABLE : STABLE;
}

/* The start of the last whole character before i, not before floor; i where there is none. */
static size_t before(ds_str s, size_t i, size_t floor)
{
	const uint8_t *p = (const uint8_t *)s.at;
	uint32_t c;
	for (size_t k = 1; k <= 4 && floor + k <= i; k++)
		if (ds_utf8_get(p + i - k, p + i, &c) == k)
			return i - k;
	return i;
}

/* The next place that may change, from `floor` on; false: none. */
static bool find_place(const ds_byteset *leads, ds_str s, size_t floor, ds_str *place)
{
	const uint8_t *p = (const uint8_t *)s.at, *end = p + s.n;
	unsigned n;
	for (size_t i = floor; i < s.n; i += n) {
		if (p[i] < 0xcc) {
			i = ds_byteset_find(leads, s, i);
			if (i == s.n)
				break;
		}
		if (step(p + i, end, &n) != UNSTABLE)
			continue;
		size_t start = before(s, i, floor);
		i += n;
		for (unsigned k = 1; k < PLACE_MAX && i < s.n && step(p + i, end, &n) == UNSTABLE;
			k++)
			i += n;
		*place = (ds_str){ s.at + start, i - start };
		return true;
	}
	return false;
}

ds_str ds_nfc(ds_str text, ds_arena *mem)
{
	if (ds_utf8_ascii(text) == text.n)
		return text; /* short ones cost less than the set of bytes to look for */
	ds_byteset leads;    /* below U+0300, cc 80, nothing changes or joins */
	ds_byteset_init(&leads);
	ds_byteset_add(&leads, 0xcc, 0xff);
	size_t done = 0;
	ds_str place;
	if (!find_place(&leads, text, 0, &place))
		return text;
	ds_grow out = { .mem = mem };
	ds_buf composed = { 0 };
	ds_grow_reserve(&out, text.n); /* hardly a text grows */
	do {
		ds_grow_add(&out, text.at + done, (size_t)(place.at - text.at) - done);
		ds_buf_clear(&composed);
		ds_icu_nfc(&composed, place);
		ds_grow_add(&out, composed.at, composed.n);
		done = (size_t)(place.at - text.at) + place.n;
	} while (find_place(&leads, text, done, &place));
	ds_grow_add(&out, text.at + done, text.n - done);
	ds_buf_free(&composed);
	return ds_grow_view(&out);
}

size_t ds_nfc_joins(ds_str s)
{
	const uint8_t *p = (const uint8_t *)s.at, *end = p + s.n;
	size_t i = 0;
	unsigned n;
	for (unsigned k = 0; k < PLACE_MAX && i < s.n && p[i] >= 0xcc; k++, i += n)
		if (step(p + i, end, &n) != UNSTABLE)
			break;
	return i;
}

size_t ds_nfc_joined(ds_str s)
{
	size_t i = s.n;
	unsigned n;
	for (unsigned k = 0; k < PLACE_MAX && i; k++) {
		size_t at = before(s, i, 0);
		if (at == i)
			break;
		i = at;
		if (step((const uint8_t *)s.at + i, (const uint8_t *)s.at + s.n, &n) != UNSTABLE)
			break;
	}
	return s.n - i;
}
