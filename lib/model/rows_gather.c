/*
 * rows_gather.c - a block's records as tokens, with something beside each
 */
#include "model/rows_impl.h"

static void *keep(ds_rows *r, const ds_buf *b)
{
	return memcpy(ds_arena_get(r->mem, b->n + 4), b->at ? b->at : "", b->n);
}

void ds_rows_kept(ds_rows *r, piece *p, const ds_block *b, const uint32_t *rows, uint32_t n)
{
	p->n_rows = n;
	if (n == b->n_rows && !b->row_of)
		return;
	uint64_t *row_of = ds_arena_get(r->mem, ((size_t)n + 1) * sizeof(*row_of));
	for (uint32_t i = 0; i < n; i++)
		row_of[i] = b->row_of ? b->row_of[rows[i]] : rows[i];
	p->row_of = row_of;
}

static ds_rc each_record(ds_gather *q, ds_block *b, ds_gather_fn *fn, uint32_t *off, uint32_t *rows,
	uint32_t *n, ds_err *e)
{
	*n = 0;
	for (uint32_t i = 0; i < b->n_rows; i++) {
		size_t ids = q->ids.n, beside = q->beside.n, types = q->types.n;
		size_t images = q->images.n;
		ds_rc rc = fn(q, b, i, e);
		if (rc == DS_BAD) {
			DS_TRY(ds_source_refuse(q->r->source, b, i, e));
			q->ids.n = ids;
			q->beside.n = beside;
			q->types.n = types;
			q->images.n = images;
			continue;
		}
		DS_TRY(rc);
		if (q->ids.n / 4 > UINT32_MAX / 2)
			return ds_fail(
				e, DS_BAD, "%s: over 2 billion tokens in a block", b->origin);
		rows[*n] = i;
		off[++*n] = (uint32_t)(q->ids.n / 4);
		if (off[*n] - off[*n - 1] > q->r->longest)
			q->r->longest = off[*n] - off[*n - 1];
	}
	return DS_OK;
}

ds_rc ds_rows_gather(ds_gather *q, ds_block *b, piece *p, ds_gather_fn *fn, ds_err *e)
{
	uint32_t *off = ds_arena_zero(q->r->mem, ((size_t)b->n_rows + 1) * 4), n;
	uint32_t *rows = ds_arena_get(b->mem, ((size_t)b->n_rows + 1) * 4);
	ds_rc rc = each_record(q, b, fn, off, rows, &n, e);
	if (rc == DS_OK) {
		ds_rows_kept(q->r, p, b, rows, n);
		p->ids = (list_col){ keep(q->r, &q->ids), off, NULL, true };
		if (q->types.n) {
			while (q->types.n < q->ids.n / 4)
				ds_buf_add_byte(&q->types, 0);
			p->types = (list_col){ keep(q->r, &q->types), off, NULL, false };
		}
		q->kept = keep(q->r, &q->beside);
		if (q->images.n)
			p->images = keep(q->r, &q->images);
		p->ready = true;
	}
	ds_buf_free(&q->ids);
	ds_buf_free(&q->beside);
	ds_buf_free(&q->types);
	ds_buf_free(&q->images);
	return rc;
}
