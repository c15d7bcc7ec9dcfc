/*
 * field.c - paths as they are typed, and what is said where nothing is at their end
 */
#include "record/field_impl.h"

#include "base/mem.h"

#include <stdio.h>

enum { NAMES_MOST = 40, NAME_BYTES = 200, ROWS_LOOKED_AT = 16, DEEPEST = 8 };

static ds_rc no_path(const char *path, const char *why, ds_err *e)
{
	return ds_fail(e, DS_USAGE, "'--field %s': %s", path, why);
}

/* A key up to a dot or bracket, backslashes undone. */
static const char *read_key(ds_field *f, const char *p, ds_str *key)
{
	char *out = ds_arena_bytes(f->mem, strlen(p) + 1);
	size_t n = 0;
	while (*p && *p != '.' && *p != '[') {
		if (*p == '\\' && p[1])
			p++;
		out[n++] = *p++;
	}
	out[n] = '\0';
	*key = (ds_str){ out, n };
	return p;
}

/* [] or [N]; NULL: neither. */
static const char *read_index(const char *p, ds_step *step)
{
	const char *close = strchr(p, ']');
	int64_t v = 0;
	if (!close)
		return NULL;
	ds_str digits = { p + 1, (size_t)(close - p - 1) };
	*step = (ds_step){ .kind = digits.n ? DS_STEP_INDEX : DS_STEP_EACH };
	if (digits.n && (!ds_str_i64(digits, &v) || v < 0))
		return NULL;
	step->index = (size_t)v;
	return close + 1;
}

static ds_rc read_path(ds_field *f, const char *path, ds_path *out, ds_err *e)
{
	const char *p = path;
	out->spelled = ds_str_of(path);
	do {
		ds_step *step = &out->steps[out->n];
		if (out->n == DS_STEPS)
			return no_path(path, "more than 32 steps", e);
		if (*p == '[' && out->n) {
			p = read_index(p, step);
			if (!p)
				return no_path(path, "[] is each element, [0] the first", e);
		} else {
			p += *p == '.' && out->n;
			*step = (ds_step){ .kind = DS_STEP_KEY };
			p = read_key(f, p, &step->key);
			if (!step->key.n)
				return no_path(path, "a field's name is not empty", e);
		}
		out->ends[out->n++] = (size_t)(p - path);
	} while (*p);
	return DS_OK;
}

ds_rc ds_field_new(ds_field **out, const char *const *paths, size_t n, ds_err *e)
{
	DS_AUTO(ds_field) f = DS_NEW(ds_field, 1);
	ds_buf name = { 0 };
	f->mem = ds_arena_new(4096);
	f->paths = ds_arena_zero(f->mem, (n + 1) * sizeof(*f->paths));
	for (size_t i = 0; i < n; i++) {
		bool known = false;
		for (size_t k = 0; k < f->n; k++)
			known |= ds_str_is(f->paths[k].spelled, paths[i]);
		if (known)
			continue;
		const char *path = ds_arena_str(f->mem, ds_str_of(paths[i])).at;
		ds_rc rc = read_path(f, path, &f->paths[f->n++], e);
		if (rc != DS_OK) {
			ds_buf_free(&name);
			return rc;
		}
		ds_buf_fmt(&name, "%s%s", f->n > 1 ? ", " : "", path);
	}
	f->name = ds_arena_str(f->mem, ds_buf_view(&name)).at;
	f->one_column = f->n == 1 && f->paths[0].n == 1;
	ds_buf_free(&name);
	*out = f;
	f = NULL;
	return DS_OK;
}

ds_rc ds_field_of(ds_field **f, const ds_field_opts *o, ds_err *e)
{
	const char *one = o->column ? o->column : "text";
	if (o->paths.n)
		return ds_field_new(f, o->paths.at, o->paths.n, e);
	return ds_field_new(f, &one, 1, e);
}

void ds_field_free(ds_field *f)
{
	if (!f)
		return;
	ds_arena_free(f->mem);
	ds_mem_free(f);
}

const char *ds_field_name(const ds_field *f)
{
	return f->name;
}

const char *ds_field_column(const ds_field *f)
{
	return f->one_column ? f->paths[0].steps[0].key.at : "text";
}

bool ds_field_is_column(const ds_field *f)
{
	return f->one_column;
}

static void add_name(ds_field_names *to, ds_str name)
{
	if (to->n == NAMES_MOST || name.n > NAME_BYTES)
		return;
	for (size_t at = 0; at < to->names.n; at += strlen(to->names.at + at) + 1)
		if (ds_str_is(name, to->names.at + at))
			return;
	ds_buf_add_str(&to->names, name);
	ds_buf_add_byte(&to->names, '\0');
	to->n++;
}

/* The paths to strings in a value; path is what leads to it, and is given back as it was. */
static bool add_strings(ds_field_names *to, ds_json_scan *s, ds_buf *path, unsigned depth)
{
	size_t before = path->n;
	char c = ds_json_peek(s);
	ds_json_span span;
	ds_str key;
	bool escaped, first = true;
	if (c == '"')
		add_name(to, ds_buf_view(path));
	if ((c != '{' && c != '[') || depth == DEEPEST)
		return ds_json_skip(s, 0, &span);
	ds_json_eat(s, c);
	for (; ds_json_peek(s) != (c == '{' ? '}' : ']'); first = false) {
		if (!first && !ds_json_eat(s, ','))
			return false;
		if (c == '[') {
			ds_buf_add_c(path, "[]");
		} else {
			if (!ds_json_string(s, &key, &escaped) || !ds_json_eat(s, ':'))
				return false;
			ds_buf_add_byte(path, '.');
			ds_buf_add_str(path, key);
		}
		if (!add_strings(to, s, path, depth + 1))
			return false;
		path->n = before;
	}
	return ds_json_eat(s, c == '{' ? '}' : ']');
}

ds_rc ds_field_names_add(ds_field_names *to, ds_block *b, ds_err *e)
{
	ds_buf path = { 0 };
	ds_rc rc = DS_OK;
	for (uint32_t i = 0; i < b->n_cols && rc == DS_OK && to->n < NAMES_MOST; i++) {
		ds_col *c = &b->cols[i];
		unsigned before = to->n;
		if (c->type == DS_T_JSON)
			rc = ds_col_decode(b, c, e);
		uint32_t rows = b->n_rows < ROWS_LOOKED_AT ? b->n_rows : ROWS_LOOKED_AT;
		for (uint32_t row = 0; rc == DS_OK && c->type == DS_T_JSON && row < rows; row++) {
			if (!ds_col_has(c, row) || ds_col_null(c, row))
				continue;
			ds_json_scan s = ds_json_scan_of(ds_col_bytes(c, row));
			ds_buf_clear(&path);
			ds_buf_add_str(&path, c->name);
			add_strings(to, &s, &path, 0);
		}
		if (to->n == before)
			add_name(to, c->name);
	}
	ds_buf_free(&path);
	return rc;
}

void ds_field_names_merge(ds_field_names *to, const ds_field_names *from)
{
	for (size_t at = 0; at < from->names.n; at += strlen(from->names.at + at) + 1)
		add_name(to, ds_str_of(from->names.at + at));
}

void ds_field_names_print(const ds_field_names *n, ds_buf *out)
{
	for (size_t at = 0; at < n->names.n; at += strlen(n->names.at + at) + 1)
		ds_buf_fmt(out, "%s%s", at ? ", " : "", n->names.at + at);
	if (!n->n)
		ds_buf_add_c(out, "none");
}

void ds_field_names_free(ds_field_names *n)
{
	ds_buf_free(&n->names);
	*n = (ds_field_names){ 0 };
}

ds_rc ds_field_missing(
	const char *field, const ds_field_names *there, const char *option, ds_err *e)
{
	ds_buf names = { 0 };
	ds_field_names_print(there, &names);
	ds_fail(e, DS_BAD, "no record has the field '%s'; there %s %.600s%s%s%s", field,
		there->n == 1 ? "is" : "are", ds_buf_text(&names), option ? " (" : "",
		option ? option : "", option ? " names another)" : "");
	ds_buf_free(&names);
	return DS_BAD;
}
