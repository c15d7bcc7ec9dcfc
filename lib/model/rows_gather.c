/*
 * rows_gather.c - a block's records as tokens, with something beside each
 */
#include "model/rows_impl.h"

static void *keep(ds_rows *r, const ds_buf *b)
{
	return memcpy(ds_arena_get(r->mem, b->n + 4), b->at ? b->at : "", b->n);
}

static ds_rc each_record(ds_gather *q, ds_block *b, ds_gather_fn *fn, uint32_t *off, ds_err *e)
{
	for (uint32_t i = 0; i < b->n_rows; i++) {
		DS_TRY_AT(fn(q, b, i, e), e, "%s:%llu", b->origin,
			(unsigned long long)(b->origin_record + i));
		if (q->ids.n / 4 > UINT32_MAX / 2)
			return ds_fail(
				e, DS_BAD, "%s: over 2 billion tokens in a block", b->origin);
		off[i + 1] = (uint32_t)(q->ids.n / 4);
		if (off[i + 1] - off[i] > q->r->longest)
			q->r->longest = off[i + 1] - off[i];
	}
	return DS_OK;
}

ds_rc ds_rows_gather(ds_gather *q, ds_block *b, piece *p, ds_gather_fn *fn, ds_err *e)
{
	uint32_t *off = ds_arena_zero(q->r->mem, ((size_t)b->n_rows + 1) * 4);
	ds_rc rc = each_record(q, b, fn, off, e);
	if (rc == DS_OK) {
		p->ids = (list_col){ keep(q->r, &q->ids), off, NULL, true };
		q->kept = keep(q->r, &q->beside);
		p->ready = true;
	}
	ds_buf_free(&q->ids);
	ds_buf_free(&q->beside);
	return rc;
}
