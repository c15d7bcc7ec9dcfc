/*
 * label.c - see label.h
 */
#include "label.h"

typedef struct {
	ds_work *w;
	ds_block *b;
} place;

static ds_rc refuse(void *context, uint32_t row, const char *why, ds_err *e)
{
	place *at = context;
	return ds_work_bad(at->w, at->b, row, e, "%s", why);
}

ds_rc label_block(void *predictor, ds_work *w, ds_block *b, ds_err *e)
{
	place at = { w, b };
	return ds_predict_block(
		predictor, b, ds_work_common(w)->field, ds_work_mem(w), refuse, &at, e);
}
