/*
 * han.h - Traditional and Simplified Chinese
 *
 * By OpenCC where its library and dictionaries are installed, which knows phrases (头发 頭髮, 发展 發展);
 * else by ICU, character by character.
 */
#ifndef DS_TEXT_HAN_H
#define DS_TEXT_HAN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

typedef struct ds_han ds_han; /* one thread's */
DS_MUST ds_rc ds_han_new(ds_han **h, bool simplify, ds_err *e);
void ds_han_free(ds_han *h);
bool ds_han_phrases(const ds_han *h); /* whether it is OpenCC */
/* The view that came in where nothing changed; what is not UTF-8 passes along. */
ds_str ds_han_convert(ds_han *h, ds_str text, ds_arena *mem);

#endif
