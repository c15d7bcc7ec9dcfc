/*
 * batch.c - buffers of a record batch, and the arrays over them (Message.fbs of Apache Arrow)
 */
#include "record/arrow/batch.h"

#include "base/codec_block.h"
#include "base/mem.h"

enum { LZ4_FRAME = 0, ZSTD = 1 };

static ds_rc damaged(ds_err *e, const char *what)
{
	return ds_fail(e, DS_SHORT, "damaged: %s", what);
}

ds_rc ds_ar_batch_open(ds_ar_batch **out, const ds_ar_field *fields, ds_flat flat, ds_flat_table t,
	ds_str body, void *const owned[2], ds_err *e)
{
	ds_arena *mem = ds_arena_new(4096);
	ds_ar_batch *b = *out = ds_arena_zero(mem, sizeof(*b));
	b->mem = mem;
	b->fields = fields;
	b->flat = flat;
	b->body = body;
	b->owned[0] = owned[0];
	b->owned[1] = owned[1];
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->changed, NULL);
	t.f = &b->flat;
	b->n_rows = ds_flat_int(t, 0, 8, 0);
	b->nodes = ds_flat_list(t, 1, 16);
	b->buffers = ds_flat_list(t, 2, 16);
	b->variadic = ds_flat_list(t, 4, 8);
	ds_flat_table packed = ds_flat_child(t, 3);
	b->codec = packed.at ? (int)ds_flat_int(packed, 0, 1, 0) : -1;
	if (b->flat.failed || b->n_rows < 0)
		return damaged(e, "a record batch");
	if (b->codec > ZSTD)
		return ds_fail(e, DS_BAD, "compression %d is not known", b->codec);
	b->left = (uint64_t)b->n_rows;
	b->plain = ds_arena_zero(mem, (b->buffers.n + 1) * sizeof(*b->plain));
	b->own = ds_arena_zero(mem, (b->buffers.n + 1) * sizeof(*b->own));
	return DS_OK;
}

void ds_ar_batch_free(ds_ar_batch *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->buffers.n && b->own; i++)
		ds_mem_free(b->own[i]);
	for (size_t i = 0; i < b->n_dictionaries; i++)
		ds_ar_dictionary_drop(b->dictionaries[i]);
	if (b->live)
		__atomic_sub_fetch(b->live, b->counted, __ATOMIC_RELAXED);
	ds_mem_free(b->owned[0]);
	ds_mem_free(b->owned[1]);
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->changed);
	ds_arena_free(b->mem);
}

void ds_ar_dictionary_drop(ds_ar_dictionary *d)
{
	while (d && --d->refs == 0) {
		ds_ar_dictionary *before = d->before;
		ds_ar_batch_free(d->batch);
		ds_mem_free(d);
		d = before;
	}
}

const ds_ar_dictionary *ds_ar_batch_dictionary(const ds_ar_batch *b, int64_t id)
{
	for (size_t i = 0; i < b->n_dictionaries; i++)
		if (b->dictionaries[i]->id == id)
			return b->dictionaries[i];
	return NULL;
}

static ds_rc decompress(ds_ar_batch *b, size_t i, ds_str in, ds_compressor *compressor, ds_err *e)
{
	int64_t size;
	if (in.n < 8)
		return damaged(e, "a compressed buffer");
	memcpy(&size, in.at, 8);
	in = (ds_str){ in.at + 8, in.n - 8 };
	if (size == -1) { /* is not compressed after all */
		b->plain[i] = in;
		return DS_OK;
	}
	uint64_t live = __atomic_load_n(b->live, __ATOMIC_RELAXED);
	if (size < 0 || (uint64_t)size > b->limit || live + (uint64_t)size > b->limit)
		return ds_fail(e, DS_BAD,
			"buffers of over %llu bytes at a time; --max-record sets four times the "
			"limit",
			(unsigned long long)b->limit);
	__atomic_add_fetch(b->live, (uint64_t)size, __ATOMIC_RELAXED);
	__atomic_add_fetch(&b->counted, (uint64_t)size, __ATOMIC_RELAXED);
	b->own[i] = ds_mem_get((size_t)size + 64);
	b->plain[i] = (ds_str){ b->own[i], (size_t)size };
	return ds_block_decompress(b->codec == LZ4_FRAME ? DS_BLOCK_LZ4_FRAME : DS_BLOCK_ZSTD,
		compressor, in, b->own[i], (size_t)size, e);
}

static ds_rc take_buffer(ds_ar_batch *b, size_t i, ds_compressor *compressor, ds_err *e)
{
	ds_flat flat = b->flat; /* its own failure: several threads are here */
	ds_flat_vector v = { &flat, b->buffers.at, b->buffers.n };
	int64_t at = ds_flat_list_int(v, i, 16, 0, 8), n = ds_flat_list_int(v, i, 16, 8, 8);
	if (at < 0 || n < 0 || (uint64_t)at > b->body.n || (uint64_t)n > b->body.n - (uint64_t)at)
		return damaged(e, "a buffer lies outside its batch");
	ds_str in = { b->body.at + at, (size_t)n };
	if (b->codec >= 0 && n)
		return decompress(b, i, in, compressor, e);
	b->plain[i] = in;
	return DS_OK;
}

typedef struct {
	ds_ar_batch *b;
	size_t node, buffer, variadic;
	ds_err *e;
} maker;

static bool next_buffer(maker *m, ds_str *out)
{
	if (m->buffer >= m->b->buffers.n)
		return false;
	*out = m->b->plain[m->buffer++];
	return true;
}

/* Buffers behind the validity bitmap, and how many bytes an element takes in each. */
static unsigned buffers_of(const ds_ar_field *f, unsigned width[2], bool one_more[2])
{
	one_more[0] = one_more[1] = false;
	width[0] = width[1] = 0;
	if (f->encoded) {
		width[0] = f->index_width;
		return 1;
	}
	switch (f->layout) {
	case DS_AR_BITS:
		return 1;
	case DS_AR_FIXED:
		width[0] = f->width;
		return 1;
	case DS_AR_BYTES:
	case DS_AR_LARGE_BYTES:
		width[0] = f->layout == DS_AR_BYTES ? 4 : 8;
		one_more[0] = true;
		return 2;
	case DS_AR_VIEWS:
		width[0] = 16;
		return 1;
	case DS_AR_LIST:
	case DS_AR_LARGE_LIST:
		width[0] = f->layout == DS_AR_LIST ? 4 : 8;
		one_more[0] = true;
		return 1;
	case DS_AR_LIST_VIEW:
	case DS_AR_LARGE_LIST_VIEW:
		width[0] = width[1] = f->layout == DS_AR_LIST_VIEW ? 4 : 8;
		return 2;
	case DS_AR_SPARSE:
		width[0] = 1;
		return 1;
	case DS_AR_DENSE:
		width[0] = 1;
		width[1] = 4;
		return 2;
	default:
		return 0;
	}
}

static bool holds(ds_str s, int64_t n, uint64_t width)
{
	size_t need;
	return ds_mul((size_t)n, width, &need) && need <= s.n;
}

static ds_rc make_views(maker *m, ds_ar_array *a)
{
	int64_t n = m->variadic < m->b->variadic.n
			    ? ds_flat_list_int(m->b->variadic, m->variadic++, 8, 0, 8)
			    : -1;
	if (n < 0 || (uint64_t)n > m->b->buffers.n - m->buffer)
		return damaged(m->e, "buffers of views");
	a->more = &m->b->plain[m->buffer];
	a->n_more = (size_t)n;
	m->buffer += (size_t)n;
	return DS_OK;
}

static ds_rc make(maker *m, ds_ar_array *a, const ds_ar_field *f);

static ds_rc make_children(maker *m, ds_ar_array *a)
{
	const ds_ar_field *f = a->f;
	ds_ar_array *c = a->children =
		ds_arena_zero(m->b->mem, (f->n_children + 1) * sizeof(*a->children));
	for (const ds_ar_field *x = f->first; x; x = x->next, c++) {
		DS_TRY(make(m, c, x));
		bool as_many = f->layout == DS_AR_STRUCT || f->layout == DS_AR_SPARSE;
		size_t elements;
		if (as_many && c->n < a->n)
			return damaged(m->e, "a field is shorter than its struct");
		if (f->layout == DS_AR_FIXED_LIST &&
			(!ds_mul((size_t)a->n, f->width, &elements) || elements > (size_t)c->n))
			return damaged(m->e, "a list is shorter than it says");
	}
	return DS_OK;
}

static ds_rc make_buffers(maker *m, ds_ar_array *a, int64_t n_nulls)
{
	const ds_ar_field *f = a->f;
	unsigned width[2], n;
	bool one_more[2],
		bitmap = f->encoded || (f->layout != DS_AR_NULL && f->layout != DS_AR_SPARSE &&
					       f->layout != DS_AR_DENSE && f->layout != DS_AR_RUNS);
	if (bitmap) {
		if (!next_buffer(m, &a->valid))
			return damaged(m->e, "buffers are missing");
		if (!n_nulls || !a->valid.n)
			a->valid = (ds_str){ NULL, 0 };
		if (a->valid.at ? !holds(a->valid, a->n / 8 + (a->n % 8 != 0), 1) : n_nulls > 0)
			return damaged(m->e, "a bitmap is shorter than it says");
	}
	n = buffers_of(f, width, one_more);
	for (unsigned i = 0; i < n; i++) {
		if (!next_buffer(m, &a->b[i]))
			return damaged(m->e, "buffers are missing");
		int64_t wants = f->layout == DS_AR_BITS && !f->encoded ? a->n / 8 + (a->n % 8 != 0)
				: one_more[i] && a->n                  ? a->n + 1
								       : a->n;
		uint64_t each = f->layout == DS_AR_BITS && !f->encoded ? 1 : width[i];
		if (!holds(a->b[i], wants, each))
			return damaged(m->e, "a buffer is shorter than it says");
	}
	return DS_OK;
}

static ds_rc make(maker *m, ds_ar_array *a, const ds_ar_field *f)
{
	a->f = f;
	if (m->node >= m->b->nodes.n)
		return damaged(m->e, "arrays are missing");
	a->n = ds_flat_list_int(m->b->nodes, m->node, 16, 0, 8);
	int64_t n_nulls = ds_flat_list_int(m->b->nodes, m->node++, 16, 8, 8);
	if (a->n < 0 || a->n > INT64_MAX / 64)
		return damaged(m->e, "an array's length");
	DS_TRY(make_buffers(m, a, n_nulls));
	if (f->encoded) {
		a->dictionary = ds_ar_batch_dictionary(m->b, f->dictionary);
		return DS_OK;
	}
	if (f->layout == DS_AR_VIEWS)
		return make_views(m, a);
	return f->layout >= DS_AR_LIST ? make_children(m, a) : DS_OK;
}

static ds_rc make_arrays(ds_ar_batch *b, ds_err *e)
{
	maker m = { .b = b, .e = e };
	size_t n = 0;
	for (const ds_ar_field *f = b->fields; f; f = f->next)
		n++;
	b->arrays = ds_arena_zero(b->mem, (n + 1) * sizeof(*b->arrays));
	n = 0;
	for (const ds_ar_field *f = b->fields; f; f = f->next, n++) {
		DS_TRY_AT(make(&m, &b->arrays[n], f), e, "field '%.*s'", DS_FMT(f->name));
		if (b->arrays[n].n < b->n_rows)
			return damaged(e, "an array is shorter than its batch");
	}
	return DS_OK;
}

/* Takes buffers that nobody has taken yet. Behind the lock, which is left meanwhile. */
static void take_buffers(ds_ar_batch *b)
{
	ds_compressor *compressor = ds_compressor_new(1);
	while (b->claimed < b->buffers.n && b->rc == DS_OK) {
		ds_err e;
		size_t i = b->claimed++;
		pthread_mutex_unlock(&b->lock);
		ds_rc rc = take_buffer(b, i, compressor, &e);
		pthread_mutex_lock(&b->lock);
		b->done++;
		if (rc != DS_OK && b->rc == DS_OK) {
			b->rc = rc;
			b->err = e;
		}
	}
	ds_compressor_free(compressor);
}

ds_rc ds_ar_batch_ready(ds_ar_batch *b, ds_err *e)
{
	pthread_mutex_lock(&b->lock);
	if (!b->ready)
		take_buffers(b);
	while (!b->ready && b->done < b->claimed)
		pthread_cond_wait(&b->changed, &b->lock);
	if (!b->ready) {
		if (b->rc == DS_OK)
			b->rc = make_arrays(b, &b->err);
		b->ready = true;
	}
	pthread_cond_broadcast(&b->changed);
	ds_rc rc = b->rc;
	if (rc != DS_OK)
		*e = b->err;
	pthread_mutex_unlock(&b->lock);
	return rc;
}
