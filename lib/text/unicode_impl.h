/*
 * unicode_impl.h - between unicode_icu.c and the files that use it in lib/text
 */
#ifndef DS_TEXT_UNICODE_IMPL_H
#define DS_TEXT_UNICODE_IMPL_H

#include "base/str.h"

/* Adds the NFC of valid UTF-8 to out. */
void ds_icu_nfc(ds_buf *out, ds_str text);

#endif
