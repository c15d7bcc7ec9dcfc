/*
 * gather.c - rank 0 asks for the parts that make wholes
 *
 * Every rank sends a list of what it has; of those that have the same part of a tensor the first is asked for it.
 */
#include "model/gather.h"

#include "base/mem.h"
#include "graph/part.h"

#include <stdlib.h>

enum { NAME_BYTES = 200, NO_MORE = -1 };

typedef struct { /* sent as it is: ranks are the same program */
	char name[NAME_BYTES];
	int32_t rank, tensor;
	ds_part part;
	bool reshaped; /* files have another shape than part.dims: */
	ds_dims stored;
} entry;

bool ds_gather_wants(const ds_tensor *t, ds_class memory)
{
	unsigned none = DS_TENSOR_VIEW | DS_TENSOR_FROZEN | DS_TENSOR_ELSEWHERE;
	return t->memory == memory && !(t->flags & none);
}

static void set_item(ds_st_item *item, const ds_dims *s, const char *name, const void *values)
{
	*item = (ds_st_item){ .name = name, .rank = s->rank, .data = values };
	for (int d = 0; d < s->rank; d++)
		item->dims[d] = s->dims[d];
}

/* ---- one process: what is there ---- */

static ds_rc view_all(
	ds_exec *x, ds_class memory, ds_arena *mem, ds_st_item *items, size_t *n, ds_err *e)
{
	const ds_graph *g = ds_exec_graph(x);
	for (ds_tid i = 1; i < g->n_tensors; i++) {
		const ds_tensor *t = &g->tensors[i];
		const void *values;
		if (!ds_gather_wants(t, memory))
			continue;
		DS_TRY(ds_exec_view(x, i, mem, &values, e));
		ds_dims s = ds_t_stored(t);
		set_item(&items[(*n)++], &s, t->name, values);
	}
	return DS_OK;
}

/* ---- lists ---- */

static ds_rc list_own(ds_exec *x, ds_class memory, entry *out, size_t *n, ds_err *e)
{
	const ds_graph *g = ds_exec_graph(x);
	for (ds_tid i = 1; i < g->n_tensors; i++) {
		const ds_tensor *t = &g->tensors[i];
		if (!ds_gather_wants(t, memory))
			continue;
		if (strlen(t->name) >= NAME_BYTES)
			return ds_fail(e, DS_BAD, "'%s': a name of over %d bytes", t->name,
				NAME_BYTES - 1);
		entry *a = &out[(*n)++];
		memset(a, 0, sizeof(*a));
		memcpy(a->name, t->name, strlen(t->name));
		a->rank = ds_world_rank(ds_exec_world(x));
		a->tensor = i;
		if (t->stored)
			a->stored = *t->stored;
		a->reshaped = t->stored != NULL;
		if (t->part) {
			a->part = *t->part;
			continue;
		}
		a->part.rank = t->rank;
		memcpy(a->part.dims, t->dims, sizeof(t->dims));
	}
	return DS_OK;
}

static int by_name_then_rank(const void *a, const void *b)
{
	const entry *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order ? order : (x->rank > y->rank) - (x->rank < y->rank);
}

/* ---- rank 0 ---- */

typedef struct {
	ds_exec *x;
	ds_world *w;
	entry *all;
	size_t n;
	void *buffer;
	size_t buffer_bytes;
} collector;

static ds_rc collect_lists(collector *c, ds_class memory, ds_arena *mem, ds_err *e)
{
	int ranks = ds_world_size(c->w);
	size_t cap = (size_t)ds_exec_graph(c->x)->n_tensors;
	entry *own = ds_arena_get(mem, cap * sizeof(*own));
	entry **lists = ds_arena_zero(mem, (size_t)ranks * sizeof(*lists));
	uint64_t *counts = ds_arena_zero(mem, (size_t)ranks * sizeof(*counts));
	size_t n = 0;
	DS_TRY(list_own(c->x, memory, own, &n, e));
	lists[0] = own;
	counts[0] = n;
	for (int k = 1; k < ranks; k++) {
		DS_TRY(ds_world_recv(c->w, k, &counts[k], sizeof(counts[k]), e));
		lists[k] = ds_arena_get(mem, counts[k] * sizeof(entry) + 1);
		DS_TRY(ds_world_recv(c->w, k, lists[k], counts[k] * sizeof(entry), e));
		n += counts[k];
	}
	c->all = ds_arena_get(mem, n * sizeof(entry) + 1);
	for (int k = 0; k < ranks; k++) {
		memcpy(c->all + c->n, lists[k], counts[k] * sizeof(entry));
		c->n += counts[k];
	}
	qsort(c->all, c->n, sizeof(entry), by_name_then_rank);
	return DS_OK;
}

/* One part into its whole. */
static ds_rc fetch(collector *c, const entry *a, void *whole, ds_err *e)
{
	size_t bytes = (size_t)ds_part_count(&a->part) * sizeof(float);
	if (bytes > c->buffer_bytes) {
		ds_mem_free(c->buffer);
		c->buffer = ds_mem_get(bytes);
		c->buffer_bytes = bytes;
	}
	if (a->rank == 0) {
		DS_TRY(ds_exec_read(c->x, a->tensor, 0, ds_part_count(&a->part), c->buffer, e));
	} else {
		DS_TRY(ds_world_send(c->w, a->rank, &a->tensor, sizeof(a->tensor), e));
		DS_TRY(ds_world_recv(c->w, a->rank, c->buffer, bytes, e));
	}
	ds_part_put(&a->part, c->buffer, whole, sizeof(float));
	return DS_OK;
}

static bool had(const entry *from, const entry *a)
{
	for (const entry *b = from; b < a; b++)
		if (ds_part_same(&b->part, &a->part))
			return true;
	return false;
}

static ds_rc collect(collector *c, ds_arena *mem, ds_st_item *items, size_t *n, ds_err *e)
{
	for (size_t i = 0, next; i < c->n; i = next) {
		const entry *first = &c->all[i];
		ds_tensor t = { .rank = first->part.rank };
		ds_dims own = { .rank = first->part.rank };
		memcpy(t.dims, first->part.dims, sizeof(t.dims));
		memcpy(own.dims, first->part.dims, sizeof(own.dims));
		float *whole = ds_arena_get(mem, (size_t)ds_t_count(&t) * sizeof(*whole));
		for (next = i; next < c->n && strcmp(c->all[next].name, first->name) == 0; next++)
			if (!had(first, &c->all[next]))
				DS_TRY(fetch(c, &c->all[next], whole, e));
		set_item(&items[(*n)++], first->reshaped ? &first->stored : &own, first->name,
			whole);
	}
	int32_t end = NO_MORE;
	for (int k = 1; k < ds_world_size(c->w); k++)
		DS_TRY(ds_world_send(c->w, k, &end, sizeof(end), e));
	return DS_OK;
}

/* ---- the others ---- */

static ds_rc serve(ds_exec *x, ds_class memory, ds_arena *mem, ds_err *e)
{
	ds_world *w = ds_exec_world(x);
	const ds_graph *g = ds_exec_graph(x);
	entry *own = ds_arena_get(mem, (size_t)g->n_tensors * sizeof(*own));
	size_t n = 0;
	DS_TRY(list_own(x, memory, own, &n, e));
	uint64_t count = n;
	DS_TRY(ds_world_send(w, 0, &count, sizeof(count), e));
	DS_TRY(ds_world_send(w, 0, own, n * sizeof(*own), e));
	for (;;) {
		int32_t t;
		DS_AUTO(ds_arena) now = ds_arena_new(1 << 16);
		const void *values;
		DS_TRY(ds_world_recv(w, 0, &t, sizeof(t), e));
		if (t == NO_MORE)
			return DS_OK;
		DS_TRY(ds_exec_view(x, t, now, &values, e));
		DS_TRY(ds_world_send(w, 0, values, ds_t_bytes(ds_g_tensor(g, t)), e));
	}
}

ds_rc ds_gather_class(
	ds_exec *x, ds_class memory, ds_arena *mem, ds_st_item **items, size_t *n, ds_err *e)
{
	ds_world *w = ds_exec_world(x);
	*n = 0;
	*items = NULL;
	ds_world_say(w, "gathering", ds_class_name(memory));
	if (ds_world_rank(w))
		return serve(x, memory, mem, e);
	if (!w) {
		size_t cap = (size_t)ds_exec_graph(x)->n_tensors;
		*items = ds_arena_zero(mem, cap * sizeof(**items));
		return view_all(x, memory, mem, *items, n, e);
	}
	collector c = { .x = x, .w = w };
	ds_rc rc = collect_lists(&c, memory, mem, e);
	if (rc == DS_OK) {
		*items = ds_arena_zero(mem, (c.n + 1) * sizeof(**items));
		rc = collect(&c, mem, *items, n, e);
	}
	ds_mem_free(c.buffer);
	return rc;
}
