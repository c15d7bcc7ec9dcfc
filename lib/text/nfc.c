/*
 * nfc.c - only the places that may change are given to ICU
 *
 * A character that is stable (combining class 0 and NFC_Quick_Check=Yes) never joins what is before
 * it. So the text from the stable character before an unstable one up to the next stable one can be
 * normalized by itself, and all between such places is copied.
 */
#include "text/unicode.h"

#include "text/units_impl.h"
#include "text/unicode_impl.h"
#include "text/utf8.h"

enum { STABLE, UNSTABLE, INVALID };

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

/* The next place that may change, from p on; false: none. */
static bool find_place(const uint8_t *p, const uint8_t *end, ds_str *place)
{
	const uint8_t *start = p;
	unsigned n;
	for (; p < end; p += n) {
		if (*p < 0x80) {
			start = p;
			n = 1;
			continue;
		}
		unsigned kind = step(p, end, &n);
		if (kind == STABLE)
			start = p;
		if (kind == INVALID)
			start = p + n;
		if (kind != UNSTABLE)
			continue;
		for (p += n; p < end && step(p, end, &n) == UNSTABLE;)
			p += n;
		*place = (ds_str){ (const char *)start, (size_t)(p - start) };
		return true;
	}
	return false;
}

ds_str ds_nfc(ds_str text, ds_arena *mem)
{
	const uint8_t *p = (const uint8_t *)text.at, *end = p + text.n;
	ds_str place;
	if (!text.n || !find_place(p, end, &place))
		return text;
	ds_buf out = { 0 };
	do {
		ds_buf_add(&out, p, (size_t)((const uint8_t *)place.at - p));
		ds_icu_nfc(&out, place);
		p = (const uint8_t *)place.at + place.n;
	} while (find_place(p, end, &place));
	ds_buf_add(&out, p, (size_t)(end - p));
	ds_str result = ds_arena_str(mem, ds_buf_view(&out));
	ds_buf_free(&out);
	return result;
}
