/*
 * blank.h - blanks, line ends and the first look at a text for --space
 */
#ifndef DS_CLEAN_BLANK_H
#define DS_CLEAN_BLANK_H

#include "base/str.h"
#include "text/byteset.h"

/* The bytes of the blank at p, 0: none. Space, tab and Unicode's space separators. */
static inline unsigned blank(const uint8_t *p, const uint8_t *end)
{
	if (*p == ' ' || *p == '\t')
		return 1;
	if (*p < 0xc2 || *p > 0xe3 || end - p < 2)
		return 0;
	if (*p == 0xc2)
		return p[1] == 0xa0 ? 2 : 0;
	if (end - p < 3)
		return 0;
	if (*p == 0xe2) /* U+2000 to U+200A, U+202F, U+205F */
		return (p[1] == 0x80 && ((p[2] >= 0x80 && p[2] <= 0x8a) || p[2] == 0xaf)) ||
				       (p[1] == 0x81 && p[2] == 0x9f)
			       ? 3
			       : 0;
	if (*p == 0xe3)
		return p[1] == 0x80 && p[2] == 0x80 ? 3 : 0;
	return *p == 0xe1 && p[1] == 0x9a && p[2] == 0x80 ? 3 : 0;
}

/* The bytes of the line end at p, 0: none. LF, CR LF, CR, U+2028 and U+2029. */
static inline unsigned line_end(const uint8_t *p, const uint8_t *end)
{
	if (*p == '\n')
		return 1;
	if (*p == '\r')
		return end - p > 1 && p[1] == '\n' ? 2 : 1;
	if (*p == 0xe2 && end - p > 2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
		return 3;
	return 0;
}

extern const uint8_t blank_look[256]; /* 1: a blank or line end may begin with that byte */

/* A byte of a text that is beside no blank and no line end, or is one of these alone, stays as it is. */
typedef struct {
	ds_byteset single; /* to be looked at wherever they are: leads of wide blanks, CR */
	ds_byteset pair;   /* only where two are in a row: all that look has */
	ds_byteset mark;   /* what begins lines that are read by themselves (lines.h) */
} blank_quick;

void blank_quick_init(blank_quick *q);
/* The next place from i on that is to be looked at, which begins a run if it is part of one; all before it stays. */
static inline size_t blank_skip(const blank_quick *q, ds_str s, size_t i)
{
	return ds_byteset_find_pair(&q->single, &q->pair, s, i);
}

typedef struct {
	const uint8_t *at, *end;
	unsigned n;      /* bytes of the first one; 0: there is none */
	unsigned tabs;   /* how many are */
	bool mixed, one; /* several kinds; not more than one */
} blank_run;

/* The blanks from p on. */
static inline blank_run blank_take(const uint8_t *p, const uint8_t *end)
{
	blank_run b = { .at = p, .one = true };
	for (unsigned n; p < end && blank_look[*p] && (n = blank(p, end)); p += n) {
		b.one = b.n == 0;
		if (!b.n)
			b.n = n;
		else if (n != b.n || memcmp(p, b.at, n) != 0)
			b.mixed = true;
		b.tabs += *p == '\t';
	}
	b.end = p;
	return b;
}

/*
 * The offset of the first place that may have to change, s.n where there is none: a blank before a line end,
 * a CR, a separator, a third line end in a row, any at the ends of the text; a run of blanks where `all`, else
 * one that is not at a line's beginning and not of tabs alone.
 */
size_t blank_first_change(const blank_quick *q, ds_str s, bool all);

#endif
