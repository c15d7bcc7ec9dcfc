/*
 * mojibake.h - text that was UTF-8 and was read in another charset, read anew
 */
#ifndef DS_TEXT_MOJIBAKE_H
#define DS_TEXT_MOJIBAKE_H

#include "base/arena.h"
#include "base/str.h"

/*
 * Line by line, with the judgement of ftfy's fix_encoding: a line is touched only where it has characters
 * that do not follow one another in writing. Lines over 64 KiB, or not UTF-8, stay.
 */
ds_str ds_mojibake_fix(ds_str text, ds_arena *mem);

#endif
