/*
 * ds_jinja_call.c - filters, tests, functions and methods of templates
 */
#include "text/chat/jinja_impl.h"
#include "text/chat/layout.h"

#include <string.h>

static ds_rc unknown(ds_err *e, const char *what, ds_str name)
{
	return ds_fail(e, DS_BAD, "the %s '%.*s' is not understood", what, DS_FMT(name));
}

static const jinja_value *named(const jinja_args *a, const char *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->names[i].at && ds_str_is(a->names[i], name))
			return &a->at[i];
	return NULL;
}

static ds_str text_arg(const jinja_args *a, size_t i)
{
	return i < a->n && a->at[i].kind == J_STR ? a->at[i].s : (ds_str){ 0 };
}

/* ---- JSON ---- */

static void dump(const jinja_value *v, unsigned depth, ds_buf *out)
{
	bool map = v->kind == J_MAP, list = v->kind == J_LIST;
	if (v->kind == J_STR) {
		ds_json_add_str(out, v->s);
	} else if (v->kind == J_BOOL) {
		ds_buf_add_c(out, v->i ? "true" : "false");
	} else if (v->kind == J_INT || v->kind == J_FLOAT) {
		ds_jinja_print(v, out);
	} else if ((!map && !list) || depth > JINJA_DEPTH || out->n > JINJA_BYTES) {
		ds_buf_add_c(out, "null");
	} else {
		ds_buf_add_byte(out, map ? '{' : '[');
		for (size_t i = 0; i < v->list->n; i++) {
			ds_buf_add_c(out, i ? ", " : "");
			if (map) {
				ds_json_add_str(out, v->list->keys[i]);
				ds_buf_add_c(out, ": ");
			}
			dump(&v->list->at[i], depth + 1, out);
		}
		ds_buf_add_byte(out, map ? '}' : ']');
	}
}

void ds_jinja_dump(const jinja_value *v, ds_buf *out)
{
	dump(v, 0, out);
}

/* ---- texts ---- */

typedef enum { UPPER, LOWER, CAPITALIZE, TITLE } letters;

/* ASCII letters alone: names of roles are what templates change. */
static ds_str with_case(jinja_state *st, ds_str s, letters how)
{
	char *at = ds_arena_bytes(st->mem, s.n + 1);
	bool begins = true;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool up = how == UPPER || (how == CAPITALIZE && i == 0) || (how == TITLE && begins);
		if (letter)
			c = (char)(up ? c & ~32 : c | 32);
		begins = !letter;
		at[i] = c;
	}
	return (ds_str){ at, s.n };
}

static ds_str strip(ds_str s, ds_str chars, bool left, bool right)
{
	ds_str all = s;
	if (!chars.at) {
		s = ds_chat_strip(s);
		size_t before = s.n ? (size_t)(s.at - all.at) : all.n;
		return left && right ? s
		       : left        ? (ds_str){ all.at + before, all.n - before }
				     : (ds_str){ all.at, s.n ? before + s.n : 0 };
	}
	while (left && s.n && memchr(chars.at, s.at[0], chars.n))
		s.at++, s.n--;
	while (right && s.n && memchr(chars.at, s.at[s.n - 1], chars.n))
		s.n--;
	return s;
}

static ds_rc replace(jinja_state *st, ds_str s, ds_str what, ds_str by, jinja_value *out, ds_err *e)
{
	ds_buf b = { 0 };
	st->steps += s.n / 64;
	if (!what.n)
		return ds_fail(e, DS_BAD, "replacing nothing is not understood");
	for (size_t i = 0; i < s.n && b.n < JINJA_BYTES;) {
		bool found = s.n - i >= what.n && memcmp(s.at + i, what.at, what.n) == 0;
		if (found)
			ds_buf_add_str(&b, by);
		else
			ds_buf_add_byte(&b, s.at[i]);
		i += found ? what.n : 1;
	}
	*out = ds_jinja_str(ds_arena_str(st->mem, ds_buf_view(&b)));
	ds_buf_free(&b);
	return DS_OK;
}

static ds_rc split(jinja_state *st, ds_str s, ds_str by, jinja_value *out, ds_err *e)
{
	if (!by.n)
		return ds_fail(e, DS_BAD, "split without a separator is not understood");
	*out = ds_jinja_new_list(st, false);
	for (;;) {
		const char *at = s.n ? memmem(s.at, s.n, by.at, by.n) : NULL;
		size_t n = at ? (size_t)(at - s.at) : s.n;
		ds_jinja_add(st, out->list, DS_S(""), ds_jinja_str((ds_str){ s.at, n }));
		if (!at)
			return DS_OK;
		s = (ds_str){ at + by.n, s.n - n - by.n };
	}
}

typedef enum {
	M_STRIP,
	M_LSTRIP,
	M_RSTRIP,
	M_SPLIT,
	M_STARTS,
	M_ENDS,
	M_REPLACE,
	M_UPPER,
	M_LOWER,
	M_TITLE,
	M_CAPITALIZE,
	M_ITEMS,
	M_KEYS,
	M_VALUES,
	M_GET,
	N_METHODS
} method_kind;

static const struct {
	const char *name;
	jinja_kind of;
} methods[N_METHODS] = { { "strip", J_STR }, { "lstrip", J_STR }, { "rstrip", J_STR },
	{ "split", J_STR }, { "startswith", J_STR }, { "endswith", J_STR }, { "replace", J_STR },
	{ "upper", J_STR }, { "lower", J_STR }, { "title", J_STR }, { "capitalize", J_STR },
	{ "items", J_MAP }, { "keys", J_MAP }, { "values", J_MAP }, { "get", J_MAP } };

static method_kind method_of(const jinja_value *v, ds_str name)
{
	for (int i = 0; i < N_METHODS; i++)
		if (methods[i].of == v->kind && ds_str_is(name, methods[i].name))
			return (method_kind)i;
	return N_METHODS;
}

bool ds_jinja_has_method(const jinja_value *v, ds_str name)
{
	return method_of(v, name) != N_METHODS;
}

static void map_items(jinja_state *st, const jinja_list *l, method_kind what, jinja_value *out)
{
	*out = ds_jinja_new_list(st, false);
	for (size_t i = 0; i < l->n; i++) {
		jinja_value key = ds_jinja_str(l->keys[i]), v = l->at[i];
		if (what == M_KEYS)
			v = key;
		if (what == M_ITEMS) {
			v = ds_jinja_new_list(st, false);
			ds_jinja_add(st, v.list, DS_S(""), key);
			ds_jinja_add(st, v.list, DS_S(""), l->at[i]);
		}
		ds_jinja_add(st, out->list, DS_S(""), v);
	}
}

static ds_rc call_method(jinja_state *st, const jinja_value *of, ds_str name, const jinja_args *a,
	jinja_value *out, ds_err *e)
{
	method_kind m = method_of(of, name);
	ds_str one = text_arg(a, 0);
	const jinja_value *found;
	switch (m) {
	case M_STRIP:
	case M_LSTRIP:
	case M_RSTRIP:
		*out = ds_jinja_str(strip(of->s, one, m != M_RSTRIP, m != M_LSTRIP));
		return DS_OK;
	case M_SPLIT:
		return split(st, of->s, one, out, e);
	case M_STARTS:
		*out = ds_jinja_bool(ds_str_starts(of->s, one));
		return DS_OK;
	case M_ENDS:
		*out = ds_jinja_bool(ds_str_ends(of->s, one));
		return DS_OK;
	case M_REPLACE:
		return replace(st, of->s, one, text_arg(a, 1), out, e);
	case M_UPPER:
	case M_LOWER:
	case M_TITLE:
	case M_CAPITALIZE:
		*out = ds_jinja_str(with_case(st, of->s,
			m == M_UPPER   ? UPPER
			: m == M_LOWER ? LOWER
			: m == M_TITLE ? TITLE
				       : CAPITALIZE));
		return DS_OK;
	case M_ITEMS:
	case M_KEYS:
	case M_VALUES:
		map_items(st, of->list, m, out);
		return DS_OK;
	case M_GET:
		found = ds_jinja_get(of->list, one);
		*out = found ? *found : a->n > 1 ? a->at[1] : (jinja_value){ .kind = J_NONE };
		return DS_OK;
	default:
		return unknown(e, "method", name);
	}
}

static ds_rc range(jinja_state *st, const jinja_args *a, jinja_value *out, ds_err *e)
{
	int64_t from = a->n > 1 ? a->at[0].i : 0, to = a->n > 1 ? a->at[1].i : a->at[0].i;
	int64_t by = a->n > 2 ? a->at[2].i : 1;
	*out = ds_jinja_new_list(st, false);
	if (!a->n || by == 0)
		return ds_fail(e, DS_BAD, "a range that is not understood");
	for (int64_t i = from; by > 0 ? i < to : i > to; i += by) {
		if (++st->steps > JINJA_STEPS || i > INT32_MAX || i < INT32_MIN)
			return ds_fail(e, DS_BAD, "a range of over %d numbers", JINJA_STEPS);
		ds_jinja_add(st, out->list, DS_S(""), ds_jinja_int(i));
	}
	return DS_OK;
}

ds_rc ds_jinja_call(
	jinja_state *st, const jinja_value *f, const jinja_args *a, jinja_value *out, ds_err *e)
{
	if (f->kind != J_FUNCTION)
		return ds_fail(e, DS_BAD, "what is no function is called");
	if (f->list)
		return call_method(st, &f->list->at[0], f->s, a, out, e);
	if (ds_str_is(f->s, "raise_exception"))
		return ds_fail(e, DS_BAD, "the template says: %.*s", DS_FMT(text_arg(a, 0)));
	if (ds_str_is(f->s, "range"))
		return range(st, a, out, e);
	*out = ds_jinja_new_list(st, true); /* namespace, dict */
	for (size_t i = 0; i < a->n; i++)
		if (a->names[i].at)
			ds_jinja_add(st, out->list, a->names[i], a->at[i]);
	return DS_OK;
}

/* ---- tests ---- */

ds_rc ds_jinja_test(jinja_state *st, ds_str name, const jinja_value *v, const jinja_args *a,
	bool *out, ds_err *e)
{
	static const struct {
		const char *name;
		unsigned kinds; /* by bit */
	} tests[] = { { "undefined", 1 << J_UNDEFINED }, { "none", 1 << J_NONE },
		{ "string", 1 << J_STR }, { "mapping", 1 << J_MAP }, { "boolean", 1 << J_BOOL },
		{ "integer", 1 << J_INT }, { "float", 1 << J_FLOAT },
		{ "number", 1 << J_BOOL | 1 << J_INT | 1 << J_FLOAT },
		{ "iterable", 1 << J_STR | 1 << J_LIST | 1 << J_MAP },
		{ "sequence", 1 << J_STR | 1 << J_LIST | 1 << J_MAP } };
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		if (ds_str_is(name, tests[i].name)) {
			*out = tests[i].kinds >> v->kind & 1;
			return DS_OK;
		}
	if (ds_str_is(name, "defined"))
		*out = v->kind != J_UNDEFINED;
	else if (ds_str_is(name, "true") || ds_str_is(name, "false"))
		*out = v->kind == J_BOOL && v->i == ds_str_is(name, "true");
	else if (a->n && (ds_str_is(name, "equalto") || ds_str_is(name, "eq")))
		*out = ds_jinja_equal(st, v, &a->at[0]);
	else if (a->n && (ds_str_is(name, "ne")))
		*out = !ds_jinja_equal(st, v, &a->at[0]);
	else if (a->n && ds_str_is(name, "in"))
		*out = ds_jinja_contains(st, &a->at[0], v);
	else
		return unknown(e, "test", name);
	return DS_OK;
}

/* ---- filters ---- */

/* selectattr(name, test, value), rejectattr, and map(attribute=name). */
static ds_rc by_attribute(jinja_state *st, ds_str filter, const jinja_value *v, const jinja_args *a,
	jinja_value *out, ds_err *e)
{
	bool maps = ds_str_is(filter, "map"), rejects = ds_str_is(filter, "rejectattr");
	const jinja_value *attribute = maps ? named(a, "attribute") : a->n ? &a->at[0] : NULL;
	if (v->kind != J_LIST || !attribute || attribute->kind != J_STR)
		return unknown(e, "use of the filter", filter);
	*out = ds_jinja_new_list(st, false);
	for (size_t i = 0; i < v->list->n; i++) {
		const jinja_value *of = &v->list->at[i];
		const jinja_value *found =
			of->kind == J_MAP ? ds_jinja_get(of->list, attribute->s) : NULL;
		jinja_value value = found ? *found : (jinja_value){ .s = attribute->s };
		jinja_args rest = { .n = a->n > 2 ? 1 : 0, .at = { a->at[2] } };
		bool yes = ds_jinja_true(&value);
		if (!maps && a->n > 1)
			DS_TRY(ds_jinja_test(st, text_arg(a, 1), &value, &rest, &yes, e));
		if (maps || yes != rejects)
			ds_jinja_add(st, out->list, DS_S(""), maps ? value : *of);
	}
	return DS_OK;
}

static ds_rc join(
	jinja_state *st, const jinja_value *v, ds_str between, jinja_value *out, ds_err *e)
{
	ds_buf b = { 0 };
	if (v->kind != J_LIST)
		return unknown(e, "use of the filter", DS_S("join"));
	for (size_t i = 0; i < v->list->n && b.n < JINJA_BYTES; i++) {
		st->steps++;
		if (i)
			ds_buf_add_str(&b, between);
		ds_jinja_print(&v->list->at[i], &b);
	}
	*out = ds_jinja_str(ds_arena_str(st->mem, ds_buf_view(&b)));
	ds_buf_free(&b);
	return DS_OK;
}

static ds_rc to_json(
	jinja_state *st, const jinja_value *v, const jinja_args *a, jinja_value *out, ds_err *e)
{
	ds_buf b = { 0 };
	if (a->n)
		return unknown(e, "use of the filter", DS_S("tojson"));
	ds_jinja_dump(v, &b);
	*out = ds_jinja_str(ds_arena_str(st->mem, ds_buf_view(&b)));
	ds_buf_free(&b);
	return DS_OK;
}

static ds_rc of_list(
	jinja_state *st, ds_str name, const jinja_value *v, jinja_value *out, ds_err *e)
{
	const jinja_list *l = v->list;
	if (v->kind != J_LIST)
		return unknown(e, "use of the filter", name);
	if (ds_str_is(name, "list")) {
		*out = *v;
	} else if (ds_str_is(name, "reverse")) {
		*out = ds_jinja_new_list(st, false);
		for (size_t i = l->n; i-- > 0;)
			ds_jinja_add(st, out->list, DS_S(""), l->at[i]);
	} else {
		bool first = ds_str_is(name, "first");
		*out = l->n ? l->at[first ? 0 : l->n - 1] : (jinja_value){ .s = name };
	}
	return DS_OK;
}

/* Those that are a method of texts as well. */
static bool of_text(jinja_state *st, ds_str name, ds_str s, jinja_value *out)
{
	static const struct {
		const char *name;
		letters how;
	} cases[] = { { "upper", UPPER }, { "lower", LOWER }, { "capitalize", CAPITALIZE },
		{ "title", TITLE } };
	for (size_t i = 0; i < 4; i++)
		if (ds_str_is(name, cases[i].name)) {
			*out = ds_jinja_str(with_case(st, s, cases[i].how));
			return true;
		}
	return false;
}

static bool is_list_filter(ds_str name)
{
	return ds_str_is(name, "list") || ds_str_is(name, "reverse") || ds_str_is(name, "first") ||
	       ds_str_is(name, "last");
}

static ds_rc filter_length(jinja_state *st, const jinja_value *v, jinja_value *out, ds_err *e)
{
	int64_t n = 0;
	if (v->kind == J_LIST || v->kind == J_MAP)
		n = (int64_t)v->list->n;
	else if (v->kind == J_STR)
		for (size_t i = 0; i < v->s.n; i++)
			n += (v->s.at[i] & 0xC0) != 0x80;
	else if (v->kind != J_UNDEFINED)
		return unknown(e, "use of the filter", DS_S("length"));
	*out = ds_jinja_int(n);
	return DS_OK;
}

ds_rc ds_jinja_filter(jinja_state *st, ds_str name, const jinja_value *v, const jinja_args *a,
	jinja_value *out, ds_err *e)
{
	if (ds_str_is(name, "default") || ds_str_is(name, "d")) {
		const jinja_value *also = named(a, "boolean");
		bool empty =
			(also && ds_jinja_true(also)) || (a->n > 1 && ds_jinja_true(&a->at[1]));
		bool use = v->kind == J_UNDEFINED || (empty && !ds_jinja_true(v));
		*out = use ? a->n ? a->at[0] : ds_jinja_str(DS_S("")) : *v;
		return DS_OK;
	}
	if (ds_str_is(name, "length") || ds_str_is(name, "count"))
		return filter_length(st, v, out, e);
	if (ds_str_is(name, "tojson"))
		return to_json(st, v, a, out, e);
	if (is_list_filter(name))
		return of_list(st, name, v, out, e);
	if (ds_str_is(name, "join"))
		return join(st, v, a->n ? text_arg(a, 0) : DS_S(""), out, e);
	if (ds_str_is(name, "selectattr") || ds_str_is(name, "rejectattr") ||
		ds_str_is(name, "map"))
		return by_attribute(st, name, v, a, out, e);
	if (ds_str_is(name, "items") && v->kind == J_MAP) {
		map_items(st, v->list, M_ITEMS, out);
		return DS_OK;
	}
	if (ds_str_is(name, "int") && (v->kind == J_INT || v->kind == J_BOOL)) {
		*out = ds_jinja_int(v->i);
		return DS_OK;
	}
	/* The others make a text of what they get. */
	ds_str s = ds_jinja_text(st, v);
	if (ds_str_is(name, "string") || ds_str_is(name, "safe"))
		*out = ds_jinja_str(s);
	else if (ds_str_is(name, "trim"))
		*out = ds_jinja_str(strip(s, text_arg(a, 0), true, true));
	else if (ds_str_is(name, "replace"))
		return replace(st, s, text_arg(a, 0), text_arg(a, 1), out, e);
	else if (!of_text(st, name, s, out))
		return unknown(e, "filter", name);
	return DS_OK;
}
