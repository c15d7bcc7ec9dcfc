/*
 * units_impl.h - the property table behind ngram.c, in two stages of 64 characters
 *
 * An entry is: class (0 separates, 1 belongs to a run, 2 is a unit by itself, 3 is one and a symbol), 4 white space, 8 may
 * change under NFC, and from bit 4 on the number of the difference to the lower-case character.
 */
#ifndef DS_TEXT_UNITS_IMPL_H
#define DS_TEXT_UNITS_IMPL_H

#include <stdint.h>

enum {
	DS_UNITS_SHIFT = 6,
	DS_UNITS_CLASS = 3,
	DS_UNITS_SPACE = 4,
	DS_UNITS_UNSTABLE = 8,
	DS_UNITS_DELTA = 4
};
extern const uint16_t ds_units_stage1[17408], ds_units_stage2[24320];
extern const int32_t ds_units_delta[82];

static inline unsigned ds_units_entry(uint32_t c) /* c <= 0x10ffff */
{
	unsigned block = ds_units_stage1[c >> DS_UNITS_SHIFT];
	return ds_units_stage2[block << DS_UNITS_SHIFT | (c & ((1u << DS_UNITS_SHIFT) - 1))];
}

static inline uint32_t ds_units_lower(uint32_t c, unsigned entry)
{
	return (uint32_t)((int32_t)c + ds_units_delta[entry >> DS_UNITS_DELTA]);
}

#endif
