/*
 * element.c - elements of arrays (Columnar.rst of Apache Arrow)
 */
#include "record/arrow/element.h"

#include "base/half.h"
#include "base/hash.h"

static int64_t signed_at(ds_str s, int64_t i, unsigned width)
{
	uint64_t v = 0;
	memcpy(&v, s.at + (size_t)i * width, width);
	unsigned up = 64 - 8 * width;
	return (int64_t)(v << up) >> up;
}

static int64_t unsigned_at(ds_str s, int64_t i, unsigned width)
{
	uint64_t v = 0;
	memcpy(&v, s.at + (size_t)i * width, width);
	return (int64_t)v;
}

static bool bit_at(ds_str s, int64_t i)
{
	return (uint8_t)s.at[i / 8] >> i % 8 & 1;
}

const ds_ar_field *ds_ar_leaf(const ds_ar_field *f)
{
	while (f->layout == DS_AR_RUNS)
		f = f->first->next;
	return f->layout < DS_AR_LIST ? f : NULL;
}

static bool look_up(const ds_ar_array **a, int64_t *i)
{
	const ds_ar_array *x = *a;
	int64_t k = x->f->index_no_sign ? unsigned_at(x->b[0], *i, x->f->index_width)
					: signed_at(x->b[0], *i, x->f->index_width);
	const ds_ar_dictionary *d = x->dictionary;
	while (d && k >= 0 && k < d->n_before)
		d = d->before;
	if (!d || k < 0 || k - d->n_before >= d->values->n)
		return false;
	*a = d->values;
	*i = k - d->n_before;
	return true;
}

static bool find_run(const ds_ar_array **a, int64_t *i)
{
	const ds_ar_array *ends = &(*a)->children[0], *values = &(*a)->children[1];
	int64_t low = 0, high = ends->n;
	while (low < high) {
		int64_t mid = low + (high - low) / 2;
		if (signed_at(ends->b[0], mid, ends->f->width) <= *i)
			low = mid + 1;
		else
			high = mid;
	}
	if (low >= values->n)
		return false;
	*a = values;
	*i = low;
	return true;
}

static bool find_member(const ds_ar_array **a, int64_t *i)
{
	const ds_ar_array *x = *a;
	int64_t k = signed_at(x->b[0], *i, 1), at = *i;
	if (x->f->type_ids) {
		int64_t id = k;
		for (k = 0; k < x->f->n_children && x->f->type_ids[k] != id;)
			k++;
	}
	if (k < 0 || k >= x->f->n_children)
		return false;
	if (x->f->layout == DS_AR_DENSE)
		at = signed_at(x->b[1], *i, 4);
	if (at < 0 || at >= x->children[k].n)
		return false;
	*a = &x->children[k];
	*i = at;
	return true;
}

ds_ar_state ds_ar_settle(const ds_ar_array **a, int64_t *i)
{
	for (;;) {
		const ds_ar_array *x = *a;
		bool found = true;
		if ((x->f->layout == DS_AR_NULL && !x->f->encoded) ||
			(x->valid.at && !bit_at(x->valid, *i)))
			return DS_AR_IS_NULL;
		if (x->f->encoded)
			found = look_up(a, i);
		else if (x->f->layout == DS_AR_RUNS)
			found = find_run(a, i);
		else if (x->f->layout == DS_AR_SPARSE || x->f->layout == DS_AR_DENSE)
			found = find_member(a, i);
		else
			return DS_AR_IS_THERE;
		if (!found)
			return DS_AR_IS_WRONG;
	}
}

static bool between(const ds_ar_array *a, int64_t i, int64_t from, int64_t to, ds_str *out)
{
	if (from < 0 || to < from || (uint64_t)to > a->b[1].n)
		return false;
	*out = (ds_str){ a->b[1].at + from, (size_t)(to - from) };
	return true;
}

/* 12 bytes at most lie in the view itself, others where it says. */
static bool view_at(const ds_ar_array *a, int64_t i, ds_str *out)
{
	const char *p = a->b[0].at + (size_t)i * 16;
	int32_t n, buffer, at;
	memcpy(&n, p, 4);
	memcpy(&buffer, p + 8, 4);
	memcpy(&at, p + 12, 4);
	if (n < 0)
		return false;
	if (n <= 12) {
		*out = (ds_str){ p + 4, (size_t)n };
		return true;
	}
	if (buffer < 0 || (size_t)buffer >= a->n_more || at < 0 ||
		(size_t)at + (size_t)n > a->more[buffer].n)
		return false;
	*out = (ds_str){ a->more[buffer].at + at, (size_t)n };
	return true;
}

static void get_fixed(const ds_ar_array *a, int64_t i, ds_ar_value *v)
{
	const ds_ar_field *f = a->f;
	const char *p = a->b[0].at + (size_t)i * f->width;
	uint16_t half;
	float narrow;
	if (f->scalar.form == DS_FORM_BYTES) {
		v->s = (ds_str){ p, f->width };
	} else if (f->scalar.form == DS_FORM_INT) {
		v->i = f->no_sign ? unsigned_at(a->b[0], i, f->width)
				  : signed_at(a->b[0], i, f->width);
		if (f->days_of_ms)
			v->i = v->i / 86400000 - (v->i % 86400000 < 0);
	} else if (f->width == 8) {
		memcpy(&v->f, p, 8);
	} else if (f->width == 4) {
		memcpy(&narrow, p, 4);
		v->f = (double)narrow;
	} else {
		memcpy(&half, p, 2);
		v->f = (double)ds_f32_of_f16(half);
	}
}

bool ds_ar_get(const ds_ar_array *a, int64_t i, ds_ar_value *v)
{
	switch (a->f->layout) {
	case DS_AR_BITS:
		v->i = bit_at(a->b[0], i);
		return true;
	case DS_AR_FIXED:
		get_fixed(a, i, v);
		return true;
	case DS_AR_BYTES:
		return between(a, i, signed_at(a->b[0], i, 4), signed_at(a->b[0], i + 1, 4), &v->s);
	case DS_AR_LARGE_BYTES:
		return between(a, i, signed_at(a->b[0], i, 8), signed_at(a->b[0], i + 1, 8), &v->s);
	case DS_AR_VIEWS:
		return view_at(a, i, &v->s);
	default:
		return false;
	}
}

bool ds_ar_range(const ds_ar_array *a, int64_t i, int64_t *from, int64_t *to)
{
	unsigned width =
		a->f->layout == DS_AR_LARGE_LIST || a->f->layout == DS_AR_LARGE_LIST_VIEW ? 8 : 4;
	if (a->f->layout == DS_AR_FIXED_LIST) {
		*from = i * a->f->width;
		*to = *from + a->f->width;
		return true;
	}
	*from = signed_at(a->b[0], i, width);
	if (a->f->layout == DS_AR_LIST || a->f->layout == DS_AR_LARGE_LIST)
		*to = signed_at(a->b[0], i + 1, width);
	else if (__builtin_add_overflow(*from, signed_at(a->b[1], i, width), to))
		return false;
	return *from >= 0 && *to >= *from && *to <= a->children[0].n;
}

typedef struct {
	ds_text *t;
	size_t limit;
	const char *wrong;
} printer;

static bool print(printer *p, const ds_ar_array *a, int64_t i);

static bool fail(printer *p, const char *what)
{
	p->wrong = what;
	return false;
}

static bool print_leaf(printer *p, const ds_ar_array *a, int64_t i)
{
	ds_ar_value v = { 0 };
	if (!ds_ar_get(a, i, &v))
		return fail(p, "a value lies outside its buffer");
	ds_scalars one = { 1, &v.i, &v.f, &v.s };
	ds_scalar_json(p->t, &a->f->scalar, &one, 0);
	return p->t->n <= p->limit;
}

static bool print_struct(printer *p, const ds_ar_array *a, int64_t i)
{
	char before = '{';
	const ds_ar_array *c = a->children;
	if (!a->f->first)
		ds_text_byte(p->t, '{');
	for (const ds_ar_field *f = a->f->first; f; f = f->next, c++, before = ',') {
		ds_text_byte(p->t, before);
		ds_text_add(p->t, f->label.at, f->label.n);
		if (!print(p, c, i))
			return false;
	}
	ds_text_byte(p->t, '}');
	return true;
}

static bool print_list(printer *p, const ds_ar_array *a, int64_t from, int64_t to)
{
	ds_text_byte(p->t, '[');
	for (int64_t i = from; i < to; i++) {
		if (i > from)
			ds_text_byte(p->t, ',');
		if (!print(p, a->children, i))
			return false;
	}
	ds_text_byte(p->t, ']');
	return true;
}

static bool print_pairs(printer *p, const ds_ar_array *entries, int64_t from, int64_t to)
{
	ds_text_byte(p->t, '[');
	for (int64_t i = from; i < to; i++) {
		ds_text_add(p->t, ",[" + (i == from), i == from ? 1 : 2);
		if (!print(p, &entries->children[0], i))
			return false;
		ds_text_byte(p->t, ',');
		if (!print(p, &entries->children[1], i))
			return false;
		ds_text_byte(p->t, ']');
	}
	ds_text_byte(p->t, ']');
	return true;
}

/* The keys of a map, where all are strings that differ; else false. */
static bool keys_differ(const ds_ar_array *keys, int64_t from, int64_t to)
{
	DS_AUTO(ds_map) seen = ds_map_new((size_t)(to - from < 64 ? to - from : 64) + 1);
	for (int64_t i = from; i < to; i++) {
		const ds_ar_array *a = keys;
		int64_t at = i;
		ds_ar_value v;
		bool is_new;
		if (ds_ar_settle(&a, &at) != DS_AR_IS_THERE || a->f->scalar.kind != DS_SC_TEXT ||
			!ds_ar_get(a, at, &v))
			return false;
		ds_map_put(seen, v.s, &is_new);
		if (!is_new)
			return false;
	}
	return true;
}

/* An object where keys are strings and differ, else pairs. */
static bool print_map(printer *p, const ds_ar_array *a, int64_t from, int64_t to)
{
	const ds_ar_array *entries = a->children;
	const ds_ar_field *key = ds_ar_leaf(entries->f->first);
	char before = '{';
	if (!key || key->scalar.kind != DS_SC_TEXT || !keys_differ(entries->children, from, to))
		return print_pairs(p, entries, from, to);
	if (from == to)
		ds_text_byte(p->t, '{');
	for (int64_t i = from; i < to; i++, before = ',') {
		ds_text_byte(p->t, before);
		if (!print(p, &entries->children[0], i))
			return false;
		ds_text_byte(p->t, ':');
		if (!print(p, &entries->children[1], i))
			return false;
	}
	ds_text_byte(p->t, '}');
	return true;
}

static bool print(printer *p, const ds_ar_array *a, int64_t i)
{
	int64_t from, to;
	ds_ar_state state = ds_ar_settle(&a, &i);
	if (state == DS_AR_IS_WRONG)
		return fail(p, "an index that leads nowhere");
	if (state == DS_AR_IS_NULL) {
		ds_text_add(p->t, "null", 4);
		return p->t->n <= p->limit;
	}
	if (a->f->layout < DS_AR_LIST)
		return print_leaf(p, a, i);
	if (a->f->layout == DS_AR_STRUCT)
		return print_struct(p, a, i);
	if (!ds_ar_range(a, i, &from, &to))
		return fail(p, "a list lies outside its elements");
	return a->f->is_map ? print_map(p, a, from, to) : print_list(p, a, from, to);
}

bool ds_ar_json(ds_text *t, const ds_ar_array *a, int64_t i, size_t limit, const char **wrong)
{
	printer p = { t, limit, NULL };
	bool right = print(&p, a, i);
	*wrong = p.wrong;
	return right;
}
