/*
 * units_impl.h - the property table behind ngram.c, in two stages of 64 characters
 *
 * An entry is: class (0 separates, 1 belongs to a run, 2 is a unit by itself), 4 white space, 8 may
 * change under NFC, and from bit 4 on the number of the difference to the lower-case character.
 */
#ifndef DS_TEXT_UNITS_IMPL_H
#define DS_TEXT_UNITS_IMPL_H

#include <stdint.h>

enum { DS_UNITS_SHIFT = 6 };
extern const uint16_t ds_units_stage1[17408], ds_units_stage2[21120];
extern const int32_t ds_units_delta[82];

#endif
