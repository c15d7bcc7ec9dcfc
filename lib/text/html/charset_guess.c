/*
 * charset_guess.c - a page that says nothing of its charset and is not UTF-8
 *
 * What is outside of tags is read in each charset that the languages of charset_data.c were written in. A character
 * that is common in the language speaks for it, another letter of its alphabet a little; unassigned and control
 * characters, letters of other alphabets, signs inside words and capitals behind small letters speak against it. ICU's
 * own guess adds what it is sure of. Measured beside resiliparse by tests/peers/charset.sh.
 */
#include "text/html/charset_impl.h"

#include "base/arena.h"
#include "text/grow.h"
#include "text/unicode.h"
#include "text/utf8.h"

enum { SAMPLE = 16 << 10, COMMON = 512 };
enum {
	GOOD = 30,
	FAIR = 8,
	ODD = -20,
	BAD = -60,
	ICU_SURE = 30
}; /* for a character; of a thousandth, for each of ICU's percents */

/* The text between tags in which something is not ASCII, up to SAMPLE bytes. */
static ds_str sample_of(ds_str bytes, ds_arena *mem)
{
	ds_grow out = { .mem = mem };
	const char *p = bytes.at, *end = p + bytes.n;
	while (p < end && out.n < SAMPLE) {
		const char *tag = memchr(p, '<', (size_t)(end - p));
		ds_str part = { p, (size_t)((tag ? tag : end) - p) };
		if (ds_utf8_ascii(part) < part.n)
			ds_grow_add(&out, part.at, part.n < SAMPLE ? part.n : SAMPLE);
		const char *close = tag ? memchr(tag, '>', (size_t)(end - tag)) : NULL;
		p = close ? close + 1 : end;
	}
	return ds_grow_view(&out);
}

typedef struct {
	uint32_t at[COMMON];
	size_t n;
	uint32_t low, high; /* of the alphabet, about: of what is common */
} letters;

static void read_letters(letters *l, const char *common)
{
	const uint8_t *p = (const uint8_t *)common, *end = p + strlen(common);
	l->n = 0;
	while (p < end && l->n < COMMON)
		p += ds_utf8_get(p, end, &l->at[l->n++]);
	l->low = l->n ? l->at[0] & ~63u : 0;
	l->high = l->n ? l->at[l->n - 1] | 63u : 0;
}

static bool is_common(const letters *l, uint32_t c)
{
	size_t low = 0, high = l->n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (l->at[mid] < c)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->n && l->at[low] == c;
}

static bool is_alpha(uint32_t c)
{
	return c < 0x80 ? (uint8_t)((c | 32) - 'a') < 26 : ds_char_is_letter(c);
}

static bool is_bad(uint32_t c)
{
	return c == 0xfffd || (c >= 0x80 && c < 0xa0) || (c >= 0xe000 && c < 0xf900) ||
	       ds_char_age(c) == 0;
}

static bool is_small(uint32_t c)
{
	return c < 0x80 ? c >= 'a' && c <= 'z'
			: ds_char_is_letter(c) && ds_char_lower(c) == c && c < 0x600;
}

/* Quotes, dashes and the like, which all languages have. */
static bool is_usual(uint32_t c)
{
	return (c >= 0x2010 && c <= 0x2026) || c == 0x20ac || c == 0xa0 || c == 0xab || c == 0xbb ||
	       c == 0xa9 || c == 0xae || c == 0xb0 || c == 0xbf || c == 0xa1 || c == 0xb7 ||
	       c == 0xa7 || (c >= 0x3000 && c <= 0x3011) || (c >= 0xff01 && c <= 0xff5e) ||
	       c == 0x2122 || c == 0x60c;
}

/* What a character that is not ASCII says, beside the two next to it. */
static int judge(const letters *l, uint32_t before, uint32_t c, uint32_t after)
{
	if (is_bad(c))
		return BAD;
	if (!ds_char_is_letter(c)) {
		bool inside = is_alpha(before) && is_alpha(after) && c != 0x2019 && c != 0xb7 &&
			      before < 0x2e80;
		return inside ? ODD : is_usual(c) ? GOOD : FAIR;
	}
	if (is_small(before) && ds_char_lower(c) != c)
		return ODD;
	if (c >= 0x370 &&
		((before < 0x80 && is_alpha(before)) || (after < 0x80 && is_alpha(after))))
		return c < 0x2e80
			       ? ODD
			       : FAIR; /* no word has letters of two scripts; few of Han touch Latin */
	if (is_common(l, c))
		return GOOD;
	return c >= l->low && c <= l->high ? FAIR : ODD;
}

/* The mean over what is not ASCII, a thousandth of a point the unit. */
static int64_t score(const letters *l, ds_str text)
{
	const uint8_t *p = (const uint8_t *)text.at, *end = p + text.n;
	uint32_t before = ' ', c = ' ', after;
	int64_t sum = 0, n = 0;
	while (p <= end) {
		after = ' ';
		if (p < end)
			p += ds_utf8_get(p, end, &after);
		else
			p++;
		if (c >= 0x80) {
			sum += judge(l, before, c, after);
			n++;
		}
		before = c;
		c = after;
	}
	return n ? sum * 1000 / n : 0;
}

typedef struct {
	ds_str sample;
	ds_arena *text;
	ds_charset_guess icu[DS_CHARSET_GUESSES];
	size_t n_icu;
	const char *best;
	int64_t best_score;
} contest;

static void try_charset(contest *t, const letters *l, const char *charset)
{
	ds_err ignored;
	ds_str text;
	int64_t sure = 0;
	ds_arena_reset(t->text);
	if (ds_charset_decode(&text, t->sample, charset, t->text, &ignored) != DS_OK)
		return;
	for (size_t i = 0; i < t->n_icu; i++)
		if (strcmp(t->icu[i].name, charset) == 0 && t->icu[i].confidence > sure)
			sure = t->icu[i].confidence;
	int64_t points = score(l, text) + sure * ICU_SURE;
	if (t->best && points <= t->best_score)
		return;
	t->best = charset;
	t->best_score = points;
}

const char *ds_charset_best(ds_str bytes)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(SAMPLE);
	DS_AUTO(ds_arena) text = ds_arena_new(4 * SAMPLE);
	contest t = { .sample = sample_of(bytes, mem), .text = text };
	letters *l = ds_arena_get(mem, sizeof(*l));
	t.n_icu = ds_charset_guesses(t.sample, t.icu);
	for (size_t i = 0; i < t.n_icu; i++)
		t.icu[i].name = ds_charset_named(ds_str_of(t.icu[i].name));
	for (const ds_charset_language *g = ds_charset_languages; t.sample.n && g->language; g++) {
		read_letters(l, g->common);
		for (unsigned i = 0; i < DS_CHARSETS && g->charsets[i]; i++)
			try_charset(&t, l, g->charsets[i]);
	}
	return t.best ? t.best : "windows-1252";
}
