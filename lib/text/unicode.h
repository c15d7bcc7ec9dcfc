/*
 * unicode.h - what ICU knows (the door is unicode_icu.c)
 *
 * Text is UTF-8 that may be invalid: bytes that are not UTF-8 pass through untouched. Any thread.
 */
#ifndef DS_TEXT_UNICODE_H
#define DS_TEXT_UNICODE_H

#include "base/arena.h"
#include "base/str.h"

/* The text in normalization form C: itself where nothing changes, else in mem. */
ds_str ds_nfc(ds_str text, ds_arena *mem);

#endif
