/*
 * pattern_gpt4.h - what the patterns cl100k, llama3 and qwen2 have in common
 *
 * (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*
 * |\s*[\r\n]+|\s+(?!\S)|\s+
 *
 * They differ in how many digits make a piece and in whether white space at the text's end is one
 * piece whatever is in it; pattern_o200k.c, the cased one, says what else it has. Rules as masks: a word takes in the blank before it, or the punctuation
 * mark if that is a run of one and has no space before itself; punctuation takes in a space before
 * and line ends after it; white space goes up to its last line end, then all but its last blank.
 */
#ifndef DS_TEXT_TOK_PATTERN_GPT4_H
#define DS_TEXT_TOK_PATTERN_GPT4_H

#include "text/tok/scan.h"

/* Length of the contraction whose quote is at p, 0: none. Any case; U+017F is a small s, too. */
static inline unsigned gpt4_contraction(const uint8_t *p, size_t n)
{
	if (n < 2)
		return 0;
	uint8_t a = p[1] | 32;
	if (p[1] < 0x80 && (a == 's' || a == 'd' || a == 'm' || a == 't'))
		return 2;
	if (n < 3)
		return 0;
	if (p[1] == 0xc5 && p[2] == 0xbf)
		return 3;
	uint8_t b = p[2] | 32;
	if (p[1] >= 0x80 || p[2] >= 0x80)
		return 0;
	return (a == 'l' && b == 'l') || ((a == 'v' || a == 'r') && b == 'e') ? 3 : 0;
}

/* Letters that go on after 's and the like are a piece of their own. */
static inline void gpt4_contract(ds_scan *s, unsigned w, uint64_t quotes)
{
	for (; quotes; quotes &= quotes - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(quotes) + 64 * w;
		size_t at = s->base + bit - 64;
		unsigned to = bit + gpt4_contraction(s->text + at, s->n - at);
		if (to > bit && (s->is[DS_IS_LETTER][to >> 6] >> (to & 63) & 1))
			ds_mask_set(s->extra, to);
	}
}

/* Blanks after a line end begin a piece unless another line end follows in the same white space. */
static inline uint64_t gpt4_indents(const ds_scan *s, unsigned w, uint64_t blanks, bool whole_tail)
{
	uint64_t m = 0;
	for (; blanks; blanks &= blanks - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(blanks), len;
		size_t at = s->base + 64 * (size_t)(w - 1) + bit;
		ds_cat c = DS_CAT_BLANK;
		while (at < s->n && c == DS_CAT_BLANK) {
			c = ds_utf8_cat(s->text + at, s->n - at, &len);
			at += len;
		}
		if (c == DS_CAT_BLANK ? !whole_tail : c != DS_CAT_LINE)
			m |= 1ULL << bit;
	}
	return m;
}

/* Blanks of several bytes before something that is not white space. */
static inline uint64_t gpt4_wide_last(const ds_scan *s, unsigned w, uint64_t leads)
{
	uint64_t m = 0;
	for (; leads; leads &= leads - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(leads), len;
		size_t at = s->base + 64 * (size_t)(w - 1) + bit;
		ds_utf8_at(s->text + at, s->n - at, &len);
		at += len;
		if (at < s->n && !ds_cat_white(ds_utf8_cat(s->text + at, s->n - at, &len)))
			m |= 1ULL << bit;
	}
	return m;
}

/* Digits in threes, counted from the run's first; the count goes on across words. */
static inline uint64_t gpt4_threes(ds_scan *s, unsigned w, uint64_t digits, uint64_t goes_on)
{
	uint64_t m = 0;
	for (; digits; digits &= digits - 1) {
		uint64_t bit = digits & -digits;
		s->run = goes_on & bit ? (s->run + 1) % 3 : 0;
		if (s->run == 0)
			m |= bit;
	}
	return m;
}

/* Single punctuation marks at `lone` (their first bytes, for words w - 1 and w): where they end. */
static inline uint64_t gpt4_after_lone(const uint64_t *lone, const uint64_t *cont, unsigned w)
{
	uint64_t c1 = ds_mask_before(cont, w, 1), c2 = ds_mask_before(cont, w, 2);
	uint64_t m = ds_mask_before(lone, w, 1) & ~cont[w];
	if (!(cont[w] | cont[w - 1]))
		return m;
	m |= ds_mask_before(lone, w, 2) & ~cont[w] & c1;
	m |= ds_mask_before(lone, w, 3) & ~cont[w] & c1 & c2;
	return m | (ds_mask_before(lone, w, 4) & ~cont[w] & c1 & c2 & ds_mask_before(cont, w, 3));
}

/* Cased: a contraction ends the word that it comes after. The quotes are those between letters. */
static inline void gpt4_contract_cased(ds_scan *s, unsigned w, uint64_t quotes)
{
	for (; quotes; quotes &= quotes - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(quotes) + 64 * w;
		size_t at = s->base + bit - 64;
		unsigned len = gpt4_contraction(s->text + at, s->n - at), to = bit + len;
		if (len == 0 || at == s->contracted)
			continue;
		for (unsigned i = bit; i < to; i++)
			ds_mask_set(s->clear, i);
		if (s->is[DS_IS_LETTER][to >> 6] >> (to & 63) & 1)
			ds_mask_set(s->extra, to);
		s->contracted = at + len;
	}
}

/* Of capitals after letters without case, those from where on there are only capitals in the word. */
static inline uint64_t gpt4_capitals(const ds_scan *s, unsigned w, uint64_t firsts)
{
	uint64_t m = 0;
	for (; firsts; firsts &= firsts - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(firsts), len = 0;
		size_t at = s->base + 64 * (size_t)(w - 1) + bit;
		ds_cat c = DS_CAT_LU;
		while (at < s->n && (c == DS_CAT_LU || c == DS_CAT_LT)) {
			c = ds_utf8_cat(s->text + at, s->n - at, &len);
			at += len;
		}
		if (!ds_cat_mark(c) && (!ds_cat_letter(c) || c == DS_CAT_LU || c == DS_CAT_LT))
			m |= 1ULL << bit;
	}
	return m;
}

/*
 * Cased: where words are cut. A word is capitals, then small letters; those without case are of both, and
 * so small once a small one came before them. The last of them that has only capitals after it ends a word.
 */
static inline uint64_t gpt4_cased(ds_scan *s, unsigned w, uint64_t quotes)
{
	const uint64_t *l = s->is[DS_IS_LETTER], *up = s->is[DS_IS_UPPER], *lo = s->is[DS_IS_LOWER];
	quotes &= ds_mask_before(l, w, 1);
	if (quotes)
		gpt4_contract_cased(s, w, quotes);
	uint64_t both = l[w] & ~up[w] & ~lo[w];
	uint64_t first = both & (lo[w] << 1 | s->small >> 63) & ~s->extra[w];
	uint64_t small = lo[w] | first | (both & ~(both + first));
	uint64_t small_before = small << 1 | s->small >> 63;
	uint64_t capitals = up[w] & ~s->is[DS_IS_CONT][w];
	uint64_t odd = capitals & ds_mask_before(l, w, 1) & ~ds_mask_before(up, w, 1) &
		       ~small_before & ~s->extra[w];
	s->small = small;
	return (capitals & small_before) | (odd ? gpt4_capitals(s, w, odd) : 0);
}

static inline __attribute__((always_inline)) void gpt4_starts(
	ds_scan *s, unsigned n_words, unsigned digits_a_piece, bool whole_tail, bool cased)
{
	const uint64_t *l = s->is[DS_IS_LETTER], *d = s->is[DS_IS_DIGIT], *p = s->is[DS_IS_PUNCT];
	const uint64_t *sp = s->is[DS_IS_SPACE], *bl = s->is[DS_IS_BLANK], *li = s->is[DS_IS_LINE];
	const uint64_t *cont = s->is[DS_IS_CONT];
	uint64_t lone[DS_SCAN_WORDS + 2], marks[DS_SCAN_WORDS + 2];
	marks[0] = cased ? p[0] & ~s->attached[0] : p[0];
	lone[0] = marks[0] & ~cont[0] & ~(marks[0] << 1) & ~(sp[0] << 1);
	for (unsigned w = 1; w <= n_words; w++) {
		uint64_t sp_before = ds_mask_before(sp, w, 1);
		uint64_t li_before = ds_mask_before(li, w, 1), blank = sp[w] | bl[w];
		uint64_t blank_before = sp_before | ds_mask_before(bl, w, 1);
		uint64_t other_next =
			ds_mask_after(l, w, 1) | ds_mask_after(d, w, 1) | ds_mask_after(p, w, 1);

		/* Line ends right after punctuation, and all that follow those: a carry runs through. */
		uint64_t ends = cased ? li[w] | s->is[DS_IS_SLASH][w] : li[w];
		uint64_t first =
			(li[w] & ds_mask_before(p, w, 1)) | (ends & s->attached[w - 1] >> 63);
		s->attached[w] = first | (ends & ~(ends + first));
		uint64_t at_before = s->attached[w] << 1 | s->attached[w - 1] >> 63;

		marks[w] = cased ? p[w] & ~s->attached[w] : p[w];
		uint64_t p_first = marks[w] & ~ds_mask_before(marks, w, 1) & ~sp_before;
		lone[w] = p_first & ~cont[w];

		uint64_t m = l[w] & ~ds_mask_before(l, w, 1) & ~blank_before &
			     ~gpt4_after_lone(lone, cont, w);
		m |= p_first;
		m |= (blank | (li[w] & ~s->attached[w])) & ~cont[w] &
		     (~(blank_before | li_before) | at_before);
		uint64_t wide = blank & ~cont[w] & ds_mask_after(cont, w, 1);
		m |= blank & ~cont[w] & ~wide & other_next;
		if (wide)
			m |= gpt4_wide_last(s, w, wide);
		uint64_t indents = blank & li_before & ~at_before;
		if (indents)
			m |= gpt4_indents(s, w, indents, whole_tail);
		if (d[w])
			m |= digits_a_piece == 1
				     ? d[w] & ~cont[w]
				     : gpt4_threes(s, w, d[w] & ~cont[w], ds_mask_before(d, w, 1));
		uint64_t quotes = s->is[DS_IS_QUOTE][w] & ds_mask_after(l, w, 1);
		if (cased) {
			m |= gpt4_cased(s, w, quotes);
			m &= ~s->clear[w];
		} else if (quotes & p_first) {
			gpt4_contract(s, w, quotes & p_first);
		}
		s->start[w] = m | s->extra[w];
	}
}

#endif
