/*
 * jinja_run.c - walks the tree of a template
 *
 * As in Jinja a loop has variables of its own, so what is set in it is gone behind it; a namespace is shared.
 */
#include "text/chat/jinja_impl.h"

#include <string.h>

/* ---- values ---- */

jinja_value ds_jinja_str(ds_str s)
{
	return (jinja_value){ .kind = J_STR, .s = s };
}

jinja_value ds_jinja_bool(bool b)
{
	return (jinja_value){ .kind = J_BOOL, .i = b };
}

jinja_value ds_jinja_int(int64_t i)
{
	return (jinja_value){ .kind = J_INT, .i = i };
}

jinja_value ds_jinja_new_list(jinja_state *st, bool map)
{
	jinja_list *l = ds_arena_zero(st->mem, sizeof(*l));
	return (jinja_value){ .kind = map ? J_MAP : J_LIST, .list = l };
}

void ds_jinja_add(jinja_state *st, jinja_list *l, ds_str key, jinja_value v)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 8;
		jinja_value *at = ds_arena_get(st->mem, cap * sizeof(*at));
		ds_str *keys = ds_arena_zero(st->mem, cap * sizeof(*keys));
		if (l->n) {
			memcpy(at, l->at, l->n * sizeof(*at));
			memcpy(keys, l->keys, l->n * sizeof(*keys));
		}
		l->at = at;
		l->keys = keys;
		l->cap = cap;
	}
	l->keys[l->n] = key;
	l->at[l->n++] = v;
}

const jinja_value *ds_jinja_get(const jinja_list *l, ds_str key)
{
	for (size_t i = 0; i < l->n; i++)
		if (ds_str_eq(l->keys[i], key))
			return &l->at[i];
	return NULL;
}

static void set_key(jinja_state *st, jinja_list *l, ds_str key, jinja_value v)
{
	jinja_value *old = (jinja_value *)ds_jinja_get(l, key);
	if (old)
		*old = v;
	else
		ds_jinja_add(st, l, key, v);
}

static jinja_value from_json(jinja_state *st, const ds_json *j)
{
	switch (j->kind) {
	case DS_J_BOOL:
		return ds_jinja_bool(j->b);
	case DS_J_I64:
		return ds_jinja_int(j->i);
	case DS_J_F64:
	case DS_J_BIG:
		return (jinja_value){ .kind = J_FLOAT, .f = j->f };
	case DS_J_STR:
		return ds_jinja_str(j->s);
	case DS_J_ARR:
	case DS_J_OBJ: {
		jinja_value v = ds_jinja_new_list(st, j->kind == DS_J_OBJ);
		for (const ds_json *m = j->first; m; m = m->next)
			ds_jinja_add(st, v.list, m->key, from_json(st, m));
		return v;
	}
	default:
		return (jinja_value){ .kind = J_NONE };
	}
}

bool ds_jinja_true(const jinja_value *v)
{
	switch (v->kind) {
	case J_BOOL:
	case J_INT:
		return v->i != 0;
	case J_FLOAT:
		return v->f != 0;
	case J_STR:
		return v->s.n != 0;
	case J_LIST:
	case J_MAP:
		return v->list->n != 0;
	default:
		return v->kind == J_FUNCTION;
	}
}

static bool is_number(const jinja_value *v)
{
	return v->kind == J_BOOL || v->kind == J_INT || v->kind == J_FLOAT;
}

static double real(const jinja_value *v)
{
	return v->kind == J_FLOAT ? v->f : (double)v->i;
}

static bool equal(jinja_state *st, const jinja_value *a, const jinja_value *b, unsigned depth)
{
	if (is_number(a) && is_number(b))
		return real(a) == real(b);
	if (a->kind != b->kind)
		return false;
	if (a->kind == J_STR)
		return ds_str_eq(a->s, b->s);
	if (a->kind != J_LIST && a->kind != J_MAP)
		return a->kind != J_FUNCTION;
	if (a->list == b->list)
		return true;
	if (a->list->n != b->list->n || depth > JINJA_DEPTH || ++st->steps > JINJA_STEPS)
		return false;
	for (size_t i = 0; i < a->list->n; i++) {
		const jinja_value *other = a->kind == J_LIST
						   ? &b->list->at[i]
						   : ds_jinja_get(b->list, a->list->keys[i]);
		if (!other || !equal(st, &a->list->at[i], other, depth + 1))
			return false;
	}
	return true;
}

bool ds_jinja_equal(jinja_state *st, const jinja_value *a, const jinja_value *b)
{
	return equal(st, a, b, 0);
}

bool ds_jinja_contains(jinja_state *st, const jinja_value *in, const jinja_value *v)
{
	if (in->kind == J_STR)
		return v->kind == J_STR && (!v->s.n || memmem(in->s.at, in->s.n, v->s.at, v->s.n));
	if (in->kind == J_MAP)
		return v->kind == J_STR && ds_jinja_get(in->list, v->s);
	for (size_t i = 0; in->kind == J_LIST && i < in->list->n; i++)
		if (ds_jinja_equal(st, &in->list->at[i], v))
			return true;
	return false;
}

void ds_jinja_print(const jinja_value *v, ds_buf *out)
{
	char number[32];
	switch (v->kind) {
	case J_UNDEFINED:
		return;
	case J_NONE:
		ds_buf_add_c(out, "None");
		return;
	case J_BOOL:
		ds_buf_add_c(out, v->i ? "True" : "False");
		return;
	case J_INT:
		ds_buf_fmt(out, "%lld", (long long)v->i);
		return;
	case J_FLOAT:
		ds_buf_add(out, number, ds_f64_print(number, v->f));
		return;
	case J_STR:
		ds_buf_add_str(out, v->s);
		return;
	default:
		ds_jinja_dump(v, out);
	}
}

ds_str ds_jinja_text(jinja_state *st, const jinja_value *v)
{
	ds_buf b = { 0 };
	if (v->kind == J_STR)
		return v->s;
	ds_jinja_print(v, &b);
	ds_str s = ds_arena_str(st->mem, ds_buf_view(&b));
	ds_buf_free(&b);
	return s;
}

/* ---- variables ---- */

static void define(jinja_state *st, ds_str name, jinja_value v)
{
	for (size_t i = st->n; i-- > st->frame;)
		if (ds_str_eq(st->names[i], name)) {
			st->values[i] = v;
			return;
		}
	if (st->n == st->cap) {
		size_t cap = st->cap ? 2 * st->cap : 64;
		ds_str *names = ds_arena_get(st->mem, cap * sizeof(*names));
		jinja_value *values = ds_arena_get(st->mem, cap * sizeof(*values));
		if (st->n) {
			memcpy(names, st->names, st->n * sizeof(*names));
			memcpy(values, st->values, st->n * sizeof(*values));
		}
		st->names = names;
		st->values = values;
		st->cap = cap;
	}
	st->names[st->n] = name;
	st->values[st->n++] = v;
}

static jinja_value look_up(const jinja_state *st, ds_str name)
{
	static const char *const functions[] = { "raise_exception", "namespace", "range", "dict" };
	for (size_t i = st->n; i-- > 0;)
		if (ds_str_eq(st->names[i], name))
			return st->values[i];
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		if (ds_str_is(name, functions[i]))
			return (jinja_value){ .kind = J_FUNCTION, .s = name };
	return (jinja_value){ .s = name };
}

/* ---- expressions ---- */

static ds_rc eval(jinja_state *st, const jinja_node *n, jinja_value *out, ds_err *e);
static ds_rc run(jinja_state *st, const jinja_node *n, ds_buf *out, ds_err *e);

static ds_rc is_undefined(ds_err *e, const jinja_value *v)
{
	return ds_fail(e, DS_BAD, "'%.*s' is undefined", DS_FMT(v->s));
}

static jinja_value method(jinja_state *st, const jinja_value *of, ds_str name)
{
	jinja_value f = ds_jinja_new_list(st, false);
	ds_jinja_add(st, f.list, DS_S(""), *of);
	f.kind = J_FUNCTION;
	f.s = name;
	return f;
}

static ds_rc attribute(
	jinja_state *st, const jinja_value *of, ds_str name, jinja_value *out, ds_err *e)
{
	const jinja_value *found = of->kind == J_MAP ? ds_jinja_get(of->list, name) : NULL;
	if (of->kind == J_UNDEFINED)
		return is_undefined(e, of);
	if (found)
		*out = *found;
	else if (ds_jinja_has_method(of, name))
		*out = method(st, of, name);
	else
		*out = (jinja_value){ .s = name };
	return DS_OK;
}

/* The byte at which code point i of s begins; s.n where there are fewer. */
static size_t point_at(ds_str s, int64_t i)
{
	size_t at = 0;
	for (; i > 0 && at < s.n; i--)
		for (at++; at < s.n && (s.at[at] & 0xC0) == 0x80;)
			at++;
	return at;
}

static int64_t points(ds_str s)
{
	int64_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += (s.at[i] & 0xC0) != 0x80;
	return n;
}

static int64_t length(const jinja_value *v)
{
	return v->kind == J_STR ? points(v->s) : (int64_t)v->list->n;
}

static jinja_value item(jinja_state *st, const jinja_value *of, int64_t i)
{
	if (of->kind == J_LIST)
		return of->list->at[i];
	size_t from = point_at(of->s, i), to = point_at(of->s, i + 1);
	return ds_jinja_str((ds_str){ of->s.at + from, to - from });
}

static bool is_sequence(const jinja_value *v)
{
	return v->kind == J_LIST || v->kind == J_STR;
}

static ds_rc subscript(
	jinja_state *st, const jinja_value *of, const jinja_value *by, jinja_value *out, ds_err *e)
{
	if (of->kind == J_UNDEFINED)
		return is_undefined(e, of);
	*out = (jinja_value){ .s = by->kind == J_STR ? by->s : DS_S("an element") };
	if (by->kind == J_STR)
		return attribute(st, of, by->s, out, e);
	if (by->kind == J_INT && is_sequence(of)) {
		int64_t n = length(of), i = by->i < 0 ? by->i + n : by->i;
		if (i >= 0 && i < n)
			*out = item(st, of, i);
	}
	return DS_OK;
}

static ds_rc bound(jinja_state *st, const jinja_node *n, int64_t otherwise, int64_t length,
	int64_t *out, ds_err *e)
{
	jinja_value v = { .kind = J_NONE };
	if (n)
		DS_TRY(eval(st, n, &v, e));
	*out = v.kind == J_INT ? v.i < 0 ? v.i + length : v.i : otherwise;
	*out = *out < 0 ? 0 : *out > length ? length : *out;
	return DS_OK;
}

static ds_rc slice(
	jinja_state *st, const jinja_node *n, const jinja_value *of, jinja_value *out, ds_err *e)
{
	jinja_value step = ds_jinja_int(1);
	int64_t from, to, all;
	if (n->d)
		DS_TRY(eval(st, n->d, &step, e));
	if (!is_sequence(of) || step.kind != J_INT || (step.i != 1 && step.i != -1) ||
		(step.i < 0 && (n->b || n->c)))
		return ds_fail(e, DS_BAD, "a slice that is not understood");
	all = length(of);
	DS_TRY(bound(st, n->b, 0, all, &from, e));
	DS_TRY(bound(st, n->c, all, all, &to, e));
	if (of->kind == J_STR && step.i > 0) {
		size_t a = point_at(of->s, from), b = point_at(of->s, to);
		*out = ds_jinja_str((ds_str){ of->s.at + a, b > a ? b - a : 0 });
		return DS_OK;
	}
	if (of->kind == J_STR)
		return ds_fail(e, DS_BAD, "a slice that is not understood");
	*out = ds_jinja_new_list(st, false);
	for (int64_t i = from; i < to; i++)
		ds_jinja_add(st, out->list, DS_S(""), of->list->at[step.i > 0 ? i : all - 1 - i]);
	return DS_OK;
}

static ds_rc concatenate(
	jinja_state *st, const jinja_value *a, const jinja_value *b, jinja_value *out, ds_err *e)
{
	ds_str x = ds_jinja_text(st, a), y = ds_jinja_text(st, b);
	if (x.n + y.n > JINJA_BYTES)
		return ds_fail(e, DS_BAD, "a text of over %d bytes", JINJA_BYTES);
	st->steps += (x.n + y.n) / 64;
	char *at = ds_arena_bytes(st->mem, x.n + y.n + 1);
	memcpy(at, x.at ? x.at : "", x.n);
	memcpy(at + x.n, y.at ? y.at : "", y.n);
	*out = ds_jinja_str((ds_str){ at, x.n + y.n });
	return DS_OK;
}

static ds_rc arithmetic(
	char op, const jinja_value *a, const jinja_value *b, jinja_value *out, ds_err *e)
{
	bool whole = a->kind != J_FLOAT && b->kind != J_FLOAT;
	double x = real(a), y = real(b);
	int64_t i = 0;
	bool over = false;
	if (op == '/' || !whole) {
		double r = op == '+' ? x + y : op == '-' ? x - y : op == '*' ? x * y : x / y;
		*out = (jinja_value){ .kind = J_FLOAT, .f = r };
		return op == '%' || (op == '/' && y == 0) ? ds_fail(e, DS_BAD, "a quotient")
							  : DS_OK;
	}
	if (op == '+')
		over = __builtin_add_overflow(a->i, b->i, &i);
	else if (op == '-')
		over = __builtin_sub_overflow(a->i, b->i, &i);
	else if (op == '*')
		over = __builtin_mul_overflow(a->i, b->i, &i);
	else if (b->i == 0 || b->i == -1)
		over = true;
	else if (op == '%') /* the divisor's sign, as in Python */
		i = (a->i % b->i + b->i) % b->i;
	else
		i = a->i / b->i - (a->i % b->i != 0 && (a->i < 0) != (b->i < 0));
	*out = ds_jinja_int(i);
	return over ? ds_fail(e, DS_BAD, "a number out of range") : DS_OK;
}

static int order(const jinja_value *a, const jinja_value *b)
{
	if (a->kind == J_STR)
		return ds_str_cmp(a->s, b->s);
	return (real(a) > real(b)) - (real(a) < real(b));
}

static ds_rc operate(jinja_state *st, const jinja_node *n, const jinja_value *a,
	const jinja_value *b, jinja_value *out, ds_err *e)
{
	ds_str op = n->s;
	char c = op.at[0];
	bool numbers = is_number(a) && is_number(b);
	if (ds_str_is(op, "==") || ds_str_is(op, "!=")) {
		*out = ds_jinja_bool(ds_jinja_equal(st, a, b) == (c == '='));
		return DS_OK;
	}
	if (a->kind == J_UNDEFINED && c != '~')
		return is_undefined(e, a);
	if (b->kind == J_UNDEFINED && c != '~')
		return is_undefined(e, b);
	if (ds_str_is(op, "in")) {
		*out = ds_jinja_bool(ds_jinja_contains(st, b, a));
		return DS_OK;
	}
	if (c == '~' || (c == '+' && a->kind == J_STR && b->kind == J_STR))
		return concatenate(st, a, b, out, e);
	if (c == '+' && a->kind == J_LIST && b->kind == J_LIST) {
		*out = ds_jinja_new_list(st, false);
		for (size_t i = 0; i < a->list->n; i++)
			ds_jinja_add(st, out->list, DS_S(""), a->list->at[i]);
		for (size_t i = 0; i < b->list->n; i++)
			ds_jinja_add(st, out->list, DS_S(""), b->list->at[i]);
		st->steps += out->list->n;
		return DS_OK;
	}
	if ((c == '<' || c == '>') && (numbers || (a->kind == J_STR && b->kind == J_STR))) {
		int o = order(a, b);
		*out = ds_jinja_bool(
			c == '<' ? o < 0 || (op.n == 2 && o == 0) : o > 0 || (op.n == 2 && o == 0));
		return DS_OK;
	}
	if (!numbers)
		return ds_fail(e, DS_BAD, "'%.*s' of these values is not understood", DS_FMT(op));
	return arithmetic(ds_str_is(op, "//") ? 'd' : c, a, b, out, e);
}

static ds_rc arguments(jinja_state *st, const jinja_node *n, jinja_args *a, ds_err *e)
{
	*a = (jinja_args){ 0 };
	for (const jinja_node *arg = n->args; arg; arg = arg->next) {
		if (a->n == sizeof(a->at) / sizeof(*a->at))
			return ds_fail(e, DS_BAD, "over %zu arguments", a->n);
		a->names[a->n] = arg->name;
		DS_TRY(eval(st, arg, &a->at[a->n++], e));
	}
	return DS_OK;
}

static ds_rc literal(jinja_state *st, const jinja_node *n, jinja_value *out, ds_err *e)
{
	*out = ds_jinja_new_list(st, n->kind == N_MAP);
	for (const jinja_node *arg = n->args; arg; arg = arg->next) {
		jinja_value v, key = ds_jinja_str(DS_S(""));
		DS_TRY(eval(st, arg, &v, e));
		if (n->kind == N_MAP) {
			key = v;
			arg = arg->next;
			DS_TRY(eval(st, arg, &v, e));
		}
		ds_jinja_add(st, out->list, ds_jinja_text(st, &key), v);
	}
	return DS_OK;
}

static ds_rc called(
	jinja_state *st, const jinja_node *n, const jinja_value *a, jinja_value *out, ds_err *e)
{
	jinja_args args;
	bool yes;
	DS_TRY(arguments(st, n, &args, e));
	if (n->kind == N_FILTER)
		return ds_jinja_filter(st, n->s, a, &args, out, e);
	if (n->kind == N_TEST) {
		DS_TRY(ds_jinja_test(st, n->s, a, &args, &yes, e));
		*out = ds_jinja_bool(yes);
		return DS_OK;
	}
	if (a->kind == J_UNDEFINED)
		return is_undefined(e, a);
	return ds_jinja_call(st, a, &args, out, e);
}

static ds_rc negate(const jinja_value *a, jinja_value *out, ds_err *e)
{
	if (a->kind == J_FLOAT)
		*out = (jinja_value){ .kind = J_FLOAT, .f = -a->f };
	else if (is_number(a) && a->i > INT64_MIN)
		*out = ds_jinja_int(-a->i);
	else
		return ds_fail(e, DS_BAD, "'-' of this value is not understood");
	return DS_OK;
}

static ds_rc branch(jinja_state *st, const jinja_node *n, jinja_value *out, ds_err *e)
{
	DS_TRY(eval(st, n->a, out, e));
	bool yes = ds_jinja_true(out);
	if (n->kind == N_NOT)
		*out = ds_jinja_bool(!yes);
	else if (n->kind == N_COND && !yes && !n->c)
		*out = (jinja_value){ .s = DS_S("the else of an if") };
	else if (n->kind == N_COND)
		return eval(st, yes ? n->b : n->c, out, e);
	else if (yes == (n->kind == N_AND))
		return eval(st, n->b, out, e);
	return DS_OK;
}

static ds_rc eval_node(jinja_state *st, const jinja_node *n, jinja_value *out, ds_err *e)
{
	jinja_value a, b;
	switch (n->kind) {
	case N_VALUE:
		*out = n->v;
		return DS_OK;
	case N_NAME:
		*out = look_up(st, n->s);
		return DS_OK;
	case N_LIST:
	case N_MAP:
		return literal(st, n, out, e);
	case N_NOT:
	case N_AND:
	case N_OR:
	case N_COND:
		return branch(st, n, out, e);
	default:
		break;
	}
	DS_TRY(eval(st, n->a, &a, e));
	switch (n->kind) {
	case N_ATTR:
		return attribute(st, &a, n->s, out, e);
	case N_SLICE:
		return slice(st, n, &a, out, e);
	case N_NEGATE:
		return negate(&a, out, e);
	case N_INDEX:
		DS_TRY(eval(st, n->b, &b, e));
		return subscript(st, &a, &b, out, e);
	case N_OP:
		DS_TRY(eval(st, n->b, &b, e));
		return operate(st, n, &a, &b, out, e);
	default:
		return called(st, n, &a, out, e);
	}
}

static ds_rc eval(jinja_state *st, const jinja_node *n, jinja_value *out, ds_err *e)
{
	if (++st->steps > JINJA_STEPS)
		return ds_fail(e, DS_BAD, "over %d steps", JINJA_STEPS);
	if (++st->level > JINJA_LEVELS)
		return ds_fail(e, DS_BAD, "expressions nested too deeply");
	DS_TRY(eval_node(st, n, out, e));
	st->level--;
	return DS_OK;
}

/* ---- statements ---- */

/* What a loop goes over: a list, the keys of a map, the characters of a text. */
static ds_rc elements(jinja_state *st, const jinja_node *n, jinja_value *out, ds_err *e)
{
	jinja_value all;
	DS_TRY(eval(st, n->a, &all, e));
	if (all.kind == J_LIST && !n->d) {
		*out = all;
		return DS_OK;
	}
	*out = ds_jinja_new_list(st, false);
	if (all.kind == J_UNDEFINED)
		return DS_OK;
	if (all.kind == J_STR) {
		jinja_value letters = ds_jinja_new_list(st, false);
		for (size_t at = 0; at < all.s.n;) {
			ds_str rest = { all.s.at + at, all.s.n - at };
			rest.n = point_at(rest, 1);
			at += rest.n;
			ds_jinja_add(st, letters.list, DS_S(""), ds_jinja_str(rest));
		}
		all = letters;
	}
	if (all.kind != J_LIST && all.kind != J_MAP)
		return ds_fail(e, DS_BAD, "a loop over what is no list");
	for (size_t i = 0; i < all.list->n; i++) {
		jinja_value v =
			all.kind == J_MAP ? ds_jinja_str(all.list->keys[i]) : all.list->at[i];
		jinja_value keep = ds_jinja_bool(true);
		if (n->d) {
			size_t before = st->n, frame = st->frame;
			st->frame = st->n;
			define(st, n->s, v);
			ds_rc rc = eval(st, n->d, &keep, e);
			st->n = before;
			st->frame = frame;
			DS_TRY(rc);
		}
		if (ds_jinja_true(&keep))
			ds_jinja_add(st, out->list, DS_S(""), v);
	}
	return DS_OK;
}

static void define_loop(jinja_state *st, const jinja_list *l, size_t i)
{
	jinja_value loop = ds_jinja_new_list(st, true);
	int64_t n = (int64_t)l->n, at = (int64_t)i;
	ds_jinja_add(st, loop.list, DS_S("index0"), ds_jinja_int(at));
	ds_jinja_add(st, loop.list, DS_S("index"), ds_jinja_int(at + 1));
	ds_jinja_add(st, loop.list, DS_S("revindex0"), ds_jinja_int(n - 1 - at));
	ds_jinja_add(st, loop.list, DS_S("revindex"), ds_jinja_int(n - at));
	ds_jinja_add(st, loop.list, DS_S("first"), ds_jinja_bool(at == 0));
	ds_jinja_add(st, loop.list, DS_S("last"), ds_jinja_bool(at + 1 == n));
	ds_jinja_add(st, loop.list, DS_S("length"), ds_jinja_int(n));
	if (at)
		ds_jinja_add(st, loop.list, DS_S("previtem"), l->at[i - 1]);
	if (at + 1 < n)
		ds_jinja_add(st, loop.list, DS_S("nextitem"), l->at[i + 1]);
	define(st, DS_S("loop"), loop);
}

static ds_rc define_names(jinja_state *st, const jinja_node *n, const jinja_value *v, ds_err *e)
{
	if (!n->owner.at) {
		define(st, n->s, *v);
		return DS_OK;
	}
	if (v->kind != J_LIST || v->list->n != 2)
		return ds_fail(e, DS_BAD, "a loop of two names over what are no pairs");
	define(st, n->s, v->list->at[0]);
	define(st, n->owner, v->list->at[1]);
	return DS_OK;
}

static ds_rc loop(jinja_state *st, const jinja_node *n, ds_buf *out, ds_err *e)
{
	jinja_value all;
	DS_TRY(elements(st, n, &all, e));
	if (!all.list->n)
		return run(st, n->c, out, e);
	size_t before = st->n, frame = st->frame;
	st->frame = st->n;
	for (size_t i = 0; i < all.list->n; i++) {
		st->n = before;
		define_loop(st, all.list, i);
		DS_TRY(define_names(st, n, &all.list->at[i], e));
		DS_TRY(run(st, n->b, out, e));
	}
	st->n = before;
	st->frame = frame;
	return DS_OK;
}

static ds_rc set(jinja_state *st, const jinja_node *n, ds_err *e)
{
	jinja_value v;
	if (n->kind == N_SET_BLOCK) {
		ds_buf b = { 0 };
		ds_rc rc = run(st, n->b, &b, e);
		v = ds_jinja_str(ds_arena_str(st->mem, ds_buf_view(&b)));
		ds_buf_free(&b);
		DS_TRY(rc);
	} else {
		DS_TRY(eval(st, n->a, &v, e));
	}
	if (!n->owner.at) {
		define(st, n->s, v);
		return DS_OK;
	}
	jinja_value owner = look_up(st, n->owner);
	if (owner.kind != J_MAP)
		return ds_fail(e, DS_BAD, "'%.*s' is no namespace", DS_FMT(n->owner));
	set_key(st, owner.list, n->s, v);
	return DS_OK;
}

static ds_rc run_one(jinja_state *st, const jinja_node *n, ds_buf *out, ds_err *e)
{
	jinja_value v;
	switch (n->kind) {
	case N_TEXT:
		ds_buf_add_str(out, n->s);
		return DS_OK;
	case N_PRINT:
		DS_TRY(eval(st, n->a, &v, e));
		ds_jinja_print(&v, out);
		return DS_OK;
	case N_IF:
		DS_TRY(eval(st, n->a, &v, e));
		return run(st, ds_jinja_true(&v) ? n->b : n->c, out, e);
	case N_FOR:
		return loop(st, n, out, e);
	default:
		return set(st, n, e);
	}
}

static ds_rc run(jinja_state *st, const jinja_node *n, ds_buf *out, ds_err *e)
{
	if (++st->depth > JINJA_DEPTH)
		return ds_fail(e, DS_BAD, "statements nested too deeply");
	for (; n; n = n->next) {
		if (++st->steps > JINJA_STEPS || out->n > JINJA_BYTES)
			return ds_fail(e, DS_BAD, "over %d steps, or bytes", JINJA_STEPS);
		DS_TRY(run_one(st, n, out, e));
	}
	st->depth--;
	return DS_OK;
}

ds_rc ds_jinja_run(const ds_jinja *j, const ds_jinja_vars *v, ds_arena *mem, ds_buf *out, ds_err *e)
{
	jinja_state st = { .mem = mem };
	define(&st, DS_S("messages"), from_json(&st, v->messages));
	define(&st, DS_S("add_generation_prompt"), ds_jinja_bool(v->open));
	define(&st, DS_S("tools"), (jinja_value){ .kind = J_NONE });
	define(&st, DS_S("documents"), (jinja_value){ .kind = J_NONE });
	if (v->bos.at)
		define(&st, DS_S("bos_token"), ds_jinja_str(v->bos));
	if (v->eos.at)
		define(&st, DS_S("eos_token"), ds_jinja_str(v->eos));
	return run(&st, j->body, out, e);
}
