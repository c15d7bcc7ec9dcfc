/*
 * protect.h - what in a text is no word and must stay as it is
 *
 * Numbers, dates (2024-05-03, 3 May 2024, 2024年5月3日, 三月五日), addresses of the web and of mail, paths,
 * @names, #tags, and placeholders: {x} {{x}} ${x} $X %s %(x)s <x> [X] __x__ &x; `x`.
 */
#ifndef DS_TEXT_PROTECT_H
#define DS_TEXT_PROTECT_H

#include "base/arena.h"

typedef struct {
	size_t from, to;
	bool number; /* a number or date; else something that stands for itself */
} ds_text_span;

/* In order, apart from one another; an array in mem. */
ds_text_span *ds_protect(ds_str text, ds_arena *mem, size_t *n);

#endif
