/*
 * pattern_bert.c - BERT: words between blanks; punctuation marks and Chinese characters alone
 *
 * A piece takes in the one space before it, so that " the" is one look-up; wordpiece.c leaves it out.
 * Other white space is a piece that gives no token. Control characters go away inside a word.
 */
#include "text/tok/wordpiece.h"

enum { SPACE, WORD, MARK };

static unsigned kind_at(const uint8_t *p, size_t n, unsigned *len)
{
	uint32_t c = ds_utf8_at(p, n, len);
	if (c >= 0x110000)
		return WORD;
	if (wp_is_white(c))
		return SPACE;
	return wp_is_mark(c) || wp_is_chinese(c) ? MARK : WORD;
}

static size_t next(const uint8_t *p, size_t n)
{
	unsigned len, kind = kind_at(p, n, &len);
	size_t at = len;
	if (p[0] == ' ' && n > 1) {
		kind = kind_at(p + 1, n - 1, &len);
		at = kind == SPACE ? 1 : 1 + len;
	}
	if (kind == MARK)
		return at;
	while (at < n) {
		if ((uint8_t)((p[at] | 32) - 'a') < 26 && kind == WORD) {
			at++;
			continue;
		}
		if (kind_at(p + at, n - at, &len) != kind || (kind == SPACE && p[at] == ' '))
			break;
		at += len;
	}
	return at;
}

static const char *const regexes[] = { NULL };
const ds_pattern ds_pattern_bert = {
	.name = "bert", .regexes = regexes, .words = true, .next = next
};
const ds_pattern ds_pattern_bert_cased = {
	.name = "bert-cased", .regexes = regexes, .words = true, .next = next
};
