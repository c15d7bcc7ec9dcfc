/*
 * mojibake_bad_impl.h - between mojibake_bad.c, which judges, and mojibake.c, which mends
 */
#ifndef DS_TEXT_MOJIBAKE_BAD_IMPL_H
#define DS_TEXT_MOJIBAKE_BAD_IMPL_H

#include "base/str.h"
#include "text/mojibake_impl.h"

typedef struct {
	uint32_t *c;
	size_t n;
} ds_mj_line;

/* Whether some characters follow one another as they do in no writing. */
bool ds_mj_is_bad(const ds_mj_line *l);
/* false: it is not, by its bytes alone; UTF-8. */
bool ds_mj_may_be_bad(ds_str s);
/* What bytes of UTF-8 the character may have been. */
unsigned ds_mj_places(uint32_t c);

#endif
