/*
 * category.h - what kind of character a code point is, as tokenizer patterns see it
 *
 * A two-stage table of constant data, so a program that tokenizes starts without building one. Its
 * Unicode version is part of every tokenizer that is trained or encoded with here.
 */
#ifndef DS_TEXT_TOK_CATEGORY_H
#define DS_TEXT_TOK_CATEGORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {       /* the numbers are in category_data.c */
	DS_CAT_NONE, /* unassigned, surrogates, and bytes that are not UTF-8 */
	DS_CAT_LU,
	DS_CAT_LL,
	DS_CAT_LT,
	DS_CAT_LM,
	DS_CAT_LO,
	DS_CAT_MN,
	DS_CAT_MC,
	DS_CAT_ME,
	DS_CAT_ND,
	DS_CAT_NL,
	DS_CAT_NO,
	DS_CAT_P,
	DS_CAT_S,
	DS_CAT_14,    /* not used */
	DS_CAT_BLANK, /* White_Space but for CR and LF */
	DS_CAT_LINE,  /* CR and LF */
	DS_CAT_CC,
	DS_CAT_CF,
	DS_CAT_CO,
} ds_cat;

extern const char ds_cat_unicode[]; /* "15.0" */
extern const uint8_t ds_cat_stage[0x110000 / 128];
extern const uint8_t ds_cat_block[];

static inline ds_cat ds_cat_of(uint32_t c) /* c <= 0x10ffff */
{
	return (ds_cat)ds_cat_block[ds_cat_stage[c >> 7] * 128 + (c & 127)];
}
static inline bool ds_cat_letter(ds_cat c)
{
	return c >= DS_CAT_LU && c <= DS_CAT_LO;
}
static inline bool ds_cat_mark(ds_cat c)
{
	return c >= DS_CAT_MN && c <= DS_CAT_ME;
}
static inline bool ds_cat_number(ds_cat c)
{
	return c >= DS_CAT_ND && c <= DS_CAT_NO;
}
static inline bool ds_cat_white(ds_cat c)
{
	return c == DS_CAT_BLANK || c == DS_CAT_LINE;
}

/*
 * The character that begins at p (n > 0 bytes are there) and its length. A byte that begins no
 * well-formed sequence is a character of its own: *len = 1 and the value is 0x110000 + the byte.
 */
static inline uint32_t ds_utf8_at(const uint8_t *p, size_t n, unsigned *len)
{
	uint32_t b = p[0];
	*len = 1;
	if (b < 0x80)
		return b;
	if (b >= 0xc2 && b < 0xe0 && n > 1 && (p[1] & 0xc0) == 0x80) {
		*len = 2;
		return (b & 31) << 6 | (p[1] & 63);
	}
	if (b >= 0xe0 && b < 0xf0 && n > 2 && (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80) {
		uint32_t c = (b & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (p[2] & 63);
		if (c >= 0x800 && (c < 0xd800 || c > 0xdfff)) {
			*len = 3;
			return c;
		}
	}
	if (b >= 0xf0 && b < 0xf5 && n > 3 && (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80 &&
		(p[3] & 0xc0) == 0x80) {
		uint32_t c = (b & 7) << 18 | (uint32_t)(p[1] & 63) << 12 |
			     (uint32_t)(p[2] & 63) << 6 | (p[3] & 63);
		if (c >= 0x10000 && c <= 0x10ffff) {
			*len = 4;
			return c;
		}
	}
	return 0x110000 + b;
}
/* Its category; bytes that are not UTF-8 have none. */
static inline ds_cat ds_utf8_cat(const uint8_t *p, size_t n, unsigned *len)
{
	uint32_t c = ds_utf8_at(p, n, len);
	return c < 0x110000 ? ds_cat_of(c) : DS_CAT_NONE;
}

#endif
