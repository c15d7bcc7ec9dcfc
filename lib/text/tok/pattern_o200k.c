/*
 * pattern_o200k.c - GPT-4o and gpt-oss: words are cut where small letters turn into capitals
 *
 * [^\r\n\p{L}\p{N}]?U*S+C? | [^\r\n\p{L}\p{N}]?U+S*C? | \p{N}{1,3} | ?[^\s\p{L}\p{N}]+[\r\n/]*
 * |\s*[\r\n]+|\s+(?!\S)|\s+   with U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], S = [\p{Ll}\p{Lm}\p{Lo}\p{M}]
 * and C = (?i:'s|'t|'re|'ve|'m|'ll|'d)
 *
 * The masks are those of cl100k with more letters: marks, unless they come after punctuation (scan.c). Where
 * that does not tell them apart, what is below walks characters.
 */
#include "text/tok/pattern_gpt4.h"

typedef struct {
	const uint8_t *p;
	size_t n;
} view;

static ds_cat cat_at(view v, size_t at, unsigned *len)
{
	return ds_utf8_cat(v.p + at, v.n - at, len);
}
static bool in_upper(ds_cat c)
{
	return c == DS_CAT_LU || c == DS_CAT_LT || c == DS_CAT_LM || c == DS_CAT_LO ||
	       ds_cat_mark(c);
}
static bool in_lower(ds_cat c)
{
	return c == DS_CAT_LL || c == DS_CAT_LM || c == DS_CAT_LO || ds_cat_mark(c);
}

static size_t lowers(view v, size_t at)
{
	unsigned len;
	for (;;) {
		while (at < v.n && (uint8_t)(v.p[at] - 'a') < 26)
			at++;
		if (at >= v.n || v.p[at] < 0x80 || !in_lower(cat_at(v, at, &len)))
			return at;
		at += len;
	}
}

static size_t uppers(view v, size_t at, bool *last_lower)
{
	unsigned len;
	for (; at < v.n; at += len) {
		ds_cat c = cat_at(v, at, &len);
		if (!in_upper(c))
			break;
		*last_lower = in_lower(c);
	}
	return at;
}

static size_t contracted(view v, size_t to)
{
	return to < v.n && v.p[to] == '\'' ? to + gpt4_contraction(v.p + to, v.n - to) : to;
}

/* U*S+C? from at; 0: not there. U* gives back what S+ needs: up to its last character that is in S. */
static size_t word_lower(view v, size_t at)
{
	bool last_lower = false;
	size_t end = uppers(v, at, &last_lower), to = lowers(v, end), cut = 0;
	unsigned len;
	if (to > end || (end > at && last_lower))
		return contracted(v, to);
	for (size_t k = at; k < end; k += len)
		if (in_lower(cat_at(v, k, &len)))
			cut = k + len;
	return cut ? contracted(v, cut) : 0;
}

/* U+S*C? from at, where word_lower found nothing, so that S* is empty. */
static size_t word_upper(view v, size_t at)
{
	bool last_lower;
	size_t end = uppers(v, at, &last_lower);
	return end > at ? contracted(v, end) : 0;
}

/* The word rules, each first with and then without the character before the word. */
static size_t word(view v, size_t first)
{
	size_t to = first ? word_lower(v, first) : 0;
	if (to == 0)
		to = word_lower(v, 0);
	if (to == 0 && first)
		to = word_upper(v, first);
	return to ? to : word_upper(v, 0);
}

/* \s*[\r\n]+|\s+(?!\S)|\s+ from 0, where there is white space. */
static size_t white(view v)
{
	size_t at = 0, last = 0, lines = 0;
	unsigned len;
	while (at < v.n) {
		ds_cat c = cat_at(v, at, &len);
		if (!ds_cat_white(c))
			break;
		last = at;
		at += len;
		if (c == DS_CAT_LINE)
			lines = at;
	}
	if (lines)
		return lines;
	return at == v.n || last == 0 ? at : last;
}

static size_t punctuation(view v, size_t at)
{
	unsigned len;
	for (; at < v.n; at += len) {
		ds_cat c = cat_at(v, at, &len);
		if (ds_cat_white(c) || ds_cat_letter(c) || ds_cat_number(c))
			break;
	}
	while (at < v.n && (v.p[at] == '\r' || v.p[at] == '\n' || v.p[at] == '/'))
		at++;
	return at;
}

static size_t digits(view v)
{
	size_t at = 0;
	unsigned len;
	for (int k = 0; k < 3 && at < v.n && ds_cat_number(cat_at(v, at, &len)); k++)
		at += len;
	return at;
}

static size_t next(const uint8_t *p, size_t n)
{
	view v = { p, n };
	unsigned len;
	ds_cat c = cat_at(v, 0, &len);
	bool before = c != DS_CAT_LINE && !ds_cat_letter(c) && !ds_cat_number(c) && len < n;
	size_t to = word(v, before ? len : 0);
	if (to)
		return to;
	if (ds_cat_number(c))
		return digits(v);
	if (!ds_cat_white(c))
		return punctuation(v, 0);
	if (p[0] == ' ' && n > 1) {
		ds_cat d = cat_at(v, 1, &len);
		if (!ds_cat_white(d) && !ds_cat_letter(d) && !ds_cat_number(d))
			return punctuation(v, 1);
	}
	return white(v);
}

static void starts(ds_scan *s, unsigned n_words)
{
	gpt4_starts(s, n_words, 3, false, true);
}

#define O200K_C "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
#define O200K_U "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define O200K_S "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
static const char *const regexes[] = {
	"[^\\r\\n\\p{L}\\p{N}]?" O200K_U "*" O200K_S "+" O200K_C "|[^\\r\\n\\p{L}\\p{N}]?" O200K_U
	"+" O200K_S "*" O200K_C
	"|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
	NULL
};
const ds_pattern ds_pattern_o200k = {
	.name = "o200k", .regexes = regexes, .cased = true, .starts = starts, .next = next
};
