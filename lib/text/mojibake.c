/*
 * mojibake.c - a line as characters, and as the bytes it may have been
 *
 * A line that looks bad is written in each of ten charsets in turn; the first in which its bytes are
 * UTF-8 tells what it was. Spaces that were U+00A0 and bytes that were lost on the way are made good
 * first. Where no charset does for the whole line, stretches that look like UTF-8 are tried alone.
 */
#include "text/mojibake.h"

#include "text/grow.h"
#include "text/mojibake_bad_impl.h"
#include "text/unicode.h"
#include "text/utf8.h"

enum { LINE_MAX_BYTES = 65536, ROUNDS = 8, CP1252 = 1, ISO2 = 7, MACROMAN = 8 };

typedef ds_mj_line line;

static bool fix(line *l, ds_arena *mem, unsigned depth);

/* Its byte in a charset; -1: none. Byte 1A stands for U+FFFD in those of Windows. */
static int byte_of(unsigned charset, uint32_t c)
{
	bool windows = charset >= CP1252 && charset < ISO2;
	if (windows && (c == 0x1a || c == 0xfffd))
		return c == 0x1a ? -1 : 0x1a;
	if (c < 0x80)
		return (int)c;
	for (int i = 0; i < 128; i++)
		if (ds_mj_charsets[charset][i] == c)
			return i + 0x80;
	return -1;
}

static bool encode(const line *l, unsigned charset, uint8_t *out)
{
	for (size_t i = 0; i < l->n; i++) {
		int b = byte_of(charset, l->c[i]);
		if (b < 0)
			return false;
		out[i] = (uint8_t)b;
	}
	return true;
}

static bool between(uint8_t b, uint8_t first, uint8_t last)
{
	return b >= first && b <= last;
}

/* A byte after the first that a blank may stand beside: not A0, nor 85 that reads as a line end. */
static bool plain_next(uint8_t b)
{
	return between(b, 0x80, 0x84) || between(b, 0x86, 0x9f) || between(b, 0xa1, 0xbf);
}

static bool next_byte(uint8_t b)
{
	return between(b, 0x80, 0xbf);
}

/* How many bytes at p are UTF-8 but for one that is a blank; 0: none. */
static size_t altered(const uint8_t *p, size_t n)
{
	if (n < 2)
		return 0;
	if (p[1] == ' ' && p[0] && strchr("\xc2\xc3\xc5\xce\xd0\xd9", p[0]))
		return 2;
	if (n >= 3 && (p[0] == 0xe2 || p[0] == 0xe3) && p[1] == ' ' && plain_next(p[2]))
		return 3;
	if (n >= 3 && between(p[0], 0xe0, 0xe3) && plain_next(p[1]) && p[2] == ' ')
		return 3;
	if (n < 4 || p[0] != 0xf0)
		return 0;
	unsigned blanks = (p[1] == ' ') + (p[2] == ' ') + (p[3] == ' ');
	unsigned others = next_byte(p[1]) + next_byte(p[2]) + next_byte(p[3]);
	return blanks == 1 && others == 2 ? 4 : 0;
}

static bool starts(const uint8_t *p, const uint8_t *end, const char *word)
{
	size_t n = strlen(word);
	return (size_t)(end - p) >= n && memcmp(p, word, n) == 0;
}

/* "Ã " that is a word of its own: à and the blank after it, not the end of another. */
static bool is_a_grave(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *q = p + 2;
	return starts(p, end, "\xc3 ") && !starts(q, end, " ") && !starts(q, end, "quele") &&
	       !starts(q, end, "quela") && !starts(q, end, "quilo") && !starts(q, end, "s ");
}

/* Blanks become A0 again; out has room for twice as much. */
static size_t restore_blanks(const uint8_t *p, size_t n, uint8_t *out, uint8_t *spare)
{
	size_t m = 0, k = 0, width;
	for (size_t i = 0; i < n; i += width) {
		bool grave = is_a_grave(p + i, p + n);
		width = grave ? 2 : 1;
		spare[m++] = p[i];
		if (grave) {
			spare[m++] = 0xa0;
			spare[m++] = ' ';
		}
	}
	for (size_t i = 0; i < m; i += width) {
		width = altered(spare + i, m - i);
		for (size_t j = 0; j < width; j++)
			out[k++] = spare[i + j] == ' ' ? 0xa0 : spare[i + j];
		if (width == 0) {
			width = 1;
			out[k++] = spare[i];
		}
	}
	return k;
}

static bool any_altered(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (altered(p + i, n - i))
			return true;
	return false;
}

static bool lost(uint8_t b)
{
	return b == 0x1a || b == '?';
}
static bool lost_or_next(uint8_t b)
{
	return b == 0x1a || next_byte(b);
}

/* How many bytes at p are UTF-8 of which some were lost. */
static size_t lossy(const uint8_t *p, size_t n)
{
	if (n >= 2 && between(p[0], 0xc2, 0xdf) && p[1] == 0x1a)
		return 2;
	if (n >= 2 && between(p[0], 0xc2, 0xc3) && p[1] == '?')
		return 2;
	if (n >= 6 && p[0] == 0xed && between(p[1], 0xa0, 0xaf) && p[3] == 0xed &&
		between(p[4], 0xb0, 0xbf) && (lost(p[2]) || next_byte(p[2])) &&
		(lost(p[5]) || next_byte(p[5])) && (lost(p[2]) || lost(p[5])))
		return 6;
	if (n >= 3 && between(p[0], 0xe0, 0xef) &&
		((lost(p[1]) && lost_or_next(p[2])) || (lost_or_next(p[1]) && lost(p[2]))))
		return 3;
	if (n >= 4 && between(p[0], 0xf0, 0xf4)) {
		unsigned marks = (p[1] == '?') + (p[2] == '?') + (p[3] == '?');
		bool fits = (lost(p[1]) || next_byte(p[1])) && (lost(p[2]) || next_byte(p[2])) &&
			    (lost(p[3]) || next_byte(p[3]));
		if (fits && marks <= 1 && (lost(p[1]) || lost(p[2]) || lost(p[3])))
			return 4;
	}
	return p[0] == 0x1a;
}

/* Each becomes U+FFFD; out has room for three times as much. */
static size_t replace_lossy(const uint8_t *p, size_t n, uint8_t *out)
{
	size_t m = 0, width;
	for (size_t i = 0; i < n; i += width) {
		width = lossy(p + i, n - i);
		if (width) {
			memcpy(out + m, "\xef\xbf\xbd", 3);
			m += 3;
		} else {
			width = 1;
			out[m++] = p[i];
		}
	}
	return m;
}

/* UTF-8, with characters from U+10000 as two surrogates, and NUL as C0 80. 0: it is not that. */
static unsigned get_variant(const uint8_t *p, const uint8_t *end, uint32_t *c)
{
	if (end - p >= 2 && p[0] == 0xc0 && p[1] == 0x80) {
		*c = 0;
		return 2;
	}
	if (end - p >= 6 && p[0] == 0xed && between(p[1], 0xa0, 0xaf) && next_byte(p[2]) &&
		p[3] == 0xed && between(p[4], 0xb0, 0xbf) && next_byte(p[5])) {
		*c = 0x10000 + ((uint32_t)(p[1] & 0x0f) << 16) + ((uint32_t)(p[2] & 0x3f) << 10) +
		     ((uint32_t)(p[4] & 0x0f) << 6) + (p[5] & 0x3f);
		return 6;
	}
	return ds_utf8_get(p, end, c);
}

static bool decode(const uint8_t *p, size_t n, line *out)
{
	const uint8_t *end = p + n;
	size_t m = 0;
	unsigned width;
	for (; p < end; p += width) {
		width = get_variant(p, end, &out->c[m++]);
		if (width == 0)
			return false;
	}
	out->n = m;
	return true;
}

/* Whether the line is UTF-8 that was read in this charset: then it becomes what it was. */
static bool undo(line *l, unsigned charset, ds_arena *mem)
{
	uint8_t *a = ds_arena_get(mem, 6 * l->n + 8), *b = ds_arena_get(mem, 6 * l->n + 8);
	uint8_t *spare = ds_arena_get(mem, 2 * l->n + 8);
	size_t n = l->n;
	if (!encode(l, charset, a))
		return false;
	if (charset != MACROMAN && any_altered(a, n)) {
		n = restore_blanks(a, n, b, spare);
		memcpy(a, b, n);
	}
	if (charset >= CP1252 && charset < ISO2) {
		n = replace_lossy(a, n, b);
		memcpy(a, b, n);
	}
	line to = { ds_arena_get(mem, (n + 1) * sizeof(*to.c)), 0 };
	if (!decode(a, n, &to))
		return false;
	*l = to;
	return true;
}

/* The characters at i that may be a row of UTF-8 sequences; 0: none are. */
static size_t detect(const line *l, size_t i)
{
	size_t from = i;
	if (i && ds_mj_places(l->c[i - 1]) & DS_MJ_STRICT)
		return 0;
	for (;;) {
		unsigned p = i < l->n ? ds_mj_places(l->c[i]) : 0;
		size_t most = 0;
		while (most < 3 && i + most + 1 < l->n &&
			(ds_mj_places(l->c[i + most + 1]) & DS_MJ_NEXT))
			most++;
		size_t take = p & DS_MJ_FIRST2 && most >= 1   ? 2
			      : p & DS_MJ_FIRST3 && most >= 2 ? 3
			      : p & DS_MJ_FIRST4 && most >= 3 ? 4
							      : 0;
		if (take == 0)
			return i - from;
		i += take;
	}
}

static bool same(const line *a, const line *b)
{
	return a->n == b->n && memcmp(a->c, b->c, a->n * sizeof(*a->c)) == 0;
}

/* Stretches that look like UTF-8 are mended by themselves. */
static bool mend_parts(line *l, ds_arena *mem, unsigned depth)
{
	line out = { ds_arena_get(mem, (l->n + 1) * sizeof(*out.c)), 0 };
	for (size_t i = 0; i < l->n;) {
		size_t n = detect(l, i);
		line part = { l->c + i, n };
		if (n && n < l->n && ds_mj_is_bad(&part))
			fix(&part, mem, depth + 1);
		if (n == 0) {
			n = 1;
			part = (line){ l->c + i, 1 };
		}
		memcpy(out.c + out.n, part.c, part.n * sizeof(*out.c));
		out.n += part.n;
		i += n;
	}
	bool changed = !same(l, &out);
	*l = out;
	return changed;
}

/* Controls from 80 to 9F are what Windows has there. */
static bool mend_controls(line *l, ds_arena *mem)
{
	line out = { ds_arena_get(mem, (l->n + 1) * sizeof(*out.c)), l->n };
	for (size_t i = 0; i < l->n; i++) {
		uint32_t c = l->c[i];
		out.c[i] = c >= 0x80 && c < 0xa0 ? ds_mj_charsets[CP1252][c - 0x80] : c;
	}
	bool changed = !same(l, &out);
	*l = out;
	return changed;
}

static bool step(line *l, ds_arena *mem, unsigned depth)
{
	line was = *l;
	if (l->n == 0 || !ds_mj_is_bad(l))
		return false;
	for (unsigned i = 0; i < DS_MJ_CHARSETS; i++)
		if (undo(l, i, mem))
			return !same(l, &was);
	if (mend_parts(l, mem, depth))
		return true;
	return mend_controls(l, mem);
}

static bool fix(line *l, ds_arena *mem, unsigned depth)
{
	bool changed = false;
	for (unsigned i = 0; i < ROUNDS && depth < ROUNDS && step(l, mem, depth); i++)
		changed = true;
	return changed;
}

static void put(ds_grow *out, const line *l)
{
	for (size_t i = 0; i < l->n; i++) {
		uint8_t *p = (uint8_t *)ds_grow_reserve(out, 4);
		out->n += ds_utf8_put(p, l->c[i]);
	}
}

/* Whether a line of UTF-8 changes; then what it becomes is in *l. */
static bool mend(ds_str s, line *l, ds_arena *mem)
{
	if (s.n > LINE_MAX_BYTES || ds_utf8_ascii(s) == s.n || !ds_mj_may_be_bad(s))
		return false;
	l->c = ds_arena_get(mem, (s.n + 1) * sizeof(*l->c));
	const uint8_t *p = (const uint8_t *)s.at, *end = p + s.n;
	unsigned n;
	l->n = 0;
	for (; p < end; p += n) {
		n = ds_utf8_get(p, end, &l->c[l->n++]);
		if (n == 0)
			return false;
	}
	return fix(l, mem, 0);
}

ds_str ds_mojibake_fix(ds_str text, ds_arena *mem)
{
	if (ds_utf8_ascii(text) == text.n)
		return text;
	DS_AUTO(ds_arena) own = ds_arena_new(1 << 16);
	ds_grow out = { .mem = mem };
	size_t done = 0;
	bool changed = false;
	for (ds_str rest = text; rest.at && rest.n;) {
		line l;
		ds_str s = ds_str_cut(rest, '\n', &rest);
		if (!mend(s, &l, own))
			continue;
		changed = true;
		ds_grow_add(&out, text.at + done, (size_t)(s.at - text.at) - done);
		put(&out, &l);
		done = (size_t)(s.at - text.at) + s.n;
		ds_arena_reset(own);
	}
	if (!changed)
		return text;
	ds_grow_add(&out, text.at + done, text.n - done);
	return ds_grow_view(&out);
}
