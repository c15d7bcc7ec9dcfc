/*
 * shape.c - what values have in common
 */
#include "record/shape.h"

enum { MOST_EXACT_BITS = 53 };

/* Whether every row of a decoded column is null or absent. */
static bool is_empty(const ds_col *c, uint32_t n_rows)
{
	for (uint32_t i = 0; i < n_rows; i++)
		if (ds_col_has(c, i) && !ds_col_null(c, i))
			return false;
	return true;
}

const char *ds_value_shape_name(const ds_value_shape *s)
{
	static const char *const name[] = { "null", "true or false", "an integer", "a number",
		"a token", "a number", "a string", "bytes", "JSON", "a list", "an object" };
	return name[s->kind];
}

ds_value_shape *ds_value_shape_find(const ds_value_shape *s, ds_str name)
{
	for (ds_value_shape *x = s->kind == DS_SHAPE_STRUCT ? s->first : NULL; x; x = x->next)
		if (ds_str_eq(x->name, name))
			return x;
	return NULL;
}

static bool is_number(ds_value_shape_kind k)
{
	return k == DS_SHAPE_I64 || k == DS_SHAPE_F64 || k == DS_SHAPE_U32 || k == DS_SHAPE_F32;
}

static bool is_large(int64_t v)
{
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
	return u >> MOST_EXACT_BITS != 0;
}

/* Values of one more kind; large: an integer that a double may not hold. */
static void meet(ds_value_shape *s, ds_value_shape_kind kind, bool large)
{
	ds_value_shape_kind was = s->kind;
	s->large |= large;
	if (was == DS_SHAPE_OPEN || kind == DS_SHAPE_OPEN || was == kind)
		s->kind = kind == DS_SHAPE_OPEN ? was : kind;
	else if (is_number(was) && is_number(kind))
		s->kind = (was == DS_SHAPE_I64 || was == DS_SHAPE_U32) &&
					  (kind == DS_SHAPE_I64 || kind == DS_SHAPE_U32)
				  ? DS_SHAPE_I64
				  : DS_SHAPE_F64;
	else
		s->kind = DS_SHAPE_JSON;
	if (s->kind == DS_SHAPE_F64 && s->large)
		s->kind = DS_SHAPE_JSON;
}

static ds_value_shape *element_of(ds_value_shape *s, ds_arena *mem)
{
	if (!s->first)
		s->first = ds_arena_zero(mem, sizeof(*s->first));
	return s->first;
}

static ds_value_shape *field_of(ds_value_shape *s, ds_str name, ds_arena *mem)
{
	ds_value_shape **last = &s->first;
	for (; *last; last = &(*last)->next)
		if (ds_str_eq((*last)->name, name))
			return *last;
	if (s->n_fields == DS_SHAPE_FIELDS)
		return NULL;
	s->n_fields++;
	*last = ds_arena_zero(mem, sizeof(**last));
	(*last)->name = ds_arena_str(mem, name);
	return *last;
}

static void see_json(ds_value_shape *s, const ds_json *v, ds_arena *mem, unsigned depth)
{
	static const uint8_t as[] = { [DS_J_NULL] = DS_SHAPE_OPEN,
		[DS_J_BOOL] = DS_SHAPE_BOOL,
		[DS_J_I64] = DS_SHAPE_I64,
		[DS_J_F64] = DS_SHAPE_F64,
		[DS_J_BIG] = DS_SHAPE_JSON,
		[DS_J_STR] = DS_SHAPE_TEXT,
		[DS_J_ARR] = DS_SHAPE_LIST,
		[DS_J_OBJ] = DS_SHAPE_STRUCT };
	bool nested = v->kind == DS_J_ARR || v->kind == DS_J_OBJ;
	meet(s, nested && depth > DS_SHAPE_DEPTH ? DS_SHAPE_JSON : (ds_value_shape_kind)as[v->kind],
		v->kind == DS_J_I64 && is_large(v->i));
	if (s->kind == DS_SHAPE_LIST && v->kind == DS_J_ARR)
		for (const ds_json *x = v->first; x; x = x->next)
			see_json(element_of(s, mem), x, mem, depth + 1);
	if (s->kind != DS_SHAPE_STRUCT || v->kind != DS_J_OBJ)
		return;
	for (const ds_json *x = v->first; x; x = x->next) {
		ds_value_shape *f = field_of(s, x->key, mem);
		if (!f) {
			s->kind = DS_SHAPE_JSON;
			return;
		}
		see_json(f, x, mem, depth + 1);
	}
}

static ds_rc see_json_column(
	ds_value_shape *s, ds_block *b, const ds_col *c, ds_arena *mem, ds_err *e)
{
	DS_AUTO(ds_arena) scratch = ds_arena_new(64 << 10);
	for (uint32_t i = 0; i < b->n_rows && s->kind != DS_SHAPE_JSON; i++) {
		const ds_json *v;
		if (!ds_col_has(c, i) || ds_col_null(c, i))
			continue;
		ds_arena_reset(scratch);
		DS_TRY_AT(ds_json_parse(&v, scratch, ds_col_bytes(c, i), e), e,
			"record %llu: field '%.*s'", (unsigned long long)ds_block_record(b, i) + 1,
			DS_FMT(c->name));
		see_json(s, v, mem, 0);
	}
	return DS_OK;
}

static void see_ints(ds_value_shape *s, const ds_block *b, const ds_col *c)
{
	bool large = false;
	for (uint32_t i = 0; i < b->n_rows; i++)
		large |= is_large(ds_col_i64(c, i)); /* rows without a value are zeros */
	meet(s, DS_SHAPE_I64, large);
}

static void see_list(ds_value_shape *s, ds_value_shape_kind element, ds_arena *mem)
{
	meet(s, DS_SHAPE_LIST, false);
	if (s->kind == DS_SHAPE_LIST)
		meet(element_of(s, mem), element, false);
}

ds_rc ds_value_shape_see(ds_value_shape *s, ds_block *b, ds_col *c, ds_arena *mem, ds_err *e)
{
	DS_TRY(ds_col_decode(b, c, e));
	if (is_empty(c, b->n_rows))
		return DS_OK;
	switch (c->type) {
	case DS_T_BOOL:
		meet(s, DS_SHAPE_BOOL, false);
		break;
	case DS_T_I64:
		see_ints(s, b, c);
		break;
	case DS_T_F64:
		meet(s, DS_SHAPE_F64, false);
		break;
	case DS_T_UTF8:
		meet(s, DS_SHAPE_TEXT, false);
		break;
	case DS_T_BYTES:
		meet(s, DS_SHAPE_BYTES, false);
		break;
	case DS_T_F32S:
		see_list(s, DS_SHAPE_F32, mem);
		break;
	case DS_T_U16S:
	case DS_T_U32S:
		see_list(s, DS_SHAPE_U32, mem);
		break;
	default:
		return see_json_column(s, b, c, mem, e);
	}
	return DS_OK;
}

static void close_inner(ds_value_shape *s)
{
	if (s->kind == DS_SHAPE_OPEN)
		s->kind = DS_SHAPE_JSON;
	ds_value_shape_close(s);
}

void ds_value_shape_close(ds_value_shape *s)
{
	if (s->kind == DS_SHAPE_LIST && !s->first)
		s->kind = DS_SHAPE_JSON;
	if (s->kind == DS_SHAPE_STRUCT && !s->n_fields)
		s->kind = DS_SHAPE_JSON;
	if (s->kind == DS_SHAPE_LIST || s->kind == DS_SHAPE_STRUCT)
		for (ds_value_shape *x = s->first; x; x = x->next)
			close_inner(x);
}
