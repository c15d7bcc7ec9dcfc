/*
 * byteset.h - where the first byte of a set is, at memory speed
 *
 * A set of byte values is looked up by two shuffles a vector, whatever the set. Plain values; many
 * threads may use one set. Results are the same for every DS_CPU.
 */
#ifndef DS_TEXT_BYTESET_H
#define DS_TEXT_BYTESET_H

#include "base/str.h"

typedef struct {
	/* Bit h & 7 of low[l] (values under 0x80) or high[l]: the byte h << 4 | l is in the set. */
	uint8_t low[16], high[16];
	uint8_t has[256]; /* the same, a byte each: for one byte at a time */
} ds_byteset;

void ds_byteset_init(ds_byteset *set); /* empty */
void ds_byteset_add(
	ds_byteset *set, unsigned first, unsigned last);     /* both included, at most 255 */
void ds_byteset_add_all(ds_byteset *set, const char *bytes); /* of a C string */
/* The offset of the first byte of s from `from` on that is in the set; s.n where there is none. */
size_t ds_byteset_find(const ds_byteset *set, ds_str s, size_t from);
/*
 * The first place from `from` on of a byte in `single`, or of two bytes in a row in `pair` (the last byte of s
 * counts as followed by one); s.n where there is none.
 */
size_t ds_byteset_find_pair(
	const ds_byteset *single, const ds_byteset *pair, ds_str s, size_t from);

#endif
