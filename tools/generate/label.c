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

ds_rc label_block(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	label_run *r = state;
	place at = { w, b };
	size_t n;
	const ds_opt *opts = ds_work_opts(w, &n);
	DS_TRY(ds_predict_meet(r->p, opts, n, &r->seen, e));
	return ds_predict_block(r->p, b, ds_work_field(w), ds_work_mem(w), refuse, &at, e);
}
