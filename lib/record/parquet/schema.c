/*
 * schema.c - the list of schema elements, depth first, made a tree
 *
 * Logical types decide over the older converted types where both are there. An annotation that does
 * not fit its physical type is as if it were not there.
 */
#include "record/parquet/schema.h"

#include "base/hash.h"

enum { DEPTH = 100, NONE = -1, MOST_ELEMENTS = 1 << 20 };

/* What parquet.thrift calls LogicalType; the older ConvertedType is turned into it. */
enum {
	L_NONE = 0,
	L_STRING = 1,
	L_MAP = 2,
	L_LIST = 3,
	L_ENUM = 4,
	L_DECIMAL = 5,
	L_DATE = 6,
	L_TIME = 7,
	L_TIMESTAMP = 8,
	L_INTEGER = 10,
	L_UNKNOWN = 11,
	L_JSON = 12,
	L_UUID = 14,
	L_FLOAT16 = 15,
	L_INTERVAL = 100, /* has no logical type */
};

typedef struct { /* a SchemaElement */
	ds_str name;
	int64_t type, width, repetition, n_children, converted, scale;
	int logical;
	int64_t bits;
	bool is_signed, utc;
	uint8_t digits;
} element;

static void read_unit(ds_thrift *t, unsigned of, element *x)
{
	unsigned type;
	int id = 0;
	if (!ds_thrift_struct(t, of))
		return;
	while (ds_thrift_field(t, &id, &type)) {
		if (id >= 1 && id <= 3)
			x->digits = (uint8_t)(3 * id);
		ds_thrift_skip(t, type);
	}
}

/* The parameters of one logical type; which, is known already. */
static void read_parameters(ds_thrift *t, unsigned of, element *x)
{
	unsigned type;
	int id = 0;
	bool timed = x->logical == L_TIME || x->logical == L_TIMESTAMP;
	if (!ds_thrift_struct(t, of))
		return;
	while (ds_thrift_field(t, &id, &type))
		if (x->logical == L_DECIMAL && id == 1)
			x->scale = ds_thrift_int(t, type);
		else if (timed && id == 1)
			x->utc = ds_thrift_bool(t, type);
		else if (timed && id == 2)
			read_unit(t, type, x);
		else if (x->logical == L_INTEGER && id == 1)
			x->bits = ds_thrift_int(t, type);
		else if (x->logical == L_INTEGER && id == 2)
			x->is_signed = ds_thrift_bool(t, type);
		else
			ds_thrift_skip(t, type);
}

static void read_logical(ds_thrift *t, unsigned of, element *x)
{
	unsigned type;
	int id = 0;
	if (!ds_thrift_struct(t, of))
		return;
	while (ds_thrift_field(t, &id, &type)) {
		x->logical = id;
		read_parameters(t, type, x);
	}
}

static void take_converted(element *x)
{
	static const uint8_t as[] = { L_STRING, L_MAP, L_MAP, L_LIST, L_ENUM, L_DECIMAL, L_DATE,
		L_TIME, L_TIME, L_TIMESTAMP, L_TIMESTAMP, L_INTEGER, L_INTEGER, L_INTEGER,
		L_INTEGER, L_INTEGER, L_INTEGER, L_INTEGER, L_INTEGER, L_JSON, L_NONE, L_INTERVAL };
	if (x->logical || x->converted < 0 || x->converted >= (int64_t)sizeof(as))
		return;
	x->logical = as[x->converted];
	if (x->logical == L_TIME || x->logical == L_TIMESTAMP) {
		x->digits = x->converted % 2 ? 3 : 6; /* 7 and 9 count milliseconds */
		x->utc = true;
	}
	if (x->logical == L_INTEGER) {
		x->is_signed = x->converted >= 15;
		x->bits = (int64_t)8 << (x->converted - 11) % 4;
	}
}

static void read_element(ds_thrift *t, element *x)
{
	unsigned type;
	int id = 0;
	*x = (element){ .type = NONE, .converted = NONE, .is_signed = true };
	while (ds_thrift_field(t, &id, &type)) {
		int64_t *number[] = { NULL, &x->type, &x->width, &x->repetition, NULL,
			&x->n_children, &x->converted, &x->scale };
		if (id == 4)
			x->name = ds_thrift_bytes(t, type);
		else if (id == 10)
			read_logical(t, type, x);
		else if (id >= 1 && id <= 7)
			*number[id] = ds_thrift_int(t, type);
		else
			ds_thrift_skip(t, type);
	}
	take_converted(x);
}

static ds_scalar of_form(ds_scalar_kind kind, ds_scalar_form form)
{
	return (ds_scalar){ .kind = kind, .form = form };
}

static ds_scalar integer_kind(const element *x)
{
	ds_scalar s = of_form(DS_SC_I64, DS_FORM_INT);
	s.digits = x->digits;
	s.utc = x->utc;
	s.scale = (int)x->scale;
	if (x->logical == L_DECIMAL)
		s.kind = DS_SC_DECIMAL;
	else if (x->logical == L_DATE && x->type == DS_PQ_INT32)
		s.kind = DS_SC_DATE;
	else if (x->logical == L_TIME)
		s.kind = DS_SC_TIME;
	else if (x->logical == L_TIMESTAMP && x->type == DS_PQ_INT64)
		s.kind = DS_SC_STAMP;
	else if (x->logical == L_INTEGER && !x->is_signed)
		s.kind = DS_SC_U64;
	return s;
}

static ds_scalar bytes_kind(const element *x)
{
	bool fixed = x->type == DS_PQ_FIXED;
	ds_scalar s = of_form(DS_SC_BYTES, DS_FORM_BYTES);
	s.scale = (int)x->scale;
	if (x->logical == L_STRING || x->logical == L_ENUM)
		s.kind = DS_SC_TEXT;
	else if (x->logical == L_JSON)
		s.kind = DS_SC_JSON;
	else if (x->logical == L_DECIMAL && (!fixed || x->width <= DS_DECIMAL_BYTES))
		s.kind = DS_SC_DECIMAL;
	else if (x->logical == L_UUID && fixed && x->width == 16)
		s.kind = DS_SC_UUID;
	else if (x->logical == L_INTERVAL && fixed && x->width == 12)
		s.kind = DS_SC_INTERVAL;
	else if (x->logical == L_FLOAT16 && fixed && x->width == 2)
		s = of_form(DS_SC_F32, DS_FORM_FLOAT);
	return s;
}

static ds_scalar scalar_of(const element *x)
{
	ds_scalar s;
	switch (x->type) {
	case DS_PQ_BOOLEAN:
		s = of_form(DS_SC_BOOL, DS_FORM_INT);
		break;
	case DS_PQ_INT32:
	case DS_PQ_INT64:
		s = integer_kind(x);
		break;
	case DS_PQ_INT96:
		s = of_form(DS_SC_INT96, DS_FORM_BYTES);
		break;
	case DS_PQ_FLOAT:
	case DS_PQ_DOUBLE:
		s = of_form(x->type == DS_PQ_FLOAT ? DS_SC_F32 : DS_SC_F64, DS_FORM_FLOAT);
		break;
	default:
		s = bytes_kind(x);
	}
	if (x->logical == L_UNKNOWN)
		s.kind = DS_SC_NULL;
	return s;
}

typedef struct {
	ds_pq_meta *m;
	ds_arena *mem;
	const element *at;
	size_t n, next, cap_leaves;
} builder;

static ds_rc wrong(const builder *b, const element *x, ds_err *e, const char *what)
{
	return ds_fail(
		e, DS_BAD, "%.*s: column '%.*s' %s", DS_FMT(b->m->name), DS_FMT(x->name), what);
}

static ds_rc add_leaf(builder *b, ds_pq_node *n, const element *x, ds_err *e)
{
	if (x->type < DS_PQ_BOOLEAN || x->type > DS_PQ_FIXED)
		return wrong(b, x, e, "has an unknown type");
	if (x->type == DS_PQ_FIXED && (x->width <= 0 || x->width > 1 << 30))
		return wrong(b, x, e, "has an impossible width");
	if (x->scale < -DS_DECIMAL_SCALE || x->scale > DS_DECIMAL_SCALE)
		return wrong(b, x, e, "has an impossible scale");
	n->type = (ds_pq_type)x->type;
	static const uint8_t width[] = { 0, 4, 8, 12, 4, 8, 0 };
	n->width = x->type == DS_PQ_FIXED ? (uint32_t)x->width : width[x->type];
	n->scalar = scalar_of(x);
	n->n_leaves = 1;
	b->m->leaves[b->m->n_leaves++] = n;
	return DS_OK;
}

/* The rules of LogicalTypes.md for lists as older writers made them. */
static void find_list(ds_pq_node *n)
{
	ds_pq_node *r = n->first;
	if (n->n_children != 1 || r->repetition != DS_PQ_REPEATED)
		return;
	char tuple[256];
	size_t k = n->name.n < sizeof(tuple) - 6 ? n->name.n : 0;
	memcpy(tuple, n->name.at, k);
	memcpy(tuple + k, "_tuple", 6);
	bool itself = r->n_children != 1 || ds_str_is(r->name, "array") ||
		      ds_str_eq(r->name, (ds_str){ tuple, k + 6 }) ||
		      r->first->repetition == DS_PQ_REPEATED;
	n->group = DS_PQ_LIST;
	n->repeated = r;
	n->element = itself ? r : r->first;
}

static void find_map(ds_pq_node *n)
{
	ds_pq_node *r = n->first;
	if (n->n_children != 1 || r->repetition != DS_PQ_REPEATED || r->n_children < 1 ||
		r->n_children > 2)
		return;
	n->group = DS_PQ_MAP;
	n->repeated = r;
	n->key = r->first;
	n->value = r->first->next;
}

static ds_rc build(
	builder *b, ds_pq_node **out, unsigned def, unsigned rep, unsigned depth, ds_err *e);

static ds_rc add_children(builder *b, ds_pq_node *n, const element *x, unsigned depth, ds_err *e)
{
	DS_AUTO(ds_map) names = ds_map_new(8);
	ds_pq_node **last = &n->first;
	for (int64_t i = 0; i < x->n_children; i++) {
		bool is_new;
		DS_TRY(build(b, last, n->max_def, n->max_rep, depth + 1, e));
		ds_map_put(names, (*last)->name, &is_new);
		if (!is_new)
			return ds_fail(e, DS_BAD, "%.*s: two columns are named '%.*s'",
				DS_FMT(b->m->name), DS_FMT((*last)->name));
		last = &(*last)->next;
	}
	n->n_children = (uint32_t)x->n_children;
	n->n_leaves = b->m->n_leaves - n->first_leaf;
	if (x->logical == L_LIST)
		find_list(n);
	else if (x->logical == L_MAP)
		find_map(n);
	return DS_OK;
}

static ds_str label_of(ds_arena *mem, ds_str name)
{
	ds_text t = ds_text_new(mem, name.n + 4);
	ds_json_raw_str(&t, name);
	ds_text_byte(&t, ':');
	return (ds_str){ t.at, t.n };
}

static ds_rc build(
	builder *b, ds_pq_node **out, unsigned def, unsigned rep, unsigned depth, ds_err *e)
{
	if (b->next == b->n || depth > DEPTH)
		return ds_fail(e, DS_BAD, "%.*s: the schema %s", DS_FMT(b->m->name),
			depth > DEPTH ? "is nested too deeply" : "lacks columns");
	const element *x = &b->at[b->next++];
	ds_pq_node *n = *out = ds_arena_zero(b->mem, sizeof(*n));
	n->name = x->name;
	n->label = label_of(b->mem, x->name);
	n->first_leaf = b->m->n_leaves;
	if (depth && (x->repetition < 0 || x->repetition > DS_PQ_REPEATED))
		return wrong(b, x, e, "has an unknown repetition");
	n->repetition = depth ? (uint8_t)x->repetition : DS_PQ_REQUIRED;
	n->max_def = (uint8_t)(def + (n->repetition != DS_PQ_REQUIRED));
	n->max_rep = (uint8_t)(rep + (n->repetition == DS_PQ_REPEATED));
	if (x->n_children < 0 || (depth && x->type == NONE && !x->n_children))
		return wrong(b, x, e, "has neither a type nor columns below it");
	return x->n_children || !depth ? add_children(b, n, x, depth, e) : add_leaf(b, n, x, e);
}

ds_rc ds_pq_read_schema(ds_pq_meta *m, ds_thrift *t, unsigned type, ds_arena *mem, ds_err *e)
{
	size_t n = ds_thrift_list(t, type, DS_THRIFT_STRUCT);
	if (m->root)
		return ds_fail(e, DS_SHORT, "%.*s: damaged: two schemas", DS_FMT(m->name));
	if (n > MOST_ELEMENTS)
		return ds_fail(e, DS_BAD, "%.*s: %zu columns, the limit is %d", DS_FMT(m->name), n,
			MOST_ELEMENTS);
	element *at = ds_arena_get(mem, (n + 1) * sizeof(*at));
	for (size_t i = 0; i < n && ds_thrift_ok(t); i++)
		read_element(t, &at[i]);
	if (!ds_thrift_ok(t))
		return ds_fail(
			e, DS_SHORT, "%.*s: damaged: the schema cannot be read", DS_FMT(m->name));
	m->leaves = ds_arena_get(mem, (n + 1) * sizeof(*m->leaves));
	builder b = { .m = m, .mem = mem, .at = at, .n = n };
	DS_TRY(build(&b, &m->root, 0, 0, 0, e));
	if (b.next != n)
		return ds_fail(e, DS_BAD, "%.*s: the schema has columns outside its root",
			DS_FMT(m->name));
	return DS_OK;
}
