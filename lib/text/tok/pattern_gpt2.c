/*
 * pattern_gpt2.c - GPT-2's pattern, also called r50k and p50k
 *
 * '(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * A piece begins where a run of one kind begins, or at the space before it; the last white space of
 * a run before something else begins a piece too, and so takes that something in if it is a space.
 */
#include "text/tok/scan.h"

/* Length of the contraction whose quote is at p (n bytes), 0: none. Case matters. */
static unsigned contraction(const uint8_t *p, size_t n)
{
	if (n < 2)
		return 0;
	if (p[1] == 's' || p[1] == 'd' || p[1] == 'm' || p[1] == 't')
		return 2;
	if (n < 3)
		return 0;
	return (p[1] == 'l' && p[2] == 'l') || ((p[1] == 'v' || p[1] == 'r') && p[2] == 'e') ? 3
											     : 0;
}

/* 's takes the place of a quote and a word: no piece at the s, but one at a letter after it. */
static void contract(ds_scan *s, unsigned w, uint64_t quotes)
{
	for (; quotes; quotes &= quotes - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(quotes) + 64 * w;
		size_t at = s->base + bit - 64;
		unsigned len = contraction(s->text + at, s->n - at);
		if (len == 0)
			continue;
		ds_mask_set(s->clear, bit + 1);
		if (at + len < s->n &&
			(s->is[DS_IS_LETTER][(bit + len) >> 6] >> ((bit + len) & 63) & 1))
			ds_mask_set(s->extra, bit + len);
	}
}

/* White space of several bytes before something else: looks at what follows each character. */
static uint64_t wide_last(const ds_scan *s, unsigned w, uint64_t leads)
{
	uint64_t last = 0;
	for (; leads; leads &= leads - 1) {
		unsigned bit = (unsigned)__builtin_ctzll(leads), len;
		size_t at = s->base + 64 * (size_t)(w - 1) + bit;
		ds_utf8_at(s->text + at, s->n - at, &len);
		at += len;
		if (at < s->n && !ds_cat_white(ds_utf8_cat(s->text + at, s->n - at, &len)))
			last |= 1ULL << bit;
	}
	return last;
}

static void starts(ds_scan *s, unsigned n_words)
{
	const uint64_t *l = s->is[DS_IS_LETTER], *d = s->is[DS_IS_DIGIT], *p = s->is[DS_IS_PUNCT];
	const uint64_t *sp = s->is[DS_IS_SPACE], *bl = s->is[DS_IS_BLANK], *li = s->is[DS_IS_LINE];
	const uint64_t *cont = s->is[DS_IS_CONT];
	for (unsigned w = 1; w <= n_words; w++) {
		uint64_t spaced = ds_mask_before(sp, w, 1), p_before = ds_mask_before(p, w, 1);
		uint64_t white = sp[w] | bl[w] | li[w];
		uint64_t white_before =
			spaced | ds_mask_before(bl, w, 1) | ds_mask_before(li, w, 1);
		uint64_t other_next =
			ds_mask_after(l, w, 1) | ds_mask_after(d, w, 1) | ds_mask_after(p, w, 1);
		uint64_t wide = white & ~cont[w] & ds_mask_after(cont, w, 1);
		uint64_t m = ((l[w] & ~ds_mask_before(l, w, 1)) |
				     (d[w] & ~ds_mask_before(d, w, 1)) | (p[w] & ~p_before)) &
			     ~spaced;
		m |= white & ~white_before;
		m |= white & ~cont[w] & ~wide & other_next;
		if (wide)
			m |= wide_last(s, w, wide);
		uint64_t quotes =
			s->is[DS_IS_QUOTE][w] & ~p_before & ~spaced & ds_mask_after(l, w, 1);
		if (quotes)
			contract(s, w, quotes);
		s->start[w] = (m & ~s->clear[w]) | s->extra[w];
	}
}

static const char *const regexes[] = {
	"'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
	"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
	"'(?:[sdmt]|ll|ve|re)| ?\\p{L}++| ?\\p{N}++| ?[^\\s\\p{L}\\p{N}]++|\\s++$|\\s+(?!\\S)|\\s",
	NULL
};
const ds_pattern ds_pattern_gpt2 = { .name = "gpt2", .regexes = regexes, .starts = starts };
