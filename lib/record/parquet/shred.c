/*
 * shred.c - values with the levels of Dremel: how deep things are there, at which list they repeat
 *
 * Every field, element and member may be null; so a scalar adds one to the definition level, a list two.
 */
#include "record/parquet/shred.h"

#include "base/mem.h"
#include "record/export.h"
#include "record/scalar.h"

typedef struct {
	ds_pq_shredder *s;
	ds_block *b;
	const ds_col *col;
	uint32_t row;
	ds_arena *mem; /* scratch */
	ds_err *e;
} work;

bool ds_pq_is_picture(const ds_value_shape *s)
{
	return s->kind == DS_SHAPE_STRUCT && s->n_fields == 2 && s->first->kind == DS_SHAPE_BYTES &&
	       ds_str_is(s->first->name, "bytes") && s->first->next->kind == DS_SHAPE_TEXT &&
	       ds_str_is(s->first->next->name, "path");
}

static ds_pq_sink_leaf *new_leaf(ds_pq_shredder *s)
{
	if (s->n_leaves == s->cap_leaves) {
		size_t cap = s->cap_leaves ? 2 * s->cap_leaves : 32;
		s->leaves = ds_mem_grow(
			s->leaves, s->cap_leaves * sizeof(*s->leaves), cap * sizeof(*s->leaves));
		s->cap_leaves = cap;
	}
	return s->leaves[s->n_leaves++] = ds_arena_zero(s->mem, sizeof(ds_pq_sink_leaf));
}

typedef struct step {
	const struct step *up;
	ds_str name;
} step;

static void set_path(ds_pq_shredder *s, ds_pq_sink_leaf *l, const step *at)
{
	size_t n = 0;
	for (const step *x = at; x; x = x->up)
		n++;
	l->path = ds_arena_get(s->mem, n * sizeof(*l->path));
	l->n_path = n;
	for (const step *x = at; x; x = x->up)
		l->path[--n] = x->name;
}

/* Leaves below a copied shape. */
static void add_leaves(
	ds_pq_shredder *s, ds_value_shape *x, const step *at, unsigned def, unsigned rep)
{
	if (x->kind == DS_SHAPE_LIST) {
		step list = { at, DS_S("list") }, element = { &list, DS_S("element") };
		add_leaves(s, x->first, &element, def + 2, rep + 1);
	} else if (x->kind == DS_SHAPE_STRUCT) {
		for (ds_value_shape *f = x->first; f; f = f->next)
			add_leaves(s, f, &(step){ at, f->name }, def + 1, rep);
	} else {
		ds_pq_sink_leaf *l = new_leaf(s);
		l->kind = x->kind;
		l->max_def = def + 1;
		l->max_rep = rep;
		l->first_group = s->group;
		set_path(s, l, at);
		x->to = l;
	}
}

static ds_value_shape *copy_of(ds_arena *mem, const ds_value_shape *x)
{
	ds_value_shape *to = ds_arena_get(mem, sizeof(*to)), **last = &to->first;
	*to = *x;
	to->name = ds_arena_str(mem, x->name);
	to->next = NULL;
	to->first = NULL;
	for (const ds_value_shape *f = x->first; f; f = f->next, last = &(*last)->next)
		*last = copy_of(mem, f);
	return to;
}

static void add_entry(ds_pq_sink_leaf *l, unsigned rep, unsigned def)
{
	ds_buf_add_byte(&l->def, (char)def);
	if (l->max_rep)
		ds_buf_add_byte(&l->rep, (char)rep);
	l->n_values += def == l->max_def;
}

static void add_nulls(ds_pq_sink_leaf *l, uint32_t n)
{
	if (!n)
		return;
	ds_buf_reserve(&l->def, n);
	memset(l->def.at + l->def.n, 0, n);
	l->def.n += n;
	if (!l->max_rep)
		return;
	ds_buf_reserve(&l->rep, n);
	memset(l->rep.at + l->rep.n, 0, n);
	l->rep.n += n;
}

static void each_leaf_nulls(const ds_value_shape *x, uint32_t n)
{
	if (x->kind != DS_SHAPE_LIST && x->kind != DS_SHAPE_STRUCT)
		add_nulls(x->to, n);
	else
		for (const ds_value_shape *f = x->first; f; f = f->next)
			each_leaf_nulls(f, n);
}

static ds_value_shape *find_field(const ds_pq_shredder *s, ds_str name)
{
	for (ds_value_shape *x = s->fields; x; x = x->next)
		if (ds_str_eq(x->name, name))
			return x;
	return NULL;
}

ds_value_shape *ds_pq_add_field(ds_pq_shredder *s, ds_str name, const ds_value_shape *shape)
{
	ds_value_shape *x = copy_of(s->mem, shape);
	x->name = ds_arena_str(s->mem, name);
	ds_value_shape_close(x);
	if (x->kind == DS_SHAPE_BYTES && ds_str_is(name, "image")) {
		ds_value_shape *bytes = ds_arena_zero(s->mem, sizeof(*bytes));
		ds_value_shape *path = ds_arena_zero(s->mem, sizeof(*path));
		*bytes = (ds_value_shape){
			.name = DS_S("bytes"), .kind = DS_SHAPE_BYTES, .next = path
		};
		*path = (ds_value_shape){ .name = DS_S("path"), .kind = DS_SHAPE_TEXT };
		x->kind = DS_SHAPE_STRUCT;
		x->first = bytes;
		x->n_fields = 2;
	}
	add_leaves(s, x, &(step){ NULL, x->name }, 0, 0);
	if (!s->last)
		s->last = &s->fields;
	*s->last = x;
	s->last = &x->next;
	s->n_fields++;
	each_leaf_nulls(x, s->rows);
	return x;
}

void ds_pq_note_open(ds_pq_shredder *s, ds_str name)
{
	ds_value_shape **last = &s->open;
	for (; *last; last = &(*last)->next)
		if (ds_str_eq((*last)->name, name))
			return;
	*last = ds_arena_zero(s->mem, sizeof(**last));
	(*last)->name = ds_arena_str(s->mem, name);
}

void ds_pq_add_open(ds_pq_shredder *s)
{
	for (const ds_value_shape *x = s->open; x; x = x->next)
		if (!find_field(s, x->name))
			ds_pq_add_field(s, x->name, x);
	s->open = NULL;
}

static ds_rc other_type(work *w, const ds_value_shape *x, const char *what)
{
	return ds_fail(w->e, DS_BAD,
		"record %llu: field '%.*s': %s, where records before have %s: a column has one "
		"type",
		(unsigned long long)ds_block_record(w->b, w->row) + 1, DS_FMT(w->col->name), what,
		ds_value_shape_name(x));
}

static void add_bytes(ds_pq_sink_leaf *l, ds_str s)
{
	uint32_t n = (uint32_t)s.n;
	ds_buf_add(&l->sizes, &n, sizeof(n));
	ds_buf_add_str(&l->data, s);
}

static void add_null(const ds_value_shape *x, unsigned rep, unsigned def)
{
	if (x->kind != DS_SHAPE_LIST && x->kind != DS_SHAPE_STRUCT)
		add_entry(x->to, rep, def);
	else
		for (const ds_value_shape *f = x->first; f; f = f->next)
			add_null(f, rep, def);
}

static ds_rc add_number(work *w, const ds_value_shape *x, const ds_json *v)
{
	ds_pq_sink_leaf *l = x->to;
	bool whole = v->kind == DS_J_I64, any = whole || v->kind == DS_J_F64;
	uint32_t id = (uint32_t)v->i;
	float narrow = (float)v->f;
	if (x->kind == DS_SHAPE_I64 && whole)
		ds_buf_add(&l->data, &v->i, 8);
	else if (x->kind == DS_SHAPE_F64 && any && (!whole || (int64_t)v->f == v->i))
		ds_buf_add(&l->data, &v->f, 8);
	else if (x->kind == DS_SHAPE_U32 && whole && id == v->i)
		ds_buf_add(&l->data, &id, 4);
	else if (x->kind == DS_SHAPE_F32 && any && (double)narrow == v->f)
		ds_buf_add(&l->data, &narrow, 4);
	else
		return other_type(w, x, any ? "a number that does not fit" : "no number");
	return DS_OK;
}

static ds_rc add_scalar(
	work *w, const ds_value_shape *x, const ds_json *v, unsigned rep, unsigned def)
{
	ds_pq_sink_leaf *l = x->to;
	ds_buf text = { 0 };
	switch (x->kind) {
	case DS_SHAPE_JSON:
		ds_json_add(&text, v);
		add_bytes(l, ds_buf_view(&text));
		ds_buf_free(&text);
		break;
	case DS_SHAPE_TEXT:
		if (v->kind != DS_J_STR)
			return other_type(w, x, "no string");
		add_bytes(l, ds_valid_text(w->mem, v->s, &w->s->replaced));
		break;
	case DS_SHAPE_BOOL:
		if (v->kind != DS_J_BOOL)
			return other_type(w, x, "not true or false");
		ds_buf_add_byte(&l->data, v->b);
		break;
	case DS_SHAPE_BYTES:
		return other_type(w, x, "JSON");
	default:
		DS_TRY(add_number(w, x, v));
	}
	add_entry(l, rep, def + 1);
	return DS_OK;
}

static ds_rc add_json(work *w, const ds_value_shape *x, const ds_json *v, unsigned rep,
	unsigned def, unsigned lists);

static ds_rc add_members(work *w, const ds_value_shape *x, const ds_json *v, unsigned rep,
	unsigned def, unsigned lists)
{
	size_t n = 0;
	for (const ds_value_shape *f = x->first; f; f = f->next) {
		const ds_json *m = v->first;
		while (m && !ds_str_eq(m->key, f->name))
			m = m->next;
		n += m != NULL;
		if (m)
			DS_TRY(add_json(w, f, m, rep, def + 1, lists));
		else
			add_null(f, rep, def + 1);
	}
	for (const ds_json *m = n < v->n ? v->first : NULL; m; m = m->next)
		if (!ds_value_shape_find(x, m->key))
			return ds_fail(w->e, DS_BAD,
				"record %llu: field '%.*s' has a member '%.*s' that none of the "
				"first "
				"records has, by which its columns were made",
				(unsigned long long)ds_block_record(w->b, w->row) + 1,
				DS_FMT(w->col->name), DS_FMT(m->key));
	return DS_OK;
}

static ds_rc add_json(work *w, const ds_value_shape *x, const ds_json *v, unsigned rep,
	unsigned def, unsigned lists)
{
	if (v->kind == DS_J_NULL) {
		add_null(x, rep, def);
		return DS_OK;
	}
	if (x->kind == DS_SHAPE_STRUCT)
		return v->kind == DS_J_OBJ ? add_members(w, x, v, rep, def, lists)
					   : other_type(w, x, "no object");
	if (x->kind != DS_SHAPE_LIST)
		return add_scalar(w, x, v, rep, def);
	if (v->kind != DS_J_ARR)
		return other_type(w, x, "no list");
	if (!v->n)
		add_null(x->first, rep, def + 1);
	for (const ds_json *m = v->first; m; m = m->next) {
		DS_TRY(add_json(w, x->first, m, rep, def + 2, lists + 1));
		rep = lists + 1;
	}
	return DS_OK;
}

static bool there(const ds_col *c, uint32_t row)
{
	return ds_col_has(c, row) && !ds_col_null(c, row);
}

/* The value of a column that is no JSON as if it were. */
static ds_json number_of(const ds_col *c, uint32_t row)
{
	ds_json v = { .kind = DS_J_F64 };
	if (c->type == DS_T_BOOL)
		return (ds_json){ .kind = DS_J_BOOL, .b = ds_col_bool(c, row) };
	if (c->type == DS_T_I64) {
		v.kind = DS_J_I64;
		v.i = ds_col_i64(c, row);
		v.f = (double)v.i;
	} else {
		v.f = ds_col_f64(c, row);
	}
	return v;
}

static ds_rc add_list_row(work *w, const ds_value_shape *x)
{
	size_t n = w->col->off[w->row + 1] - w->col->off[w->row], k;
	unsigned rep = 0;
	if (!n)
		add_null(x->first, 0, 1);
	for (size_t i = 0; i < n; i++, rep = 1) {
		ds_json v = { .kind = DS_J_I64 };
		if (w->col->type == DS_T_F32S) {
			v.kind = DS_J_F64;
			v.f = (double)ds_col_f32s(w->col, w->row, &k)[i];
		} else {
			v.i = w->col->type == DS_T_U16S ? ds_col_u16s(w->col, w->row, &k)[i]
							: ds_col_u32s(w->col, w->row, &k)[i];
			v.f = (double)v.i;
		}
		DS_TRY(add_scalar(w, x->first, &v, rep, 2));
	}
	return DS_OK;
}

static ds_rc add_picture(work *w, const ds_value_shape *x)
{
	ds_pq_sink_leaf *bytes = x->first->to;
	add_bytes(bytes, ds_col_bytes(w->col, w->row));
	add_entry(bytes, 0, 2);
	add_null(x->first->next, 0, 1);
	return DS_OK;
}

static ds_rc add_as_json(work *w, const ds_value_shape *x)
{
	ds_json_field f = ds_json_field_of(w->col, 0);
	ds_text t = ds_text_new(w->mem, 64);
	f.valid = false;
	ds_text_json_value(&t, &f, w->row, &w->s->replaced);
	add_bytes(x->to, (ds_str){ t.at, t.n });
	add_entry(x->to, 0, 1);
	return DS_OK;
}

/* A row that has a value. */
static ds_rc add_row(work *w, const ds_value_shape *x)
{
	const ds_col *c = w->col;
	const ds_json *v;
	ds_json number;
	if (x->kind == DS_SHAPE_JSON)
		return add_as_json(w, x);
	switch (c->type) {
	case DS_T_JSON:
		DS_TRY_AT(ds_json_parse(&v, w->mem, ds_col_bytes(c, w->row), w->e), w->e,
			"record %llu: field '%.*s'",
			(unsigned long long)ds_block_record(w->b, w->row) + 1, DS_FMT(c->name));
		return add_json(w, x, v, 0, 0, 0);
	case DS_T_UTF8:
		number = (ds_json){ .kind = DS_J_STR, .s = ds_col_bytes(c, w->row) };
		return x->kind == DS_SHAPE_TEXT ? add_scalar(w, x, &number, 0, 0)
						: other_type(w, x, "a string");
	case DS_T_BYTES:
		if (ds_pq_is_picture(x))
			return add_picture(w, x);
		if (x->kind != DS_SHAPE_BYTES)
			return other_type(w, x, "bytes");
		add_bytes(x->to, ds_col_bytes(c, w->row));
		add_entry(x->to, 0, 1);
		return DS_OK;
	case DS_T_BOOL:
	case DS_T_I64:
	case DS_T_F64:
		number = number_of(c, w->row);
		if (x->kind == DS_SHAPE_LIST || x->kind == DS_SHAPE_STRUCT)
			return other_type(w, x, "a number");
		return add_scalar(w, x, &number, 0, 0);
	default:
		return x->kind == DS_SHAPE_LIST ? add_list_row(w, x)
						: other_type(w, x, "a list of numbers");
	}
}

/* Whole columns without a gap, in one piece. */
static bool add_all(work *w, const ds_value_shape *x)
{
	const ds_col *c = w->col;
	uint32_t n = w->b->n_rows;
	ds_pq_sink_leaf *l = x->to;
	bool numbers = (c->type == DS_T_I64 && x->kind == DS_SHAPE_I64) ||
		       (c->type == DS_T_F64 && x->kind == DS_SHAPE_F64);
	bool text = (c->type == DS_T_UTF8 && x->kind == DS_SHAPE_TEXT &&
			    ds_json_field_of(c, n).valid) ||
		    (c->type == DS_T_BYTES && x->kind == DS_SHAPE_BYTES);
	if (c->present || c->nulls || !(numbers || text))
		return false;
	if (numbers)
		ds_buf_add(&l->data, c->data, (size_t)n * 8);
	for (uint32_t i = 0; i < n && text; i++) {
		uint32_t size = c->off[i + 1] - c->off[i];
		ds_buf_add(&l->sizes, &size, sizeof(size));
	}
	if (text)
		ds_buf_add(&l->data, (const char *)c->data + c->off[0], c->off[n] - c->off[0]);
	ds_buf_reserve(&l->def, n);
	memset(l->def.at + l->def.n, 1, n);
	l->def.n += n;
	l->n_values += n;
	return true;
}

static ds_rc add_column(work *w, const ds_value_shape *x)
{
	if (add_all(w, x))
		return DS_OK;
	for (w->row = 0; w->row < w->b->n_rows; w->row++) {
		if (there(w->col, w->row))
			DS_TRY(add_row(w, x));
		else
			add_null(x, 0, 0);
		if (w->row % 256 == 255)
			ds_arena_reset(w->mem);
	}
	return DS_OK;
}

static ds_rc see_new(work *w, ds_col *c, ds_value_shape **x)
{
	ds_value_shape seen = { 0 };
	*x = find_field(w->s, c->name);
	if (*x)
		return DS_OK;
	ds_arena_reset(w->mem);
	DS_TRY(ds_value_shape_see(&seen, w->b, c, w->mem, w->e));
	if (seen.kind == DS_SHAPE_OPEN)
		ds_pq_note_open(w->s, c->name);
	else
		*x = ds_pq_add_field(w->s, c->name, &seen);
	return DS_OK;
}

static ds_rc shred(work *w)
{
	for (uint32_t i = 0; i < w->b->n_cols; i++) {
		ds_col *c = &w->b->cols[i];
		ds_value_shape *x;
		DS_TRY(ds_col_decode(w->b, c, w->e));
		DS_TRY(see_new(w, c, &x));
		w->col = c;
		if (x)
			DS_TRY(add_column(w, x));
	}
	for (const ds_value_shape *x = w->s->fields; x; x = x->next) {
		bool lacks = true;
		for (uint32_t i = 0; i < w->b->n_cols && lacks; i++)
			lacks = !ds_str_eq(w->b->cols[i].name, x->name);
		if (lacks)
			each_leaf_nulls(x, w->b->n_rows);
	}
	w->s->rows += w->b->n_rows;
	return DS_OK;
}

ds_rc ds_pq_shred(ds_pq_shredder *s, ds_block *b, ds_err *e)
{
	work w = { .s = s, .b = b, .mem = ds_arena_new(64 << 10), .e = e };
	ds_rc rc = shred(&w);
	ds_arena_free(w.mem);
	return rc;
}

size_t ds_pq_gathered_bytes(const ds_pq_shredder *s)
{
	size_t all = 0;
	for (size_t i = 0; i < s->n_leaves; i++) {
		const ds_pq_sink_leaf *l = s->leaves[i];
		all += l->data.n + l->sizes.n + l->def.n + l->rep.n;
	}
	return all;
}

void ds_pq_next_group(ds_pq_shredder *s)
{
	for (size_t i = 0; i < s->n_leaves; i++) {
		ds_pq_sink_leaf *l = s->leaves[i];
		l->data.n = l->sizes.n = l->def.n = l->rep.n = 0;
		l->n_values = 0;
	}
	s->rows = 0;
	s->group++;
}

void ds_pq_shredder_free(ds_pq_shredder *s)
{
	for (size_t i = 0; i < s->n_leaves; i++) {
		ds_pq_sink_leaf *l = s->leaves[i];
		ds_buf_free(&l->data);
		ds_buf_free(&l->sizes);
		ds_buf_free(&l->def);
		ds_buf_free(&l->rep);
	}
	ds_mem_free(s->leaves);
}
