/*
 * block.c - finding, reading and renaming the columns of a block
 */
#include "record/block.h"

#include "record/block_impl.h"
#include "json/json.h"
#include "record/stream_impl.h"

#include <stdlib.h>

size_t ds_block_target(void)
{
	const char *s = getenv("DS_BLOCK");
	int64_t n;
	if (s && ds_str_i64(ds_str_of(s), &n) && n > 0 && n <= 1 << 30)
		return (size_t)n;
	return DS_BLOCK_BYTES;
}

ds_block *ds_block_new(ds_arena *mem, uint32_t n_rows)
{
	ds_block *b = ds_arena_zero(mem, sizeof(*b));
	b->mem = mem;
	b->n_rows = n_rows;
	ds_block_reserve(b, 0);
	return b;
}

void ds_block_reserve(ds_block *b, uint32_t n)
{
	size_t cap = 8;
	while (cap < n)
		cap *= 2;
	b->cols = ds_arena_get(b->mem, cap * sizeof(ds_col));
	b->n_cols = 0;
}

ds_col *ds_block_add(ds_block *b, const ds_col *c)
{
	uint32_t n = b->n_cols;
	/* The capacity is a power of two, eight at least (ds_block_reserve). */
	if (n >= 8 && (n & (n - 1)) == 0) {
		ds_col *more = ds_arena_get(b->mem, 2 * (size_t)n * sizeof(ds_col));
		memcpy(more, b->cols, n * sizeof(ds_col));
		b->cols = more;
	}
	b->cols[n] = *c;
	b->n_cols = n + 1;
	return &b->cols[n];
}

ds_col *ds_block_find_str(const ds_block *b, ds_str name)
{
	for (uint32_t i = 0; i < b->n_cols; i++)
		if (ds_str_eq(b->cols[i].name, name))
			return &b->cols[i];
	return NULL;
}

ds_col *ds_block_find(const ds_block *b, const char *name)
{
	return ds_block_find_str(b, ds_str_of(name));
}

ds_rc ds_block_get(ds_block *b, const char *name, const ds_col **out, ds_err *e)
{
	ds_col *c = ds_block_find(b, name);
	*out = NULL;
	if (!c)
		return DS_OK;
	DS_TRY(ds_col_decode(b, c, e));
	*out = c;
	return DS_OK;
}

void ds_block_remove(ds_block *b, const char *name)
{
	ds_block_remove_str(b, ds_str_of(name));
}

void ds_block_remove_str(ds_block *b, ds_str name)
{
	ds_col *c = ds_block_find_str(b, name);
	if (!c)
		return;
	uint32_t i = (uint32_t)(c - b->cols);
	memmove(c, c + 1, (b->n_cols - i - 1) * sizeof(*c));
	b->n_cols--;
}

ds_block *ds_block_lend(const ds_block *b, ds_arena *mem)
{
	ds_block *lent = ds_block_new(mem, b->n_rows);
	ds_col *cols;
	ds_block_reserve(lent, b->n_cols);
	cols = lent->cols;
	if (b->n_cols)
		memcpy(cols, b->cols, b->n_cols * sizeof(*cols));
	*lent = *b;
	lent->cols = cols;
	lent->mem = mem;
	lent->compressor = NULL;
	return lent;
}

void ds_block_rename(ds_block *b, const char *name, const char *to)
{
	if (strcmp(name, to) == 0 || !ds_block_find(b, name))
		return;
	ds_block_remove(b, to);
	ds_block_find(b, name)->name = ds_arena_str(b->mem, ds_str_of(to));
}

static uint64_t elements_of(const ds_col *c, uint32_t n_rows)
{
	return c->off ? c->off[n_rows] : n_rows;
}

unsigned ds_col_presence(const ds_col *c)
{
	return (c->present ? DS_HAS_PRESENT : 0) | (c->nulls ? DS_HAS_NULLS : 0);
}

ds_block_layout ds_col_layout(const ds_col *c, uint32_t n_rows)
{
	return ds_layout_of(c->type, ds_col_presence(c), n_rows, elements_of(c, n_rows));
}

uint64_t ds_block_raw_bytes(const ds_block *b)
{
	uint64_t all = 0;
	for (uint32_t i = 0; i < b->n_cols; i++) {
		const ds_col *c = &b->cols[i];
		all += c->stored.valid ? c->stored.raw_bytes : ds_col_layout(c, b->n_rows).all;
	}
	return all;
}

ds_rc ds_block_row_bytes(ds_block *b, uint32_t row, uint64_t *bytes, ds_err *e)
{
	*bytes = 0;
	for (uint32_t i = 0; i < b->n_cols; i++) {
		ds_col *c = &b->cols[i];
		DS_TRY(ds_col_decode(b, c, e));
		unsigned size = ds_type_size(c->type);
		if (c->off)
			*bytes += (uint64_t)(c->off[row + 1] - c->off[row]) * size;
		else if (ds_col_has(c, row))
			*bytes += size;
	}
	return DS_OK;
}

static const char *json_kind(ds_str v)
{
	switch (v.n ? v.at[0] : 0) {
	case '{':
		return "an object";
	case '[':
		return "a list";
	case 't':
	case 'f':
		return "true or false";
	default:
		return "a number";
	}
}

static ds_rc json_text(ds_block *b, const ds_col *c, ds_str v, ds_str *out, bool *has, ds_err *e)
{
	*has = false;
	if (ds_str_is(v, "null"))
		return DS_OK;
	if (v.n == 0 || v.at[0] != '"')
		return ds_fail(e, DS_BAD, "field '%.*s' is %s, wanted a string", DS_FMT(c->name),
			json_kind(v));
	const ds_json *j;
	DS_TRY_AT(ds_json_parse(&j, b->mem, v, e), e, "field '%.*s'", DS_FMT(c->name));
	*out = j->s;
	*has = true;
	return DS_OK;
}

ds_rc ds_block_text(ds_block *b, const ds_col *c, uint32_t row, ds_str *out, bool *has, ds_err *e)
{
	*out = (ds_str){ "", 0 };
	*has = c && ds_col_has(c, row) && !ds_col_null(c, row);
	if (!*has)
		return DS_OK;
	switch (c->type) {
	case DS_T_UTF8:
	case DS_T_BYTES:
		*out = ds_col_bytes(c, row);
		return DS_OK;
	case DS_T_JSON:
		return json_text(b, c, ds_col_bytes(c, row), out, has, e);
	default:
		return ds_fail(e, DS_BAD, "field '%.*s' is %s, wanted a string", DS_FMT(c->name),
			c->type == DS_T_BOOL     ? "true or false"
			: ds_type_lists(c->type) ? "a list"
						 : "a number");
	}
}

static ds_rc json_ids(
	ds_block *b, const ds_col *c, ds_str v, const uint32_t **out, size_t *n, ds_err *e)
{
	const ds_json *j;
	DS_TRY_AT(ds_json_parse(&j, b->mem, v, e), e, "field '%.*s'", DS_FMT(c->name));
	if (j->kind != DS_J_ARR)
		return ds_fail(e, DS_BAD, "field '%.*s' is %s, wanted a list of ids",
			DS_FMT(c->name), v.at[0] == '"' ? "a string" : json_kind(v));
	uint32_t *ids = ds_arena_get(b->mem, j->n * sizeof(*ids));
	for (size_t i = 0; i < j->n; i++) {
		const ds_json *x = j->items[i];
		if (x->kind != DS_J_I64 || x->i < 0 || x->i > UINT32_MAX)
			return ds_fail(e, DS_BAD, "field '%.*s': element %zu is not an id",
				DS_FMT(c->name), i);
		ids[i] = (uint32_t)x->i;
	}
	*out = ids;
	*n = j->n;
	return DS_OK;
}

ds_rc ds_block_ids(ds_block *b, const ds_col *c, uint32_t row, const uint32_t **out, size_t *n,
	bool *has, ds_err *e)
{
	*out = NULL;
	*n = 0;
	*has = c && ds_col_has(c, row) && !ds_col_null(c, row);
	if (!*has)
		return DS_OK;
	if (c->type == DS_T_U32S) {
		*out = ds_col_u32s(c, row, n);
		return DS_OK;
	}
	if (c->type == DS_T_U16S) {
		const uint16_t *from = ds_col_u16s(c, row, n);
		uint32_t *ids = ds_arena_get(b->mem, *n * sizeof(*ids));
		for (size_t i = 0; i < *n; i++)
			ids[i] = from[i];
		*out = ids;
		return DS_OK;
	}
	if (c->type == DS_T_JSON)
		return json_ids(b, c, ds_col_bytes(c, row), out, n, e);
	return ds_fail(e, DS_BAD, "field '%.*s' is %s, wanted a list of ids", DS_FMT(c->name),
		ds_type_name(c->type));
}

/* A value as JSON text, in the arena; strings keep their bytes, valid UTF-8 or not. */
ds_str ds_col_json(ds_arena *mem, const ds_col *c, uint32_t row)
{
	char num[32];
	switch (c->type) {
	case DS_T_JSON:
		return ds_col_bytes(c, row);
	case DS_T_BOOL:
		return ds_col_bool(c, row) ? DS_S("true") : DS_S("false");
	case DS_T_I64:
		return ds_arena_fmt(mem, "%lld", (long long)ds_col_i64(c, row));
	case DS_T_F64:
		return ds_arena_str(mem, (ds_str){ num, ds_number_print(num, ds_col_f64(c, row)) });
	default:
		return ds_col_json_list(mem, c, row);
	}
}

ds_rc ds_block_id(ds_block *b, uint32_t row, ds_str *out, ds_err *e)
{
	const ds_col *c;
	bool has;
	DS_TRY(ds_block_get(b, "id", &c, e));
	if (!c || !ds_col_has(c, row) || ds_col_null(c, row)) {
		*out = ds_arena_fmt(b->mem, "%llu", (unsigned long long)ds_block_record(b, row));
		return DS_OK;
	}
	if (c->type == DS_T_UTF8 || c->type == DS_T_BYTES ||
		(c->type == DS_T_JSON && c->off[row] < c->off[row + 1] &&
			ds_col_bytes(c, row).at[0] == '"'))
		return ds_block_text(b, c, row, out, &has, e);
	*out = ds_col_json(b->mem, c, row);
	return DS_OK;
}
