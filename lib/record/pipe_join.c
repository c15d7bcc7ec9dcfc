/*
 * pipe_join.c - small blocks joined, so that stages which drop much do not leave crumbs
 *
 * A block with less than a quarter of the usual size waits for those after it until together they
 * have that. It goes by sizes alone, in stream order, so the result does not depend on threads. A
 * larger block passes as it is, untouched columns with it. Blocks whose columns differ in type
 * are never joined: that would change the type of a column.
 */
#include "record/block_impl.h"
#include "record/pipe_impl.h"

enum { ROWS_MOST = DS_MAX_ROWS / 16 };

static bool fits(const ds_block *shape, const ds_block *b)
{
	for (uint32_t i = 0; i < b->n_cols; i++)
		for (uint32_t k = 0; k < shape->n_cols; k++)
			if (ds_str_eq(b->cols[i].name, shape->cols[k].name) &&
				b->cols[i].type != shape->cols[k].type)
				return false;
	return true;
}

static bool has(const ds_block *shape, ds_str name)
{
	for (uint32_t k = 0; k < shape->n_cols; k++)
		if (ds_str_eq(shape->cols[k].name, name))
			return true;
	return false;
}

/* How many columns a join of both would have. */
static uint32_t width(const ds_block *shape, const ds_block *b)
{
	uint32_t n = shape->n_cols;
	for (uint32_t i = 0; i < b->n_cols; i++)
		n += !has(shape, b->cols[i].name);
	return n;
}

ds_rc ds_join_flush(ds_pipe *p, ds_work *w, ds_err *e)
{
	pending *q = &p->pending;
	ds_block *all;
	if (!q->mem)
		return DS_OK;
	if (q->n == 1)
		all = q->parts[0];
	else
		DS_TRY(ds_block_join(&all, q->mem, q->parts, q->n, e));
	ds_list_add(&w->out, w, all, q->mem);
	*q = (pending){ 0 };
	return DS_OK;
}

void ds_join_free(ds_pipe *p)
{
	ds_arena_free(p->pending.mem);
}

static ds_rc wait_for_more(ds_pipe *p, ds_work *w, ds_block *b, uint64_t raw, ds_err *e)
{
	pending *q = &p->pending;
	ds_block *copy;
	if (q->mem && (!fits(q->shape, b) || q->n_rows + b->n_rows > ROWS_MOST ||
			      width(q->shape, b) > DS_MAX_COLUMNS))
		DS_TRY(ds_join_flush(p, w, e));
	if (!q->mem) {
		q->mem = ds_arena_new(4 * (raw + 1024));
		q->shape = ds_block_new(q->mem, 0);
	}
	DS_TRY(ds_block_copy(&copy, q->mem, b, NULL, b->n_rows, e));
	for (uint32_t i = 0; i < copy->n_cols; i++)
		if (!has(q->shape, copy->cols[i].name))
			ds_block_add(q->shape, &copy->cols[i]);
	if (q->n == q->cap) {
		q->cap = q->cap ? 2 * q->cap : 16;
		ds_block **more = ds_arena_get(q->mem, q->cap * sizeof(*more));
		if (q->n)
			memcpy(more, q->parts, q->n * sizeof(*more));
		q->parts = more;
	}
	q->parts[q->n++] = copy;
	q->n_rows += copy->n_rows;
	q->raw_bytes += raw;
	q->ticket = w->ticket;
	return q->raw_bytes >= p->small_bytes ? ds_join_flush(p, w, e) : DS_OK;
}

/* *kept: the block itself goes on, so its memory is still needed. */
static ds_rc pass(ds_pipe *p, ds_work *w, ds_block *b, ds_arena *own, bool *kept, ds_err *e)
{
	*kept = false;
	if (b->n_rows == 0)
		return DS_OK;
	uint64_t raw = ds_block_raw_bytes(b);
	if (raw < p->small_bytes)
		return wait_for_more(p, w, b, raw, e);
	DS_TRY(ds_join_flush(p, w, e));
	ds_list_add(&w->out, w, b, own);
	*kept = true;
	return DS_OK;
}

ds_rc ds_join_pass(ds_pipe *p, ds_work *w, ds_err *e)
{
	bool kept;
	for (outgoing *o = w->emitted.first; o; o = o->next) {
		ds_arena *own = o->own;
		if (!o->b->compressor)
			o->b->compressor = w->compressor;
		DS_TRY(pass(p, w, o->b, own, &kept, e));
		o->own = NULL;
		if (!kept)
			ds_arena_free(own);
	}
	w->emitted = (outgoing_list){ NULL, NULL };
	if (w->block && !w->swallowed)
		DS_TRY(pass(p, w, w->block, NULL, &kept, e));
	return DS_OK;
}
