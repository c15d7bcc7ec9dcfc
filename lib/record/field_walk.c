/*
 * field_walk.c - along a path through json text, without making a tree of it
 *
 * Only what lies on the path is looked at; the rest is stepped over, and checked on the way, since a column may
 * hold anything.
 */
#include "record/field_impl.h"

void ds_found_add(ds_found *f, ds_text_part part)
{
	if (!f->at || f->n == f->cap) {
		size_t cap = f->n ? 2 * f->cap : f->cap ? f->cap : 4;
		ds_text_part *more = ds_arena_get(f->mem, cap * sizeof(*more));
		if (f->n)
			memcpy(more, f->at, f->n * sizeof(*more));
		f->at = more;
		f->cap = cap;
	}
	f->at[f->n++] = part;
}

typedef struct {
	ds_json_scan s;
	ds_found *to;
	uint32_t col;
	const char *odd; /* what the path ended at, where that is no text */
} walk;

static bool skip(walk *w)
{
	ds_json_span span;
	return ds_json_skip(&w->s, 0, &span);
}

static bool take_string(walk *w)
{
	ds_str s;
	bool escaped;
	if (!ds_json_string(&w->s, &s, &escaped))
		return false;
	ds_text_part part = { .text = s, .raw = { s.at - 1, s.n + 2 }, .col = w->col };
	if (escaped) {
		char *plain = ds_arena_bytes(w->to->mem, s.n);
		part.text = (ds_str){ plain, ds_json_unescape(plain, s, NULL) };
	}
	ds_found_add(w->to, part);
	return true;
}

static bool same_key(ds_arena *mem, ds_str key, bool escaped, ds_str wanted)
{
	if (!escaped)
		return ds_str_eq(key, wanted);
	char *plain = ds_arena_bytes(mem, key.n);
	return ds_str_eq((ds_str){ plain, ds_json_unescape(plain, key, NULL) }, wanted);
}

static bool follow(walk *w, const ds_step *steps, size_t n);

/* The member of an object that begins here, and on along the rest of the path. */
static bool member(walk *w, ds_str wanted, const ds_step *rest, size_t n)
{
	ds_str key;
	bool escaped, first = true;
	if (!ds_json_eat(&w->s, '{'))
		return false;
	for (; ds_json_peek(&w->s) != '}'; first = false) {
		if (!first && !ds_json_eat(&w->s, ','))
			return false;
		if (!ds_json_string(&w->s, &key, &escaped) || !ds_json_eat(&w->s, ':'))
			return false;
		bool mine = same_key(w->to->mem, key, escaped, wanted);
		if (!(mine ? follow(w, rest, n) : skip(w)))
			return false;
	}
	return ds_json_eat(&w->s, '}');
}

/* The `text` of a content part; one without, such as a picture, has none. */
static bool content_part(walk *w)
{
	ds_str key;
	bool escaped, first = true;
	if (!ds_json_eat(&w->s, '{'))
		return false;
	for (; ds_json_peek(&w->s) != '}'; first = false) {
		if (!first && !ds_json_eat(&w->s, ','))
			return false;
		if (!ds_json_string(&w->s, &key, &escaped) || !ds_json_eat(&w->s, ':'))
			return false;
		bool text = same_key(w->to->mem, key, escaped, DS_S("text"));
		if (!(text && ds_json_peek(&w->s) == '"' ? take_string(w) : skip(w)))
			return false;
	}
	return ds_json_eat(&w->s, '}');
}

/* Each element, or the one of an index; n 0: texts and content parts are wanted. */
static bool elements(walk *w, size_t only, const ds_step *rest, size_t n, bool content)
{
	if (!ds_json_eat(&w->s, '['))
		return false;
	for (size_t i = 0; ds_json_peek(&w->s) != ']'; i++) {
		if (i && !ds_json_eat(&w->s, ','))
			return false;
		char c = ds_json_peek(&w->s);
		bool good;
		if (!content)
			good = only == SIZE_MAX || only == i ? follow(w, rest, n) : skip(w);
		else
			good = c == '"' ? take_string(w) : c == '{' ? content_part(w) : skip(w);
		if (!good)
			return false;
	}
	return ds_json_eat(&w->s, ']');
}

static bool end_of_path(walk *w)
{
	w->to->there = true;
	switch (ds_json_peek(&w->s)) {
	case '"':
		return take_string(w);
	case '[':
		return elements(w, SIZE_MAX, NULL, 0, true);
	case 'n':
		return skip(w);
	case '{':
		w->odd = "an object";
		return skip(w);
	case 't':
	case 'f':
		w->odd = "true or false";
		return skip(w);
	default:
		w->odd = "a number";
		return skip(w);
	}
}

static bool follow(walk *w, const ds_step *steps, size_t n)
{
	if (n == 0)
		return end_of_path(w);
	char c = ds_json_peek(&w->s);
	if (steps->kind == DS_STEP_KEY)
		return c == '{' ? member(w, steps->key, steps + 1, n - 1) : skip(w);
	return c == '[' ? elements(w, steps->kind == DS_STEP_EACH ? SIZE_MAX : steps->index,
				  steps + 1, n - 1, false)
			: skip(w);
}

ds_rc ds_field_walk(
	ds_found *to, ds_str json, const ds_step *steps, size_t n, uint32_t col, ds_err *e)
{
	walk w = { .s = ds_json_scan_of(json), .to = to, .col = col };
	if (!follow(&w, steps, n) || ds_json_peek(&w.s))
		return w.s.why ? ds_at(e, ds_json_scan_fail(&w.s, e), "field '%s'", to->name)
			       : ds_fail(e, DS_BAD, "field '%s': more than one value", to->name);
	if (w.odd)
		return ds_fail(e, DS_BAD, "field '%s' is %s, wanted a string", to->name, w.odd);
	return DS_OK;
}
