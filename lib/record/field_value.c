/*
 * field_value.c - what a path ends at, whatever kind of value it is
 */
#include "record/field_impl.h"
#include "json/json.h"

static void add(ds_field_found *out, ds_arena *mem, const ds_json *v)
{
	if (out->n == out->cap) {
		size_t cap = out->cap ? 2 * out->cap : 4;
		const ds_json **more = ds_arena_get(mem, cap * sizeof(ds_json *));
		if (out->n)
			memcpy(more, out->at, out->n * sizeof(ds_json *));
		out->at = more;
		out->cap = cap;
	}
	out->at[out->n++] = v;
}

static void follow(
	ds_field_found *out, ds_arena *mem, const ds_json *v, const ds_step *steps, size_t n)
{
	if (n == 0) {
		add(out, mem, v);
		return;
	}
	size_t at = 0;
	bool key = steps->kind == DS_STEP_KEY;
	if (v->kind != (key ? DS_J_OBJ : DS_J_ARR))
		return;
	for (const ds_json *m = v->first; m; m = m->next, at++)
		if (key ? ds_str_eq(m->key, steps->key)
			: steps->kind == DS_STEP_EACH || steps->index == at)
			follow(out, mem, m, steps + 1, n - 1);
}

/* The value of a column that is no JSON; false: a list, which has none. */
static bool plain(const ds_col *c, uint32_t row, ds_json *v)
{
	switch (c->type) {
	case DS_T_UTF8:
	case DS_T_BYTES:
		v->kind = DS_J_STR;
		v->s = ds_col_bytes(c, row);
		return true;
	case DS_T_BOOL:
		v->kind = DS_J_BOOL;
		v->b = ds_col_bool(c, row);
		return true;
	case DS_T_I64:
		v->kind = DS_J_I64;
		v->i = ds_col_i64(c, row);
		v->f = (double)v->i;
		return true;
	case DS_T_F64:
		v->kind = DS_J_F64;
		v->f = ds_col_f64(c, row);
		return true;
	default:
		return false;
	}
}

ds_rc ds_field_values(
	const ds_field *f, ds_block *b, uint32_t row, ds_arena *mem, ds_field_found *out, ds_err *e)
{
	const ds_path *p = &f->paths[0];
	const ds_json *tree;
	size_t named;
	ds_col *c = ds_field_start(b, p, &named);
	*out = (ds_field_found){ 0 };
	if (!c)
		return DS_OK;
	DS_TRY(ds_col_decode(b, c, e));
	if (!ds_col_has(c, row))
		return DS_OK;
	if (c->type == DS_T_JSON && !ds_col_null(c, row)) {
		DS_TRY_AT(ds_json_parse(&tree, mem, ds_col_bytes(c, row), e), e, "field '%s'",
			f->name);
		follow(out, mem, tree, p->steps + named, p->n - named);
		return DS_OK;
	}
	ds_json *v = ds_arena_zero(mem, sizeof(*v)); /* DS_J_NULL */
	if (named == p->n && (ds_col_null(c, row) || plain(c, row, v)))
		add(out, mem, v);
	return DS_OK;
}
