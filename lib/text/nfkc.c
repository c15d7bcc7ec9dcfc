/*
 * nfkc.c - a text in stretches that do not join one another
 *
 * Nothing ASCII, and no unified ideograph, joins what is before it; so a text may be cut there. What has
 * neither for 64 KiB is cut all the same: no text that is read has so long a row.
 */
#include "text/unicode.h"

#include "text/unicode_impl.h"

enum { LEAST = 4096, MOST = 65536 };

static bool begins(uint8_t c) /* a character of three bytes from E5 to E9 is an ideograph */
{
	return c < 0x80 || (c >= 0xe5 && c <= 0xe9);
}

/* How much of valid UTF-8 to take. */
static size_t stretch(ds_str s)
{
	size_t n = LEAST;
	if (s.n <= LEAST)
		return s.n;
	while (n < s.n && n < MOST && !begins((uint8_t)s.at[n]))
		n++;
	while (n < s.n && ((uint8_t)s.at[n] & 0xc0) == 0x80)
		n--;
	return n;
}

ds_str ds_nfkc(ds_str text, ds_arena *mem)
{
	size_t ascii = ds_utf8_ascii(text);
	if (ascii == text.n)
		return text;
	ds_buf out = { 0 };
	bool changed = false;
	for (ds_str s = text; s.n;) {
		size_t n = ds_utf8_ascii(s);
		if (n > 1) { /* the last may take a mark that follows */
			n -= n < s.n;
			ds_buf_add(&out, s.at, n);
		} else if ((n = ds_utf8_valid(s)) == 0) {
			ds_buf_add_byte(&out, s.at[0]);
			n = 1;
		} else {
			n = stretch((ds_str){ s.at, n });
			changed |= ds_icu_nfkc(&out, (ds_str){ s.at, n });
		}
		s = (ds_str){ s.at + n, s.n - n };
	}
	ds_str result = changed ? ds_arena_str(mem, ds_buf_view(&out)) : text;
	ds_buf_free(&out);
	return result;
}
