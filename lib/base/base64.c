/*
 * base64.c - three bytes are four letters
 */
#include "base/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(uint8_t c)
{
	return c >= 'A' && c <= 'Z'   ? c - 'A'
	       : c >= 'a' && c <= 'z' ? c - 'a' + 26
	       : c >= '0' && c <= '9' ? c - '0' + 52
	       : c == '+'             ? 62
	       : c == '/'             ? 63
				      : -1;
}

size_t ds_base64_decode(char *out, ds_str s)
{
	size_t pad = 0, w = 0;
	uint32_t bits = 0;
	if (s.n % 4)
		return SIZE_MAX;
	while (pad < 2 && pad < s.n && s.at[s.n - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < s.n - pad; i++) {
		int v = value_of((uint8_t)s.at[i]);
		if (v < 0)
			return SIZE_MAX;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 == 3) {
			out[w++] = (char)(bits >> 16);
			out[w++] = (char)(bits >> 8);
			out[w++] = (char)bits;
		}
	}
	/* Bits that stand for nothing must be zero, or another text would come back. */
	if (pad == 2 && !(bits & 15)) {
		out[w++] = (char)(bits >> 4);
	} else if (pad == 1 && !(bits & 3)) {
		out[w++] = (char)(bits >> 10);
		out[w++] = (char)(bits >> 2);
	} else if (pad) {
		return SIZE_MAX;
	}
	return w;
}

size_t ds_base64_encode(char *out, ds_str s)
{
	const uint8_t *p = (const uint8_t *)s.at;
	char *w = out;
	size_t i = 0;
	for (; i + 3 <= s.n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];
		*w++ = letters[v >> 18];
		*w++ = letters[v >> 12 & 63];
		*w++ = letters[v >> 6 & 63];
		*w++ = letters[v & 63];
	}
	if (i < s.n) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < s.n ? (uint32_t)p[i + 1] << 8 : 0);
		*w++ = letters[v >> 18];
		*w++ = letters[v >> 12 & 63];
		*w++ = i + 1 < s.n ? letters[v >> 6 & 63] : '=';
		*w++ = '=';
	}
	return (size_t)(w - out);
}
