/*
 * buffers.c - levels become bitmaps and offsets
 *
 * An array's slots are those entries of its first leaf that begin one: their repetition is at most the
 * depth of the lists around it, their definition at least that of what holds it. A slot has a value
 * where the definition goes as far as the array itself.
 */
#include "record/arrow/buffers.h"

#include "base/mem.h"

typedef struct {
	unsigned slot, valid; /* definition levels */
	unsigned lists;       /* around it */
} place;

static const ds_pq_sink_leaf *first_leaf(const ds_value_shape *x)
{
	while (x->kind == DS_SHAPE_LIST || x->kind == DS_SHAPE_STRUCT)
		x = x->first;
	return x->to;
}

static bool is_slot(const ds_pq_sink_leaf *l, size_t i, place p)
{
	return (unsigned)l->def.at[i] >= p.slot &&
	       (!l->max_rep || (unsigned)l->rep.at[i] <= p.lists);
}

static ds_rc add_buffer(ds_ar_body *b, ds_str raw, ds_err *e)
{
	static const char zeros[8];
	int64_t at[2] = { (int64_t)b->body.n, 0 };
	if (b->compressor && raw.n) {
		int64_t size = (int64_t)raw.n, as_is = -1;
		size_t bound = ds_compress_bound(raw.n), got;
		ds_buf_reserve(&b->body, bound + 8);
		DS_TRY(ds_compress(
			b->compressor, raw.at, raw.n, b->body.at + b->body.n + 8, bound, &got, e));
		if (got >= raw.n) {
			ds_buf_add(&b->body, &as_is, 8);
			ds_buf_add_str(&b->body, raw);
		} else {
			ds_buf_add(&b->body, &size, 8);
			b->body.n += got;
		}
	} else {
		ds_buf_add_str(&b->body, raw);
	}
	at[1] = (int64_t)b->body.n - at[0];
	ds_buf_add(&b->buffers, at, sizeof(at));
	ds_buf_add(&b->body, zeros, (8 - b->body.n % 8) % 8);
	return DS_OK;
}

/* The array's node and its bitmap, which is left out where there is no null. */
static ds_rc add_validity(ds_ar_body *b, const ds_value_shape *x, place p, ds_err *e)
{
	const ds_pq_sink_leaf *l = first_leaf(x);
	ds_buf map = { 0 };
	int64_t node[2] = { 0, 0 };
	for (size_t i = 0; i < l->def.n; i++) {
		if (!is_slot(l, i, p))
			continue;
		bool there = (unsigned)l->def.at[i] >= p.valid;
		if (node[0] % 8 == 0)
			ds_buf_add_byte(&map, 0);
		map.at[map.n - 1] |= (char)(there << node[0] % 8);
		node[0]++;
		node[1] += !there;
	}
	if (x->kind == DS_SHAPE_OPEN)
		node[1] = node[0];
	ds_buf_add(&b->nodes, node, sizeof(node));
	ds_rc rc = x->kind == DS_SHAPE_OPEN
			   ? DS_OK
			   : add_buffer(b, node[1] ? ds_buf_view(&map) : (ds_str){ "", 0 }, e);
	ds_buf_free(&map);
	return rc;
}

static ds_rc too_large(const ds_value_shape *x, ds_err *e)
{
	return ds_fail(
		e, DS_BAD, "field '%.*s': over %d bytes in a batch", DS_FMT(x->name), INT32_MAX);
}

static ds_rc add_strings(ds_ar_body *b, const ds_value_shape *x, place p, ds_err *e)
{
	const ds_pq_sink_leaf *l = x->to;
	ds_buf off = { 0 };
	int32_t at = 0;
	uint32_t n;
	if (l->data.n > INT32_MAX)
		return too_large(x, e);
	ds_buf_add(&off, &at, 4);
	for (size_t i = 0, value = 0; i < l->def.n; i++) {
		if (!is_slot(l, i, p))
			continue;
		if ((unsigned)l->def.at[i] >= p.valid) {
			memcpy(&n, l->sizes.at + 4 * value++, 4);
			at += (int32_t)n;
		}
		ds_buf_add(&off, &at, 4);
	}
	ds_rc rc = add_buffer(b, ds_buf_view(&off), e);
	ds_buf_free(&off);
	DS_TRY(rc);
	return add_buffer(b, ds_buf_view(&l->data), e);
}

static ds_rc add_numbers(ds_ar_body *b, const ds_value_shape *x, place p, unsigned width, ds_err *e)
{
	const ds_pq_sink_leaf *l = x->to;
	static const char zeros[8];
	ds_buf out = { 0 };
	size_t slots = 0;
	bool bits = x->kind == DS_SHAPE_BOOL;
	for (size_t i = 0, value = 0; i < l->def.n; i++) {
		if (!is_slot(l, i, p))
			continue;
		bool there = (unsigned)l->def.at[i] >= p.valid;
		const char *v = there ? l->data.at + width * value++ : zeros;
		if (!bits) {
			ds_buf_add(&out, v, width);
			continue;
		}
		if (slots % 8 == 0)
			ds_buf_add_byte(&out, 0);
		out.at[out.n - 1] |= (char)(*v << slots++ % 8);
	}
	ds_rc rc = add_buffer(b, ds_buf_view(&out), e);
	ds_buf_free(&out);
	return rc;
}

static ds_rc add_offsets(ds_ar_body *b, const ds_value_shape *x, place p, ds_err *e)
{
	const ds_pq_sink_leaf *l = first_leaf(x);
	place element = { p.valid + 1, p.valid + 2, p.lists + 1 };
	ds_buf off = { 0 };
	int32_t n = 0;
	if (l->def.n > INT32_MAX)
		return too_large(x, e);
	for (size_t i = 0; i < l->def.n; i++) {
		if (is_slot(l, i, p))
			ds_buf_add(&off, &n, 4);
		n += is_slot(l, i, element);
	}
	ds_buf_add(&off, &n, 4);
	ds_rc rc = add_buffer(b, ds_buf_view(&off), e);
	ds_buf_free(&off);
	return rc;
}

static ds_rc add_array(ds_ar_body *b, const ds_value_shape *x, place p, ds_err *e)
{
	DS_TRY(add_validity(b, x, p, e));
	switch (x->kind) {
	case DS_SHAPE_OPEN:
		return DS_OK;
	case DS_SHAPE_LIST:
		DS_TRY(add_offsets(b, x, p, e));
		return add_array(b, x->first, (place){ p.valid + 1, p.valid + 2, p.lists + 1 }, e);
	case DS_SHAPE_STRUCT:
		for (const ds_value_shape *f = x->first; f; f = f->next)
			DS_TRY(add_array(b, f, (place){ p.slot, p.valid + 1, p.lists }, e));
		return DS_OK;
	case DS_SHAPE_BOOL:
		return add_numbers(b, x, p, 1, e);
	case DS_SHAPE_U32:
	case DS_SHAPE_F32:
		return add_numbers(b, x, p, 4, e);
	case DS_SHAPE_I64:
	case DS_SHAPE_F64:
		return add_numbers(b, x, p, 8, e);
	default:
		return add_strings(b, x, p, e);
	}
}

ds_rc ds_ar_make_body(ds_ar_body *b, const ds_pq_shredder *s, ds_err *e)
{
	for (const ds_value_shape *x = s->fields; x; x = x->next)
		DS_TRY(add_array(b, x, (place){ 0, 1, 0 }, e));
	return DS_OK;
}

void ds_ar_body_free(ds_ar_body *b)
{
	ds_buf_free(&b->body);
	ds_buf_free(&b->nodes);
	ds_buf_free(&b->buffers);
}
