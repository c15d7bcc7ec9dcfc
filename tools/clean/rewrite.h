/*
 * rewrite.h - a text with some of its parts replaced; what stays is copied in stretches
 */
#ifndef DS_CLEAN_REWRITE_H
#define DS_CLEAN_REWRITE_H

#include "text/grow.h"

typedef struct { /* { .text = text, .out.mem = arena } */
	ds_str text;
	size_t done; /* of the text */
	ds_grow out;
	bool changed;
} rewrite;

/* The n bytes from `at` on become `by`. In order, without overlaps. */
static inline void rewrite_put(rewrite *w, size_t at, size_t n, ds_str by)
{
	if (!w->changed)
		ds_grow_reserve(&w->out, w->text.n);
	w->changed = true;
	ds_grow_add(&w->out, w->text.at + w->done, at - w->done);
	ds_grow_add(&w->out, by.at, by.n);
	w->done = at + n;
}

/* The text that came where nothing was put. */
static inline ds_str rewrite_end(rewrite *w)
{
	if (!w->changed)
		return w->text;
	ds_grow_add(&w->out, w->text.at + w->done, w->text.n - w->done);
	ds_str s = ds_grow_view(&w->out);
	return s.n ? s : (ds_str){ "", 0 };
}

#endif
