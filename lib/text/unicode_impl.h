/*
 * unicode_impl.h - between unicode_icu.c and the files that use it in lib/text
 */
#ifndef DS_TEXT_UNICODE_IMPL_H
#define DS_TEXT_UNICODE_IMPL_H

#include "base/str.h"
#include "text/words.h"

/* Adds the NFC of valid UTF-8 to out. */
void ds_icu_nfc(ds_buf *out, ds_str text);
/* Adds the NFKC of valid UTF-8, at most 100 MB, to out; false: it was so already. */
bool ds_icu_nfkc(ds_buf *out, ds_str text);

/* ICU's transliterators between Traditional and Simplified; NULL: it has none. One thread's. */
typedef struct ds_icu_han ds_icu_han;
ds_icu_han *ds_icu_han_new(bool simplify);
void ds_icu_han_free(ds_icu_han *h);
/* The bytes written to out, which has room for that many; SIZE_MAX: it does not do. */
size_t ds_icu_han_convert(ds_icu_han *h, ds_str s, char *out, size_t most);
/* The words of a text that is all ASCII, as ICU cuts them. */
ds_piece *ds_words_ascii(ds_str text, ds_arena *mem, size_t *n);

#endif
