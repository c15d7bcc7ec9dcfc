/*
 * values.c - rows of a batch as a block
 *
 * As Parquet's columns: a leaf is a field of its type, what is nested is JSON, but for pictures and the
 * well-known lists of numbers.
 */
#include "record/arrow/values.h"

#include "record/arrow/element.h"
#include "record/json_columns.h"

#define MOST_BYTES (((uint64_t)1 << 32) - 65536)

typedef enum { SCALAR, PICTURE, IDS, FLOATS, NESTED } column_kind;

struct ds_ar_column {
	const ds_ar_field *field;
	size_t number; /* of the schema's fields */
	column_kind kind;
	ds_str path_name; /* PICTURE */
};

typedef struct {
	const ds_ar_columns *c;
	const ds_ar_batch *batch;
	int64_t from;
	uint32_t n;
	ds_arena *mem;
	ds_block *b;
} work;

static bool is_picture(const ds_ar_field *f)
{
	if (f->encoded || f->layout != DS_AR_STRUCT || f->n_children != 2)
		return false;
	const ds_ar_field *bytes = f->first, *path = bytes->next;
	return ds_str_is(bytes->name, "bytes") && ds_str_is(path->name, "path") &&
	       ds_ar_leaf(bytes) && bytes->scalar.kind == DS_SC_BYTES && ds_ar_leaf(path) &&
	       path->scalar.kind == DS_SC_TEXT;
}

static column_kind kind_of(const ds_ar_field *f)
{
	bool list = !f->encoded && f->layout >= DS_AR_LIST && f->layout <= DS_AR_FIXED_LIST &&
		    !f->is_map;
	const ds_ar_field *x = list ? ds_ar_leaf(f->first) : NULL;
	bool number = x && (x->scalar.kind == DS_SC_I64 || x->scalar.kind == DS_SC_U64);
	if (ds_ar_leaf(f))
		return SCALAR;
	if (is_picture(f))
		return PICTURE;
	if (number && (ds_str_is(f->name, "tokens") || ds_str_is(f->name, "docs")))
		return IDS;
	number |= x && x->scalar.form == DS_FORM_FLOAT;
	if (number && (ds_str_is(f->name, "embedding") || ds_str_is(f->name, "score")))
		return FLOATS;
	return NESTED;
}

static void add_column(ds_ar_columns *c, const ds_ar_field *f, size_t number, ds_arena *mem)
{
	ds_ar_column *x = &c->at[c->n++];
	*x = (ds_ar_column){ .field = f, .number = number, .kind = kind_of(f) };
	if (x->kind == PICTURE)
		x->path_name = ds_arena_fmt(mem, "%.*s_path", (int)f->name.n, f->name.at);
}

static ds_rc add_named(ds_ar_columns *c, ds_str name, ds_arena *mem, ds_err *e)
{
	ds_buf names = { 0 };
	size_t number = 0;
	for (const ds_ar_field *f = c->schema->first; f; f = f->next, number++)
		if (ds_str_eq(f->name, name)) {
			for (uint32_t i = 0; i < c->n; i++)
				if (c->at[i].field == f)
					return DS_OK;
			add_column(c, f, number, mem);
			return DS_OK;
		}
	for (const ds_ar_field *f = c->schema->first; f && names.n < 300; f = f->next)
		ds_buf_fmt(&names, "%s%.*s", names.n ? ", " : "", DS_FMT(f->name));
	ds_fail(e, DS_USAGE, "--columns '%.*s' is none of %s", DS_FMT(name), ds_buf_text(&names));
	ds_buf_free(&names);
	return DS_USAGE;
}

ds_rc ds_ar_choose(
	ds_ar_columns *c, const ds_ar_schema *s, const ds_input_opts *how, ds_arena *mem, ds_err *e)
{
	size_t number = 0;
	*c = (ds_ar_columns){ .schema = s, .max_record = how->max_record };
	c->at = ds_arena_get(mem, (s->n + 1) * sizeof(*c->at));
	if (how->columns)
		for (ds_str rest = ds_str_of(how->columns); rest.at;)
			DS_TRY(add_named(c, ds_str_cut(rest, ',', &rest), mem, e));
	else
		for (const ds_ar_field *f = s->first; f; f = f->next)
			add_column(c, f, number++, mem);
	uint32_t columns = c->n_columns = c->n;
	for (uint32_t i = 0; i < c->n; i++)
		columns += c->at[i].kind == PICTURE;
	for (; columns >= DS_MAX_COLUMNS && c->n_columns; c->n_columns--)
		columns -= c->at[c->n_columns - 1].kind == PICTURE ? 2 : 1;
	return DS_OK;
}

static ds_rc damaged(const ds_ar_field *f, ds_err *e, const char *what)
{
	return ds_fail(e, DS_SHORT, "damaged: field '%.*s': %s", DS_FMT(f->name), what);
}

/* The values of n elements of a from `first` on; rows without one have valid 0. */
static ds_rc get_scalars(work *w, const ds_ar_array *a, int64_t first, size_t n, const ds_scalar *k,
	ds_scalars *out, uint8_t *valid, ds_err *e)
{
	size_t got = 0;
	bool bytes = k->form == DS_FORM_BYTES;
	void *all = ds_arena_get(w->mem, n * (bytes ? sizeof(ds_str) : 8) + 64);
	*out = (ds_scalars){ 0, all, all, all };
	for (size_t i = 0; i < n; i++) {
		const ds_ar_array *x = a;
		int64_t at = first + (int64_t)i;
		ds_ar_value v = { 0 };
		ds_ar_state state = ds_ar_settle(&x, &at);
		valid[i] = state == DS_AR_IS_THERE;
		if (state == DS_AR_IS_WRONG || (valid[i] && !ds_ar_get(x, at, &v)))
			return damaged(a->f, e, "a value lies outside its buffer");
		if (!valid[i])
			continue;
		if (bytes)
			((ds_str *)all)[got++] = v.s;
		else if (k->form == DS_FORM_INT)
			((int64_t *)all)[got++] = v.i;
		else
			((double *)all)[got++] = v.f;
	}
	out->n_values = got;
	return DS_OK;
}

static ds_rc add_leaf(work *w, const ds_ar_array *a, ds_str name, ds_err *e)
{
	ds_scalar k = ds_ar_leaf(a->f)->scalar;
	ds_scalars v;
	uint8_t *valid = ds_arena_get(w->mem, (size_t)w->n + 64);
	DS_TRY(get_scalars(w, a, w->from, w->n, &k, &v, valid, e));
	if (ds_str_is(name, "score") && k.kind == DS_SC_I64) { /* has one type everywhere */
		double *f = ds_arena_get(w->mem, v.n_values * sizeof(*f) + 64);
		for (size_t i = 0; i < v.n_values; i++)
			f[i] = (double)v.i[i];
		v.f = f;
		k = (ds_scalar){ .kind = DS_SC_F64, .form = DS_FORM_FLOAT };
	}
	return ds_scalar_column(w->b, name, &k, &v, valid, e);
}

static ds_rc add_picture(work *w, const ds_ar_column *x, const ds_ar_array *a, ds_err *e)
{
	for (unsigned k = 0; k < 2; k++) {
		const ds_ar_array *c = &a->children[k];
		ds_scalars v;
		uint8_t *valid = ds_arena_get(w->mem, (size_t)w->n + 64);
		DS_TRY(get_scalars(w, c, w->from, w->n, &c->f->scalar, &v, valid, e));
		size_t at = 0, kept = 0;
		ds_str *s = ds_arena_get(w->mem, (v.n_values + 1) * sizeof(*s));
		for (uint32_t i = 0; i < w->n; i++) { /* what a null struct has is none */
			const ds_ar_array *whole = a;
			int64_t row = w->from + i;
			bool there = ds_ar_settle(&whole, &row) == DS_AR_IS_THERE;
			if (valid[i] && there)
				s[kept++] = v.s[at];
			at += valid[i];
			valid[i] &= there;
		}
		v.s = s;
		v.n_values = kept;
		if (k == 0 || kept)
			DS_TRY(ds_scalar_column(w->b, k ? x->path_name : x->field->name,
				&c->f->scalar, &v, valid, e));
	}
	return DS_OK;
}

/* A list of numbers that all fit; false: then as JSON. */
static bool add_numbers(work *w, const ds_ar_column *x, const ds_ar_array *a)
{
	bool floats = x->kind == FLOATS;
	uint32_t *off = ds_arena_get(w->mem, ((size_t)w->n + 1) * 4 + 64);
	uint8_t *valid = ds_arena_get(w->mem, (size_t)w->n + 64);
	size_t n = 0;
	for (uint32_t i = 0; i < w->n; i++) {
		const ds_ar_array *l = a;
		int64_t row = w->from + i, from = 0, to = 0;
		ds_ar_state state = ds_ar_settle(&l, &row);
		valid[i] = state == DS_AR_IS_THERE;
		if (state == DS_AR_IS_WRONG || (valid[i] && !ds_ar_range(l, row, &from, &to)))
			return false;
		off[i] = (uint32_t)n;
		n += (size_t)(to - from);
		if (n > w->c->max_record / 4 + (1 << 20) || n > UINT32_MAX / 8)
			return false;
	}
	off[w->n] = (uint32_t)n;
	uint32_t *out = ds_arena_get(w->mem, n * 4 + 64), all = 0;
	for (uint32_t i = 0; i < w->n; i++) {
		int64_t from = 0, to = 0;
		if (valid[i] && !ds_ar_range(a, w->from + i, &from, &to))
			return false;
		for (int64_t k = from; k < to; k++) {
			const ds_ar_array *c = a->children;
			int64_t at = k;
			ds_ar_value v = { 0 };
			if (ds_ar_settle(&c, &at) != DS_AR_IS_THERE || !ds_ar_get(c, at, &v))
				return false;
			float f = c->f->scalar.form == DS_FORM_FLOAT ? (float)v.f : (float)v.i;
			uint32_t id = (uint32_t)v.i;
			if (!floats && v.i != id)
				return false;
			all |= id;
			memcpy(&out[off[i] + (k - from)], floats ? (void *)&f : (void *)&id, 4);
		}
	}
	ds_type type = floats ? DS_T_F32S : all > UINT16_MAX ? DS_T_U32S : DS_T_U16S;
	uint16_t *narrow = (uint16_t *)(void *)out;
	for (size_t i = 0; i < n && type == DS_T_U16S; i++)
		narrow[i] = (uint16_t)out[i];
	ds_ready_column(w->b,
		(ds_col){ .name = x->field->name, .type = type, .off = off, .data = out }, valid);
	return true;
}

static ds_rc not_printed(
	const work *w, const ds_ar_field *f, const char *wrong, uint32_t row, ds_err *e)
{
	if (wrong)
		return damaged(f, e, wrong);
	return ds_fail(e, DS_BAD, "row %llu: field '%.*s': over %llu bytes as JSON",
		(unsigned long long)w->from + row + 1, DS_FMT(f->name),
		(unsigned long long)w->c->max_record);
}

static size_t limit_of(const work *w, size_t n)
{
	uint64_t most = n + w->c->max_record;
	return most < MOST_BYTES ? (size_t)most : (size_t)MOST_BYTES;
}

static ds_rc add_nested(work *w, const ds_ar_array *a, ds_str name, ds_err *e)
{
	ds_text t = ds_text_new(w->mem, (size_t)w->n * 32);
	uint8_t *valid = ds_arena_get(w->mem, (size_t)w->n + 64);
	uint32_t *off = ds_arena_get(w->mem, ((size_t)w->n + 1) * 4 + 64);
	for (uint32_t i = 0; i < w->n; i++) {
		const ds_ar_array *x = a;
		int64_t row = w->from + i;
		const char *wrong;
		off[i] = (uint32_t)t.n;
		valid[i] = ds_ar_settle(&x, &row) != DS_AR_IS_NULL;
		if (valid[i] && !ds_ar_json(&t, a, w->from + i, limit_of(w, t.n), &wrong))
			return not_printed(w, a->f, wrong, i, e);
	}
	off[w->n] = (uint32_t)t.n;
	ds_ready_column(
		w->b, (ds_col){ .name = name, .type = DS_T_JSON, .off = off, .data = t.at }, valid);
	return DS_OK;
}

static ds_rc add_one(work *w, const ds_ar_column *x, ds_err *e)
{
	const ds_ar_array *a = &w->batch->arrays[x->number];
	if (x->kind == SCALAR)
		return add_leaf(w, a, x->field->name, e);
	if (x->kind == PICTURE)
		return add_picture(w, x, a, e);
	if ((x->kind == IDS || x->kind == FLOATS) && add_numbers(w, x, a))
		return DS_OK;
	return add_nested(w, a, x->field->name, e);
}

/* Fields for which a block has no room are members of one. */
static ds_rc add_more(work *w, ds_err *e)
{
	ds_text t = ds_text_new(w->mem, (size_t)w->n * 64);
	uint32_t *off = ds_arena_get(w->mem, ((size_t)w->n + 1) * 4 + 64);
	for (uint32_t i = 0; i < w->n; i++) {
		size_t limit = limit_of(w, t.n);
		char before = '{';
		const char *wrong;
		off[i] = (uint32_t)t.n;
		for (uint32_t k = w->c->n_columns; k < w->c->n; k++, before = ',') {
			const ds_ar_column *x = &w->c->at[k];
			ds_text_byte(&t, before);
			ds_text_add(&t, x->field->label.at, x->field->label.n);
			if (!ds_ar_json(
				    &t, &w->batch->arrays[x->number], w->from + i, limit, &wrong))
				return not_printed(w, x->field, wrong, i, e);
		}
		ds_text_byte(&t, '}');
	}
	off[w->n] = (uint32_t)t.n;
	ds_ready_column(w->b,
		(ds_col){ .name = DS_S(DS_MORE), .type = DS_T_JSON, .off = off, .data = t.at },
		NULL);
	return DS_OK;
}

ds_rc ds_ar_make_block(const ds_ar_columns *c, const ds_ar_batch *batch, int64_t from, int64_t to,
	ds_arena *mem, ds_block **out, ds_err *e)
{
	uint32_t n = (uint32_t)(to - from);
	work w = { c, batch, from, n, mem, ds_block_new(mem, n) };
	for (uint32_t i = 0; i < c->n_columns; i++)
		DS_TRY(add_one(&w, &c->at[i], e));
	if (c->n_columns < c->n)
		DS_TRY(add_more(&w, e));
	*out = w.b;
	return DS_OK;
}
