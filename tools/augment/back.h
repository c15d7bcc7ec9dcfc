/*
 * back.h - texts as lines for a translator, and what came back as texts again
 */
#ifndef DS_AUGMENT_BACK_H
#define DS_AUGMENT_BACK_H

#include "augment.h"
#include "translate.h"

typedef struct {
	double min_chrf, max_chrf; /* how alike the result and the text must and may be */
	double ratio;              /* of their lengths in characters, either way */
	bool any_language;
} back_filter;

typedef struct back back; /* of one thread */
DS_MUST ds_rc back_new(back **x, translator *t, const back_filter *filter, ds_err *e);
void back_free(back *x);
void back_start(back *x, ds_arena *mem); /* a new block; mem is its arena */
size_t back_add(back *x, ds_str text);   /* one more text; its number from 0 */
DS_MUST ds_rc back_run(back *x, ds_err *e);
/* The text's translation; DS_OK with *why = -1, or which counter says why there is none. */
void back_get(back *x, size_t number, ds_str *text, int *why);

#endif
