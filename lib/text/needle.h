/*
 * needle.h - is a short literal in a text, at memory speed
 *
 * Two bytes of the literal that are rare in texts are compared at once over a vector; where both stand, the
 * rest is. Plain values; many threads may use one. Results are the same for every DS_CPU.
 */
#ifndef DS_TEXT_NEEDLE_H
#define DS_TEXT_NEEDLE_H

#include "base/str.h"

enum { DS_NEEDLE_MAX = 255 };
typedef struct {
	char at[DS_NEEDLE_MAX];      /* any_case: ASCII letters are small */
	uint8_t fold[DS_NEEDLE_MAX]; /* what is or-ed to a byte of the text before it is compared */
	uint8_t n, rare, other;      /* offsets of the two bytes */
} ds_needle;

/* Of a longer literal its first DS_NEEDLE_MAX bytes. n is at least 1. any_case: of ASCII letters alone. */
void ds_needle_init(ds_needle *needle, ds_str literal, bool any_case);
bool ds_needle_in(const ds_needle *needle, ds_str text);

/* needle_avx2.c: *next is where the search goes on byte by byte when nothing was found. */
bool ds_needle_in_avx2(const ds_needle *needle, ds_str text, size_t *next);

static inline bool ds_needle_is_at(const ds_needle *needle, const char *p)
{
	for (unsigned i = 0; i < needle->n; i++)
		if ((char)(p[i] | needle->fold[i]) != needle->at[i])
			return false;
	return true;
}

#endif
