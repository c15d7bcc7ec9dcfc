/*
 * utf8.h - one character at a time
 *
 * Strict (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef DS_TEXT_UTF8_H
#define DS_TEXT_UTF8_H

#include <stdint.h>

/* The bytes that the character at p takes, *c what it is; 0: not UTF-8 there. p < end. */
static inline unsigned ds_utf8_get(const uint8_t *p, const uint8_t *end, uint32_t *c)
{
	unsigned b = p[0];
	if (b < 0x80) {
		*c = b;
		return 1;
	}
	if (b < 0xc2 || end - p < 2 || (p[1] & 0xc0) != 0x80)
		return 0;
	if (b < 0xe0) {
		*c = (b & 0x1f) << 6 | (p[1] & 0x3f);
		return 2;
	}
	if (end - p < 3 || (p[2] & 0xc0) != 0x80)
		return 0;
	if (b < 0xf0) {
		*c = (b & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
		return *c < 0x800 || (*c >= 0xd800 && *c < 0xe000) ? 0 : 3;
	}
	if (b > 0xf4 || end - p < 4 || (p[3] & 0xc0) != 0x80)
		return 0;
	*c = (b & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 |
	     (p[3] & 0x3f);
	return *c < 0x10000 || *c > 0x10ffff ? 0 : 4;
}

/* Writes a character that is one; returns the bytes it took, at most 4. */
static inline unsigned ds_utf8_put(uint8_t *p, uint32_t c)
{
	if (c < 0x80) {
		p[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		p[0] = (uint8_t)(0xc0 | c >> 6);
		p[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		p[0] = (uint8_t)(0xe0 | c >> 12);
		p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		p[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	p[0] = (uint8_t)(0xf0 | c >> 18);
	p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	p[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

#endif
