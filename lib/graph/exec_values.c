/*
 * exec_values.c - what is in an executor's tensors: read, written, drawn at random
 *
 * Where the host sees the device's memory, nothing is copied that need not be.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "graph/exec_impl.h"
#include "graph/op.h"
#include "graph/part.h"

#include <assert.h>

static const ds_tensor *tensor(const ds_exec *x, ds_tid t)
{
	assert(t > 0 && t < x->g->n_tensors);
	return &x->g->tensors[t];
}

void *ds_exec_map(ds_exec *x, ds_tid t)
{
	return t > 0 && t < x->g->n_tensors && x->at[t] ? x->backend->map(x->device, x->at[t])
							: NULL;
}

void *ds_exec_input(ds_exec *x, ds_tid t)
{
	assert(tensor(x, t)->memory == DS_CLASS_IN);
	x->inputs_given = true;
	return x->inputs ? x->inputs + x->plan.offsets[t] : ds_exec_map(x, t);
}

/* ---- rows by rows ---- */

typedef struct { /* elements that lie together, in the tensor and on the host */
	int64_t from, n;
} stretch;

/* The stretch that begins at element `at`, of those up to `end`: all of them, or the rest of a row. */
static stretch next(const ds_tensor *t, int64_t at, int64_t end)
{
	int64_t cols = ds_t_cols(t);
	if (t->ld == cols)
		return (stretch){ at, end - at };
	int64_t row = at / cols, left = cols - at % cols;
	return (stretch){ row * t->ld + at % cols, left < end - at ? left : end - at };
}

ds_rc ds_exec_read(ds_exec *x, ds_tid id, int64_t from, int64_t n, void *to, ds_err *e)
{
	const ds_tensor *t = tensor(x, id);
	size_t size = ds_dtype_bytes(t->dtype);
	for (int64_t at = from; at < from + n;) {
		stretch s = next(t, at, from + n);
		DS_TRY(x->backend->read(x->device, (char *)to + (size_t)(at - from) * size,
			x->at[id] + (size_t)s.from * size, (size_t)s.n * size, e));
		at += s.n;
	}
	return DS_OK;
}

ds_rc ds_exec_write(ds_exec *x, ds_tid id, int64_t from, int64_t n, const void *values, ds_err *e)
{
	const ds_tensor *t = tensor(x, id);
	size_t size = ds_dtype_bytes(t->dtype);
	for (int64_t at = from; at < from + n;) {
		stretch s = next(t, at, from + n);
		DS_TRY(x->backend->write(x->device, x->at[id] + (size_t)s.from * size,
			(const char *)values + (size_t)(at - from) * size, (size_t)s.n * size, e));
		at += s.n;
	}
	return DS_OK;
}

/* The memory itself where the host sees it and rows lie side by side. */
static void *dense(ds_exec *x, ds_tid id)
{
	const ds_tensor *t = tensor(x, id);
	return t->ld == ds_t_cols(t) ? ds_exec_map(x, id) : NULL;
}

ds_rc ds_exec_view(ds_exec *x, ds_tid id, ds_arena *mem, const void **at, ds_err *e)
{
	const ds_tensor *t = tensor(x, id);
	DS_TRY(x->backend->sync(x->device, e));
	*at = dense(x, id);
	if (*at)
		return DS_OK;
	void *copy = ds_arena_get(mem, ds_t_bytes(t));
	*at = copy;
	return ds_exec_read(x, id, 0, ds_t_count(t), copy, e);
}

/* fn sees the whole; what is this rank's is taken out of it. */
static ds_rc fill_part(ds_exec *x, ds_tid id, ds_exec_fill_fn *fn, void *context, ds_err *e)
{
	const ds_tensor *t = tensor(x, id), whole = ds_t_whole(t);
	size_t size = ds_dtype_bytes(t->dtype);
	char *all = ds_mem_get(ds_t_bytes(&whole)), *mine = ds_mem_get(ds_t_bytes(t));
	ds_rc rc = fn(context, &whole, all, e);
	if (rc == DS_OK) {
		ds_part_take(t->part, mine, all, size);
		rc = ds_exec_write(x, id, 0, ds_t_count(t), mine, e);
	}
	ds_mem_free(all);
	ds_mem_free(mine);
	return rc;
}

ds_rc ds_exec_fill(ds_exec *x, ds_tid id, ds_exec_fill_fn *fn, void *context, ds_err *e)
{
	const ds_tensor *t = tensor(x, id);
	if (t->flags & DS_TENSOR_ELSEWHERE)
		return DS_OK;
	if (t->part)
		return fill_part(x, id, fn, context, e);
	void *buffer = dense(x, id);
	if (buffer)
		return fn(context, t, buffer, e);
	buffer = ds_mem_get(ds_t_bytes(t));
	ds_rc rc = fn(context, t, buffer, e);
	if (rc == DS_OK)
		rc = ds_exec_write(x, id, 0, ds_t_count(t), buffer, e);
	ds_mem_free(buffer);
	return rc;
}

/* ---- weights at random ---- */

/* Elements 2k and 2k + 1, in pairs since normal numbers come so. */
static void draw(const ds_init *init, ds_rng rng, uint64_t k, double out[2])
{
	out[0] = out[1] =
		init->kind == DS_INIT_SAME ? (double)init->scale : init->kind == DS_INIT_ONE;
	if (init->kind == DS_INIT_NORMAL)
		ds_rng_normals(rng, k, out);
	for (unsigned i = 0; i < 2 && init->kind == DS_INIT_UNIFORM; i++)
		out[i] = 2 * ds_rng_unit(rng, 2 * k + i) - 1;
	if (init->kind == DS_INIT_NORMAL || init->kind == DS_INIT_UNIFORM)
		for (unsigned i = 0; i < 2; i++)
			out[i] *= init->scale;
}

typedef struct {
	const ds_tensor *t;
	void *data;
	ds_rng rng;
} drawing;

enum { DRAW_TILE = 1 << 14 }; /* even */

static void draw_tile(void *context, size_t task, unsigned worker)
{
	const drawing *f = context;
	int64_t n = ds_t_count(f->t), from = (int64_t)task * DRAW_TILE;
	int64_t to = from + DRAW_TILE < n ? from + DRAW_TILE : n;
	double v[2] = { 0, 0 };
	for (int64_t i = from; i < to; i++) {
		if (i % 2 == 0)
			draw(&f->t->init, f->rng, (uint64_t)i / 2, v);
		if (f->t->dtype == DS_F64)
			((double *)f->data)[i] = (float)v[i % 2];
		else
			((float *)f->data)[i] = (float)v[i % 2];
	}
}

typedef struct {
	ds_pool *pool;
	uint64_t seed;
} drawer;

static ds_rc draw_tensor(void *context, const ds_tensor *t, void *elements, ds_err *e)
{
	const drawer *d = context;
	drawing f = { t, elements, ds_rng_of(d->seed, ds_hash64(t->name, strlen(t->name))) };
	ds_pool_run(d->pool, (size_t)((ds_t_count(t) + DRAW_TILE - 1) / DRAW_TILE), draw_tile, &f);
	return DS_OK;
}

ds_rc ds_exec_init(ds_exec *x, uint64_t seed, ds_err *e)
{
	drawer d = { x->device->pool, seed };
	for (ds_tid t = 1; t < x->g->n_tensors; t++)
		if (x->g->tensors[t].memory == DS_CLASS_PARAM && !x->g->tensors[t].base)
			DS_TRY(ds_exec_fill(x, t, draw_tensor, &d, e));
	return DS_OK;
}
