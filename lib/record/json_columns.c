/*
 * json_columns.c - first pass: where the values of each key are
 *
 * Keys mostly come in the same order in every record, so the column after the last one is tried
 * first and a table only when it is another. Cells are kept for values that are there: a key that
 * one record in a thousand has costs one cell, not a thousand.
 */
#include "record/json_columns_impl.h"

#include "base/hash.h"

enum { FIRST_CELLS = 16, MOST_CELLS = 4 << 20, FEWEST_COLUMNS = 16 };

ds_json_columns *ds_json_columns_new(ds_arena *mem, const char *text, size_t most_rows)
{
	ds_json_columns *c = ds_arena_zero(mem, sizeof(*c));
	size_t most = MOST_CELLS / (most_rows + 1);
	c->mem = mem;
	c->text = text;
	c->most_columns = most > DS_MAX_COLUMNS - 1 ? DS_MAX_COLUMNS - 1
			  : most < FEWEST_COLUMNS   ? FEWEST_COLUMNS
						    : (uint32_t)most;
	c->cols = ds_arena_get(mem, sizeof(*c->cols) * c->most_columns);
	return c;
}

static ds_json_cell *new_cell(ds_json_columns *c, ds_json_cells *to)
{
	if (to->n == to->cap) {
		size_t cap = to->cap ? to->cap * 2 : FIRST_CELLS;
		ds_json_cell *at = ds_arena_get(c->mem, cap * sizeof(*at));
		if (to->n)
			memcpy(at, to->at, to->n * sizeof(*at));
		to->at = at;
		to->cap = cap;
	}
	return &to->at[to->n++];
}

static ds_json_col *add_column(ds_json_columns *c, ds_str name)
{
	ds_json_col *col = &c->cols[c->n];
	*col = (ds_json_col){ .name = ds_arena_str(c->mem, name) };
	c->n++;
	if (c->n <= DS_JSON_FEW)
		return col;
	if (!c->by_name) { /* few columns are found as fast by looking at each */
		c->by_name = ds_map_new(64);
		for (uint32_t i = 0; i < c->n - 1; i++)
			*ds_map_put(c->by_name, c->cols[i].name, NULL) = i;
	}
	*ds_map_put(c->by_name, name, NULL) = c->n - 1;
	return col;
}

static ds_json_col *find_column(ds_json_columns *c, ds_str key)
{
	if (c->next < c->n && ds_str_eq(c->cols[c->next].name, key))
		return &c->cols[c->next];
	if (c->by_name) {
		uint64_t *i = ds_map_find(c->by_name, key);
		return i ? &c->cols[*i] : NULL;
	}
	for (uint32_t i = 0; i < c->n; i++)
		if (ds_str_eq(c->cols[i].name, key))
			return &c->cols[i];
	return NULL;
}

static bool duplicate(ds_json_scan *s, ds_str key)
{
	s->why = "duplicate key";
	s->where = (size_t)(key.at - s->text);
	s->key = key;
	return false;
}

static void note(ds_json_columns *c, ds_json_cells *cells, const ds_json_span *v)
{
	*new_cell(c, cells) = (ds_json_cell){ .row = c->n_rows,
		.kind = (uint8_t)v->kind,
		.at = (uint32_t)v->at,
		.n = (uint32_t)v->n };
}

/* A key for which there is no column left. */
static bool add_more(ds_json_columns *c, ds_json_scan *s, ds_str key, ds_json_keys *seen)
{
	ds_json_span value, name = { DS_JT_STR, (size_t)(key.at - s->text) - 1, key.n + 2 };
	bool escaped = memchr(key.at, '\\', key.n) != NULL;
	ds_str plain = key;
	if (escaped) {
		char *to = ds_arena_bytes(c->mem, key.n);
		plain = (ds_str){ to, ds_json_unescape(to, key, NULL) };
	}
	if (!ds_json_keys_add(seen, plain, true))
		return duplicate(s, key);
	if (!ds_json_skip(s, 1, &value))
		return false;
	note(c, &c->more, &name);
	note(c, &c->more, &value);
	return true;
}

static bool add_member(ds_json_columns *c, ds_json_scan *s, ds_json_keys *seen)
{
	ds_json_span value;
	ds_json_col *col;
	ds_str key, plain;
	bool escaped;
	if (!ds_json_string(s, &key, &escaped) || !ds_json_eat(s, ':'))
		return false;
	plain = key;
	if (escaped) {
		char *to = ds_arena_bytes(c->mem, key.n);
		plain = (ds_str){ to, ds_json_unescape(to, key, NULL) };
	}
	col = find_column(c, plain);
	if (!col) {
		if (c->n == c->most_columns || plain.n > DS_JSON_NAME || ds_str_is(plain, DS_MORE))
			return add_more(c, s, key, seen);
		col = add_column(c, plain);
	}
	c->next = (uint32_t)(col - c->cols) + 1;
	if (col->cells.n && col->cells.at[col->cells.n - 1].row == c->n_rows)
		return duplicate(s, key);
	if (!ds_json_skip(s, 1, &value))
		return false;
	note(c, &col->cells, &value);
	return true;
}

static bool add_members(ds_json_columns *c, ds_json_scan *s, ds_json_keys *seen)
{
	c->next = 0;
	if (!ds_json_eat(s, '{'))
		return false;
	if (ds_json_peek(s) == '}')
		return ds_json_eat(s, '}');
	for (;;) {
		if (!add_member(c, s, seen))
			return false;
		if (ds_json_peek(s) == '}')
			return ds_json_eat(s, '}');
		if (!ds_json_eat(s, ','))
			return false;
	}
}

static void take_back(ds_json_cells *cells, uint32_t row)
{
	while (cells->n && cells->at[cells->n - 1].row == row)
		cells->n--;
}

static void take_row_back(ds_json_columns *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		take_back(&c->cols[i].cells, c->n_rows);
	take_back(&c->more, c->n_rows);
}

bool ds_json_columns_add(ds_json_columns *c, ds_json_scan *s)
{
	ds_json_keys seen = { .n = 0 };
	bool good = add_members(c, s, &seen);
	ds_json_keys_free(&seen);
	if (good) {
		c->n_rows++;
		return true;
	}
	take_row_back(c);
	return false;
}

void ds_json_columns_undo(ds_json_columns *c)
{
	c->n_rows--;
	take_row_back(c);
}

void ds_json_columns_reset(ds_json_columns *c)
{
	ds_map_free(c->by_name);
	c->by_name = NULL;
	c->n = c->n_rows = c->next = 0;
	c->more = (ds_json_cells){ NULL, 0, 0 };
}

uint32_t ds_json_columns_rows(const ds_json_columns *c)
{
	return c->n_rows;
}

void ds_json_columns_free(ds_json_columns *c)
{
	if (c)
		ds_map_free(c->by_name);
}
