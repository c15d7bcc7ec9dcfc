/*
 * pattern_deepseek.c - DeepSeek V3: three patterns one after the other, each within what the one before left
 *
 * \p{N}{1,3}, then runs of [U+4E00-9FA5 U+3040-309F U+30A0-30FF], then
 * [ASCII punctuation][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *
 * A number or a character of those ranges ends the text as far as the third is concerned. What no pattern
 * matches is a piece up to where one does.
 */
#include "text/tok/scan.h"

typedef enum { NUMBER, CJK, WORD, MARK, SYMBOL, WHITE, LINE, OTHER, END } kind;

static kind kind_at(const uint8_t *p, size_t n, size_t at, unsigned *len)
{
	*len = 0;
	if (at >= n)
		return END;
	uint32_t c = ds_utf8_at(p + at, n - at, len);
	if (c >= 0x110000)
		return OTHER;
	if ((c >= 0x4e00 && c <= 0x9fa5) || (c >= 0x3040 && c <= 0x30ff))
		return CJK;
	ds_cat k = ds_cat_of(c);
	return ds_cat_letter(k)                 ? WORD
	       : ds_cat_mark(k)                 ? MARK
	       : ds_cat_number(k)               ? NUMBER
	       : k == DS_CAT_P || k == DS_CAT_S ? SYMBOL
	       : k == DS_CAT_LINE               ? LINE
	       : k == DS_CAT_BLANK              ? WHITE
						: OTHER;
}

static bool of_word(kind k)
{
	return k == WORD || k == MARK;
}

static bool ascii_letter(uint8_t b)
{
	return (uint8_t)((b | 32) - 'a') < 26;
}

static size_t run_of(const uint8_t *p, size_t n, size_t at, kind a, kind b)
{
	for (unsigned len;; at += len) {
		kind k = kind_at(p, n, at, &len);
		if (len == 0 || (k != a && k != b))
			return at;
		for (; a == WORD && at + len < n && ascii_letter(p[at + len]); at++)
			;
	}
}

static size_t numbers(const uint8_t *p, size_t n)
{
	size_t at = 0;
	unsigned len;
	for (int i = 0; i < 3 && kind_at(p, n, at, &len) == NUMBER; i++)
		at += len;
	return at;
}

/* White space: up to its last line end, else all but its last character where something follows. */
static size_t white(const uint8_t *p, size_t n)
{
	size_t at = 0, after_line = 0, last = 0;
	unsigned len;
	kind k;
	while ((k = kind_at(p, n, at, &len)) == WHITE || k == LINE) {
		last = at;
		at += len;
		if (k == LINE)
			after_line = at;
	}
	if (after_line)
		return after_line;
	return last == 0 || k == END || k == NUMBER || k == CJK ? at : last;
}

static size_t symbols(const uint8_t *p, size_t n, size_t at)
{
	return run_of(p, n, run_of(p, n, at, SYMBOL, SYMBOL), LINE, LINE);
}

static size_t others(const uint8_t *p, size_t n)
{
	size_t at = 0;
	unsigned len, next;
	while (kind_at(p, n, at, &len) == OTHER && !of_word(kind_at(p, n, at + len, &next)))
		at += len;
	return at;
}

static size_t next(const uint8_t *p, size_t n)
{
	unsigned len, second_len;
	kind k = kind_at(p, n, 0, &len), second = kind_at(p, n, len, &second_len);
	if (k == NUMBER)
		return numbers(p, n);
	if (k == CJK)
		return run_of(p, n, 0, CJK, CJK);
	if (k == SYMBOL && p[0] < 0x80 && n > 1 && ascii_letter(p[1])) {
		size_t at = 1;
		while (at < n && ascii_letter(p[at]))
			at++;
		return at;
	}
	if (of_word(k))
		return run_of(p, n, 0, WORD, MARK);
	if ((k == WHITE || k == OTHER) && of_word(second))
		return run_of(p, n, len, WORD, MARK);
	if (k == SYMBOL || (p[0] == ' ' && second == SYMBOL))
		return symbols(p, n, k == SYMBOL ? 0 : 1);
	return k == OTHER ? others(p, n) : white(p, n);
}

static const char *const regexes[] = { "\\p{N}{1,3}",
	"[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f\xe3\x82\xa0-\xe3\x83\xbf]+",
	"[!\"#$%&'()*+,\\-./"
	":;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
	"| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
	NULL };
const ds_pattern ds_pattern_deepseek = {
	.name = "deepseek", .regexes = regexes, .sequence = true, .next = next
};
