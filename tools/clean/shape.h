/*
 * shape.h - whether a text without a name is program text
 */
#ifndef DS_CLEAN_SHAPE_H
#define DS_CLEAN_SHAPE_H

#include "base/str.h"

/*
 * By its first 256 lines that are not empty: many more of them are statements, declarations, calls or brackets than
 * are sentences. How many blanks there are where one is does not matter.
 */
bool shape_is_code(ds_str text);

#endif
