/*
 * schema.c - Schema.fbs of Apache Arrow
 */
#include "record/arrow/schema.h"

enum { DEPTH = 64, MOST_FIELDS = 1 << 20 };

enum { /* Type, the union's members */
	T_NULL = 1,
	T_INT = 2,
	T_FLOAT = 3,
	T_BINARY = 4,
	T_UTF8 = 5,
	T_BOOL = 6,
	T_DECIMAL = 7,
	T_DATE = 8,
	T_TIME = 9,
	T_TIMESTAMP = 10,
	T_INTERVAL = 11,
	T_LIST = 12,
	T_STRUCT = 13,
	T_UNION = 14,
	T_FIXED_BINARY = 15,
	T_FIXED_LIST = 16,
	T_MAP = 17,
	T_DURATION = 18,
	T_LARGE_BINARY = 19,
	T_LARGE_UTF8 = 20,
	T_LARGE_LIST = 21,
	T_RUNS = 22,
	T_BINARY_VIEW = 23,
	T_UTF8_VIEW = 24,
	T_LIST_VIEW = 25,
	T_LARGE_LIST_VIEW = 26,
};

typedef struct {
	ds_arena *mem;
	size_t n; /* fields so far */
} reader;

static ds_rc wrong(const ds_ar_field *f, ds_err *e, const char *what)
{
	return ds_fail(e, DS_BAD, "field '%.*s' %s", DS_FMT(f->name), what);
}

static void set(ds_ar_field *f, ds_ar_layout layout, ds_scalar_kind kind, ds_scalar_form form,
	uint32_t width)
{
	f->layout = layout;
	f->scalar.kind = kind;
	f->scalar.form = form;
	f->width = width;
}

static ds_rc set_int(ds_ar_field *f, ds_flat_table t, ds_err *e)
{
	int64_t bits = ds_flat_int(t, 0, 4, 0);
	f->no_sign = !ds_flat_int(t, 1, 1, 0);
	if (bits != 8 && bits != 16 && bits != 32 && bits != 64)
		return wrong(f, e, "has integers of an unknown width");
	set(f, DS_AR_FIXED, f->no_sign && bits == 64 ? DS_SC_U64 : DS_SC_I64, DS_FORM_INT,
		(uint32_t)bits / 8);
	return DS_OK;
}

static ds_rc set_decimal(ds_ar_field *f, ds_flat_table t, ds_err *e)
{
	int64_t bits = ds_flat_int(t, 2, 4, 128), scale = ds_flat_int(t, 1, 4, 0);
	if ((bits != 32 && bits != 64 && bits != 128 && bits != 256) || scale < -DS_DECIMAL_SCALE ||
		scale > DS_DECIMAL_SCALE)
		return wrong(f, e, "has decimals of an unknown width or scale");
	set(f, DS_AR_FIXED, DS_SC_DECIMAL, DS_FORM_BYTES, (uint32_t)bits / 8);
	f->scalar.scale = (int)scale;
	f->scalar.little = true;
	return DS_OK;
}

static ds_rc set_float(ds_ar_field *f, ds_flat_table t, ds_err *e)
{
	int64_t precision = ds_flat_int(t, 0, 2, 0);
	if (precision < 0 || precision > 2)
		return wrong(f, e, "has floats of an unknown width");
	set(f, DS_AR_FIXED, precision == 2 ? DS_SC_F64 : DS_SC_F32, DS_FORM_FLOAT, 2u << precision);
	return DS_OK;
}

static void set_interval(ds_ar_field *f, ds_flat_table t)
{
	switch (ds_flat_int(t, 0, 2, 0)) {
	case 0:
		set(f, DS_AR_FIXED, DS_SC_MONTHS, DS_FORM_INT, 4);
		break;
	case 1:
		set(f, DS_AR_FIXED, DS_SC_DAY_MS, DS_FORM_BYTES, 8);
		break;
	default:
		set(f, DS_AR_FIXED, DS_SC_MONTH_NS, DS_FORM_BYTES, 16);
	}
}

static ds_rc set_timed(ds_ar_field *f, int64_t type, ds_flat_table t, ds_err *e)
{
	int64_t unit = ds_flat_int(t, 0, 2, type == T_TIMESTAMP ? 0 : 1), bits;
	if (type == T_DATE) {
		f->days_of_ms = unit != 0;
		set(f, DS_AR_FIXED, DS_SC_DATE, DS_FORM_INT, unit ? 8 : 4);
		return DS_OK;
	}
	if (unit < 0 || unit > 3)
		return wrong(f, e, "has an unknown unit of time");
	bits = type == T_TIME ? ds_flat_int(t, 1, 4, 32) : 64;
	if (bits != 32 && bits != 64)
		return wrong(f, e, "has times of an unknown width");
	set(f, DS_AR_FIXED,
		type == T_TIME        ? DS_SC_TIME
		: type == T_TIMESTAMP ? DS_SC_STAMP
				      : DS_SC_DURATION,
		DS_FORM_INT, (uint32_t)bits / 8);
	f->scalar.digits = (uint8_t)(3 * unit);
	f->scalar.utc = type == T_TIMESTAMP && ds_flat_text(t, 1).n;
	return DS_OK;
}

static ds_rc set_union(reader *r, ds_ar_field *f, ds_flat_table t, ds_err *e)
{
	ds_flat_vector ids = ds_flat_list(t, 1, 4);
	f->layout = ds_flat_int(t, 0, 2, 0) ? DS_AR_DENSE : DS_AR_SPARSE;
	if (!ids.n)
		return DS_OK;
	f->type_ids = ds_arena_zero(r->mem, 128);
	if (ids.n > 127)
		return wrong(f, e, "is a union of too many types");
	for (size_t i = 0; i < ids.n; i++)
		f->type_ids[i] = (int8_t)ds_flat_list_int(ids, i, 4, 0, 4);
	f->type_ids[127] = (int8_t)ids.n;
	return DS_OK;
}

static ds_rc set_sized(ds_ar_field *f, ds_flat_table t, bool list, ds_err *e)
{
	int64_t n = ds_flat_int(t, 0, 4, 0);
	if (n < 0)
		return wrong(f, e, "has a size below zero");
	if (list)
		set(f, DS_AR_FIXED_LIST, DS_SC_NULL, DS_FORM_BYTES, (uint32_t)n);
	else
		set(f, DS_AR_FIXED, DS_SC_BYTES, DS_FORM_BYTES, (uint32_t)n);
	return DS_OK;
}

static ds_rc set_type(reader *r, ds_ar_field *f, int64_t type, ds_flat_table t, ds_err *e)
{
	static const uint8_t strings[] = { [T_BINARY] = DS_AR_BYTES,
		[T_UTF8] = DS_AR_BYTES,
		[T_LARGE_BINARY] = DS_AR_LARGE_BYTES,
		[T_LARGE_UTF8] = DS_AR_LARGE_BYTES,
		[T_BINARY_VIEW] = DS_AR_VIEWS,
		[T_UTF8_VIEW] = DS_AR_VIEWS };
	static const uint8_t nested[] = { [T_LIST] = DS_AR_LIST,
		[T_MAP] = DS_AR_LIST,
		[T_LARGE_LIST] = DS_AR_LARGE_LIST,
		[T_LIST_VIEW] = DS_AR_LIST_VIEW,
		[T_LARGE_LIST_VIEW] = DS_AR_LARGE_LIST_VIEW,
		[T_STRUCT] = DS_AR_STRUCT,
		[T_RUNS] = DS_AR_RUNS };
	switch (type) {
	case T_NULL:
		set(f, DS_AR_NULL, DS_SC_NULL, DS_FORM_BYTES, 0);
		return DS_OK;
	case T_BOOL:
		set(f, DS_AR_BITS, DS_SC_BOOL, DS_FORM_INT, 0);
		return DS_OK;
	case T_INT:
		return set_int(f, t, e);
	case T_FLOAT:
		return set_float(f, t, e);
	case T_DECIMAL:
		return set_decimal(f, t, e);
	case T_INTERVAL:
		set_interval(f, t);
		return DS_OK;
	case T_DATE:
	case T_TIME:
	case T_TIMESTAMP:
	case T_DURATION:
		return set_timed(f, type, t, e);
	case T_UNION:
		return set_union(r, f, t, e);
	case T_FIXED_BINARY:
	case T_FIXED_LIST:
		return set_sized(f, t, type == T_FIXED_LIST, e);
	case T_UTF8:
	case T_LARGE_UTF8:
	case T_UTF8_VIEW:
		set(f, strings[type], DS_SC_TEXT, DS_FORM_BYTES, 0);
		return DS_OK;
	case T_BINARY:
	case T_LARGE_BINARY:
	case T_BINARY_VIEW:
		set(f, strings[type], DS_SC_BYTES, DS_FORM_BYTES, 0);
		return DS_OK;
	case T_LIST:
	case T_MAP:
	case T_LARGE_LIST:
	case T_LIST_VIEW:
	case T_LARGE_LIST_VIEW:
	case T_STRUCT:
	case T_RUNS:
		f->layout = nested[type];
		f->is_map = type == T_MAP;
		return DS_OK;
	default:
		return wrong(f, e, "has a type that is not known here");
	}
}

/* Types of Arrow's own extensions; the storage is what it says. */
static void set_extension(ds_ar_field *f, ds_str name)
{
	if (ds_str_is(name, "arrow.json") && f->scalar.kind == DS_SC_TEXT)
		f->scalar.kind = DS_SC_JSON;
	if (ds_str_is(name, "arrow.uuid") && f->layout == DS_AR_FIXED && f->width == 16)
		f->scalar.kind = DS_SC_UUID;
	if (ds_str_is(name, "arrow.bool8") && f->scalar.kind == DS_SC_I64 && f->width == 1)
		f->scalar.kind = DS_SC_BOOL;
}

static ds_str find_key(ds_flat_table t, unsigned field, const char *key)
{
	ds_flat_vector v = ds_flat_list(t, field, 4);
	for (size_t i = 0; i < v.n && !v.f->failed; i++) {
		ds_flat_table x = ds_flat_list_table(v, i);
		if (ds_str_is(ds_flat_text(x, 0), key))
			return ds_flat_text(x, 1);
	}
	return (ds_str){ "", 0 };
}

static ds_rc set_dictionary(ds_ar_field *f, ds_flat_table t, ds_err *e)
{
	ds_flat_table d = ds_flat_child(t, 4), index = ds_flat_child(d, 1);
	if (!d.at)
		return DS_OK;
	int64_t bits = index.at ? ds_flat_int(index, 0, 4, 0) : 32;
	f->encoded = true;
	f->dictionary = ds_flat_int(d, 0, 8, 0);
	f->index_no_sign = index.at && !ds_flat_int(index, 1, 1, 0);
	f->index_width = (uint32_t)bits / 8;
	if (bits != 8 && bits != 16 && bits != 32 && bits != 64)
		return wrong(f, e, "has indices of an unknown width");
	return DS_OK;
}

static ds_rc check_children(const ds_ar_field *f, ds_err *e)
{
	uint32_t wants = f->layout >= DS_AR_LIST && f->layout <= DS_AR_FIXED_LIST ? 1
			 : f->layout == DS_AR_RUNS                                ? 2
			 : f->layout < DS_AR_LIST                                 ? 0
										  : f->n_children;
	if (f->n_children != wants ||
		(f->is_map && (f->first->layout != DS_AR_STRUCT || f->first->n_children != 2)) ||
		(f->layout == DS_AR_RUNS &&
			(f->first->layout != DS_AR_FIXED || f->first->scalar.kind != DS_SC_I64)) ||
		(f->type_ids && (uint32_t)f->type_ids[127] != f->n_children))
		return wrong(f, e, "has other fields below it than its type wants");
	return DS_OK;
}

static ds_rc read_field(reader *r, ds_ar_field **out, ds_flat_table t, unsigned depth, ds_err *e)
{
	ds_ar_field *f = *out = ds_arena_zero(r->mem, sizeof(*f));
	ds_flat_vector children = ds_flat_list(t, 5, 4);
	ds_text label = ds_text_new(r->mem, 32);
	f->name = ds_flat_text(t, 0);
	f->name = ds_arena_str(r->mem, f->name);
	ds_json_raw_str(&label, f->name);
	ds_text_byte(&label, ':');
	f->label = (ds_str){ label.at, label.n };
	if (depth > DEPTH || ++r->n > MOST_FIELDS)
		return wrong(f, e, "is nested too deeply");
	DS_TRY(set_type(r, f, ds_flat_int(t, 2, 1, 0) & 255, ds_flat_child(t, 3), e));
	set_extension(f, find_key(t, 6, "ARROW:extension:name"));
	DS_TRY(set_dictionary(f, t, e));
	ds_ar_field **last = &f->first;
	for (size_t i = 0; i < children.n && !t.f->failed; i++, last = &(*last)->next) {
		DS_TRY(read_field(r, last, ds_flat_list_table(children, i), depth + 1, e));
		f->n_children++;
	}
	if (t.f->failed)
		return wrong(f, e, "is damaged");
	if (f->encoded) {
		ds_ar_field *values = ds_arena_get(r->mem, sizeof(*values));
		*values = *f;
		values->encoded = false;
		f->values = values;
	}
	return check_children(f, e);
}

ds_rc ds_ar_read_schema(ds_ar_schema *s, ds_flat_table t, ds_arena *mem, ds_err *e)
{
	reader r = { .mem = mem };
	ds_flat_vector fields = ds_flat_list(t, 1, 4);
	ds_ar_field **last = &s->first;
	*s = (ds_ar_schema){ 0 };
	if (ds_flat_int(t, 0, 2, 0))
		return ds_fail(e, DS_BAD, "big-endian data is not read here");
	for (size_t i = 0; i < fields.n && !t.f->failed; i++, last = &(*last)->next, s->n++)
		DS_TRY(read_field(&r, last, ds_flat_list_table(fields, i), 0, e));
	if (t.f->failed || !t.at)
		return ds_fail(e, DS_SHORT, "damaged: the schema");
	for (const ds_ar_field *a = s->first; a; a = a->next)
		for (const ds_ar_field *b = a->next; b && s->n < 4096; b = b->next)
			if (ds_str_eq(a->name, b->name))
				return wrong(a, e, "is there twice");
	return DS_OK;
}

const ds_ar_field *ds_ar_find_dictionary(const ds_ar_field *first, int64_t id)
{
	for (const ds_ar_field *f = first; f; f = f->next) {
		const ds_ar_field *below =
			f->encoded && f->dictionary == id ? f : ds_ar_find_dictionary(f->first, id);
		if (below)
			return below;
	}
	return NULL;
}
