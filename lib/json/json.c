/*
 * json.c - JSON as a tree, for what is small and needed whole
 *
 * The text is copied once; strings are unescaped in that copy, where they get a NUL in the place of
 * their closing quote. Records go another way, see import_jsonl.c.
 */
#include "json/json.h"

#include "json/scan.h"

/* Over this an index pays; far over it its 4 bytes a byte are too many. */
enum { INDEX_FROM = 64 << 10, INDEX_UP_TO = 256 << 20, SLAB = 128 };

typedef struct {
	ds_json_scan scan;
	ds_arena *mem;
	ds_json *slab;
	size_t left;
} parse;

static ds_json *node(parse *p)
{
	if (!p->left) {
		p->slab = ds_arena_get(p->mem, SLAB * sizeof(*p->slab));
		p->left = SLAB;
	}
	ds_json *v = &p->slab[SLAB - p->left--];
	*v = (ds_json){ .kind = DS_J_NULL, .s = { "", 0 }, .key = { "", 0 } };
	return v;
}

static bool value(parse *p, ds_json *v, unsigned depth);

static bool string(parse *p, ds_str *out)
{
	bool escaped;
	char *at;
	if (!ds_json_string(&p->scan, out, &escaped))
		return false;
	at = (char *)(uintptr_t)out->at; /* our own copy */
	if (escaped)
		out->n = ds_json_unescape(at, *out, NULL);
	at[out->n] = 0;
	return true;
}

static void number(ds_json *v, ds_json_token kind)
{
	bool exact;
	if (kind == DS_JT_INT && ds_json_i64(v->s, &v->i)) {
		v->kind = DS_J_I64;
		v->f = (double)v->i;
		return;
	}
	v->kind = DS_J_BIG;
	if (ds_json_f64(v->s, &v->f, &exact)) {
		v->kind = kind == DS_JT_FLOAT ? DS_J_F64 : DS_J_BIG;
	} else {
		v->f = v->s.at[0] == '-' ? -__builtin_inf() : __builtin_inf();
	}
}

static bool scalar(parse *p, ds_json *v)
{
	ds_json_span span;
	if (!ds_json_skip(&p->scan, 0, &span))
		return false;
	v->s = (ds_str){ p->scan.text + span.at, span.n };
	switch (span.kind) {
	case DS_JT_NULL:
		v->kind = DS_J_NULL;
		return true;
	case DS_JT_TRUE:
	case DS_JT_FALSE:
		v->kind = DS_J_BOOL;
		v->b = span.kind == DS_JT_TRUE;
		return true;
	default:
		number(v, span.kind);
		return true;
	}
}

static bool member_key(parse *p, ds_json *child, ds_json_keys *keys)
{
	if (!string(p, &child->key))
		return false;
	if (!ds_json_keys_add(keys, child->key, true)) {
		p->scan.why = "duplicate key";
		p->scan.where = (size_t)(child->key.at - p->scan.text);
		p->scan.key = child->key;
		return false;
	}
	return ds_json_eat(&p->scan, ':');
}

static bool members(parse *p, ds_json *v, unsigned depth, ds_json_keys *keys)
{
	char close = v->kind == DS_J_OBJ ? '}' : ']';
	ds_json *last = NULL;
	if (ds_json_peek(&p->scan) == close)
		return ds_json_eat(&p->scan, close);
	for (;; v->n++) {
		ds_json *child = node(p);
		if (v->kind == DS_J_OBJ && !member_key(p, child, keys))
			return false;
		if (!value(p, child, depth))
			return false;
		if (last)
			last->next = child;
		else
			v->first = child;
		last = child;
		if (ds_json_peek(&p->scan) == close) {
			v->n++;
			return ds_json_eat(&p->scan, close);
		}
		if (!ds_json_eat(&p->scan, ','))
			return false;
	}
}

static bool nested(parse *p, ds_json *v, unsigned depth)
{
	ds_json_keys keys = { .n = 0 };
	const ds_json **items;
	bool good;
	size_t i = 0;
	if (depth >= DS_JSON_DEPTH) {
		p->scan.why = "nested deeper than 512";
		p->scan.where = p->scan.at;
		return false;
	}
	v->kind = ds_json_peek(&p->scan) == '{' ? DS_J_OBJ : DS_J_ARR;
	good = ds_json_eat(&p->scan, v->kind == DS_J_OBJ ? '{' : '[') &&
	       members(p, v, depth + 1, &keys);
	ds_json_keys_free(&keys);
	if (!good)
		return false;
	items = ds_arena_get(p->mem, (v->n + !v->n) * sizeof(*items));
	for (const ds_json *c = v->first; c; c = c->next)
		items[i++] = c;
	v->items = items;
	return true;
}

static bool value(parse *p, ds_json *v, unsigned depth)
{
	switch (ds_json_peek(&p->scan)) {
	case '{':
	case '[':
		return nested(p, v, depth);
	case '"':
		v->kind = DS_J_STR;
		return string(p, &v->s);
	default:
		return scalar(p, v);
	}
}

ds_rc ds_json_parse(const ds_json **out, ds_arena *mem, ds_str text, ds_err *e)
{
	DS_AUTO(ds_json_index) index = NULL;
	parse p = { .mem = mem };
	size_t skip = ds_str_starts(text, DS_S("\xEF\xBB\xBF")) ? 3 : 0; /* RFC 8259, 8.1 */
	ds_json *root;
	char *copy = ds_arena_bytes(mem, text.n - skip + 1);
	if (text.n > skip)
		memcpy(copy, text.at + skip, text.n - skip);
	copy[text.n - skip] = 0;
	text = (ds_str){ copy, text.n - skip };
	p.scan = ds_json_scan_of(text);
	if (text.n >= INDEX_FROM && text.n <= INDEX_UP_TO) {
		index = ds_json_index_new();
		p.scan.index = ds_json_index_make(index, text);
	}
	root = node(&p);
	if (!value(&p, root, 0))
		return ds_json_scan_fail(&p.scan, e);
	ds_json_peek(&p.scan);
	if (p.scan.at < p.scan.end)
		return ds_fail(e, DS_BAD, "offset %zu: more after the value", p.scan.at);
	*out = root;
	return DS_OK;
}

const ds_json *ds_json_get(const ds_json *obj, const char *key)
{
	ds_str k = ds_str_of(key);
	if (!obj || obj->kind != DS_J_OBJ)
		return NULL;
	for (const ds_json *c = obj->first; c; c = c->next)
		if (ds_str_eq(c->key, k))
			return c;
	return NULL;
}

ds_str ds_json_text(const ds_json *obj, const char *key, const char *otherwise)
{
	const ds_json *v = ds_json_get(obj, key);
	if (v && v->kind == DS_J_STR)
		return v->s;
	return otherwise ? ds_str_of(otherwise) : (ds_str){ NULL, 0 };
}

int64_t ds_json_int(const ds_json *obj, const char *key, int64_t otherwise)
{
	const ds_json *v = ds_json_get(obj, key);
	return v && v->kind == DS_J_I64 ? v->i : otherwise;
}

double ds_json_num(const ds_json *obj, const char *key, double otherwise)
{
	const ds_json *v = ds_json_get(obj, key);
	bool number = v && (v->kind == DS_J_I64 || v->kind == DS_J_F64 || v->kind == DS_J_BIG);
	return number ? v->f : otherwise;
}

bool ds_json_flag(const ds_json *obj, const char *key, bool otherwise)
{
	const ds_json *v = ds_json_get(obj, key);
	return v && v->kind == DS_J_BOOL ? v->b : otherwise;
}

static void put(ds_buf *out, ds_str s)
{
	while (s.n) {
		size_t took;
		ds_buf_reserve(out, s.n + 2 * DS_JSON_SLACK);
		out->n += ds_json_put(out->at + out->n, out->cap - out->n, s, &took);
		s = (ds_str){ s.at + took, s.n - took };
	}
}

size_t ds_json_add_str(ds_buf *out, ds_str s)
{
	uint64_t replaced = 0;
	ds_buf_add_byte(out, '"');
	if (ds_json_valid_utf8(s)) {
		put(out, s);
	} else {
		ds_buf fixed = { 0 };
		ds_buf_reserve(&fixed, 3 * s.n);
		fixed.n = ds_json_repair(fixed.at, s, &replaced);
		put(out, ds_buf_view(&fixed));
		ds_buf_free(&fixed);
	}
	ds_buf_add_byte(out, '"');
	return replaced;
}

void ds_json_add(ds_buf *out, const ds_json *v)
{
	switch (v->kind) {
	case DS_J_NULL:
		ds_buf_add_c(out, "null");
		return;
	case DS_J_BOOL:
		ds_buf_add_c(out, v->b ? "true" : "false");
		return;
	case DS_J_STR:
		ds_json_add_str(out, v->s);
		return;
	case DS_J_ARR:
	case DS_J_OBJ:
		ds_buf_add_byte(out, v->kind == DS_J_ARR ? '[' : '{');
		for (const ds_json *c = v->first; c; c = c->next) {
			if (c != v->first)
				ds_buf_add_byte(out, ',');
			if (v->kind == DS_J_OBJ) {
				ds_json_add_str(out, c->key);
				ds_buf_add_byte(out, ':');
			}
			ds_json_add(out, c);
		}
		ds_buf_add_byte(out, v->kind == DS_J_ARR ? ']' : '}');
		return;
	default: /* numbers as spelled */
		ds_buf_add_str(out, v->s);
	}
}
