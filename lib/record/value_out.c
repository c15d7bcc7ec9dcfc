/*
 * value_out.c - values as JSON and as plain text, into an arena
 */
#include "record/export.h"

#include "base/base64.h"
#include "json/scan.h"
#include "record/json_columns.h"

ds_text ds_text_new(ds_arena *mem, size_t expected)
{
	ds_text t = { .mem = mem, .cap = expected + 64 };
	t.at = ds_arena_get(mem, t.cap);
	return t;
}

void ds_text_reserve(ds_text *t, size_t more)
{
	if (t->cap - t->n >= more)
		return;
	size_t cap = t->cap + t->cap / 2 + more;
	char *at = ds_arena_get(t->mem, cap);
	memcpy(at, t->at, t->n);
	t->at = at;
	t->cap = cap;
}

void ds_text_add(ds_text *t, const void *p, size_t n)
{
	ds_text_reserve(t, n);
	if (n)
		memcpy(t->at + t->n, p, n);
	t->n += n;
}

void ds_text_i64(ds_text *t, int64_t v)
{
	char digits[20], *p = digits + sizeof(digits);
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
	do
		*--p = (char)('0' + u % 10);
	while (u /= 10);
	ds_text_reserve(t, 24);
	if (v < 0)
		t->at[t->n++] = '-';
	size_t n = (size_t)(digits + sizeof(digits) - p);
	memcpy(t->at + t->n, p, n);
	t->n += n;
}

static void add_f64(ds_text *t, double v)
{
	if (!__builtin_isfinite(v)) { /* JSON has no number for it */
		ds_text_add(t, "null", 4);
		return;
	}
	ds_text_reserve(t, 32);
	t->n += ds_f64_print(t->at + t->n, v);
}

static void add_f32(ds_text *t, float v)
{
	if (!__builtin_isfinite(v)) {
		ds_text_add(t, "null", 4);
		return;
	}
	ds_text_reserve(t, 32);
	t->n += ds_f32_print(t->at + t->n, v);
}

static void put(ds_text *t, ds_str s)
{
	while (s.n) {
		size_t took;
		ds_text_reserve(t, s.n + 2 * DS_JSON_SLACK);
		t->n += ds_json_put(t->at + t->n, t->cap - t->n, s, &took);
		s = (ds_str){ s.at + took, s.n - took };
	}
}

static ds_str repaired(ds_arena *mem, ds_str s, uint64_t *replaced)
{
	char *at = ds_arena_get(mem, 3 * s.n + 1);
	return (ds_str){ at, ds_json_repair(at, s, replaced) };
}

void ds_text_json_str(ds_text *t, ds_str s, uint64_t *replaced)
{
	ds_text_byte(t, '"');
	put(t, ds_json_valid_utf8(s) ? s : repaired(t->mem, s, replaced));
	ds_text_byte(t, '"');
}

static bool has_offsets(const ds_col *c)
{
	return c->type == DS_T_UTF8 || c->type == DS_T_JSON;
}

ds_json_field ds_json_field_of(const ds_col *col, uint32_t n_rows)
{
	ds_json_field f = { col, true };
	if (!has_offsets(col) || n_rows == 0)
		return f;
	/* All values at once; then no value may begin within a character of the one before. */
	const char *data = col->data;
	uint32_t first = col->off[0], last = col->off[n_rows];
	f.valid = ds_json_valid_utf8((ds_str){ data + first, last - first });
	for (uint32_t i = 1; f.valid && i < n_rows; i++)
		if (col->off[i] < last && ((uint8_t)data[col->off[i]] & 0xC0) == 0x80)
			f.valid = false;
	return f;
}

static void add_list(ds_text *t, const ds_col *c, uint32_t row)
{
	size_t n;
	ds_text_byte(t, '[');
	if (c->type == DS_T_F32S) {
		const float *v = ds_col_f32s(c, row, &n);
		for (size_t i = 0; i < n; i++) {
			if (i)
				ds_text_byte(t, ',');
			add_f32(t, v[i]);
		}
	} else if (c->type == DS_T_U16S) {
		const uint16_t *v = ds_col_u16s(c, row, &n);
		for (size_t i = 0; i < n; i++) {
			if (i)
				ds_text_byte(t, ',');
			ds_text_i64(t, v[i]);
		}
	} else {
		const uint32_t *v = ds_col_u32s(c, row, &n);
		for (size_t i = 0; i < n; i++) {
			if (i)
				ds_text_byte(t, ',');
			ds_text_i64(t, v[i]);
		}
	}
	ds_text_byte(t, ']');
}

static void add_base64(ds_text *t, ds_str s)
{
	ds_text_reserve(t, s.n / 3 * 4 + 8);
	t->n += ds_base64_encode(t->at + t->n, s);
}

/* Numbers, truth and lists, which look alike everywhere. */
static void add_other(ds_text *t, const ds_col *c, uint32_t row)
{
	switch (c->type) {
	case DS_T_BOOL:
		ds_text_add(t, ds_col_bool(c, row) ? "true" : "false", ds_col_bool(c, row) ? 4 : 5);
		return;
	case DS_T_I64:
		ds_text_i64(t, ds_col_i64(c, row));
		return;
	case DS_T_F64:
		add_f64(t, ds_col_f64(c, row));
		return;
	default:
		add_list(t, c, row);
	}
}

void ds_text_json_value(ds_text *t, const ds_json_field *f, uint32_t row, uint64_t *replaced)
{
	const ds_col *c = f->col;
	if (ds_col_null(c, row)) {
		ds_text_add(t, "null", 4);
		return;
	}
	if (c->type == DS_T_BYTES) {
		ds_text_byte(t, '"');
		add_base64(t, ds_col_bytes(c, row));
		ds_text_byte(t, '"');
		return;
	}
	if (!has_offsets(c)) {
		add_other(t, c, row);
		return;
	}
	ds_str s = ds_col_bytes(c, row);
	if (!f->valid && !ds_json_valid_utf8(s))
		s = repaired(t->mem, s, replaced);
	if (c->type == DS_T_JSON) {
		ds_text_add(t, s.at, s.n);
		return;
	}
	ds_text_byte(t, '"');
	put(t, s);
	ds_text_byte(t, '"');
}

void ds_text_plain(ds_text *t, const ds_col *c, uint32_t row)
{
	if (!ds_col_has(c, row) || ds_col_null(c, row))
		return;
	if (c->type != DS_T_UTF8 && c->type != DS_T_JSON && c->type != DS_T_BYTES) {
		add_other(t, c, row);
		return;
	}
	ds_str s = ds_col_bytes(c, row);
	ds_json_scan scan = ds_json_scan_of(s);
	bool escaped;
	ds_text_reserve(t, s.n);
	if (c->type == DS_T_JSON && s.n && s.at[0] == '"' && ds_json_string(&scan, &s, &escaped))
		t->n += ds_json_unescape(t->at + t->n, s, NULL);
	else
		ds_text_add(t, s.at, s.n);
}
