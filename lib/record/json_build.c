/*
 * json_build.c - second pass of json_columns: cells become a column of the type that holds them all
 *
 * Each try_… makes the column or finds a value that does not fit; json holds any. Sizes are known
 * beforehand, so every byte is copied once, to where it stays.
 */
#include "record/json_columns_impl.h"

#include "base/base64.h"
#include "record/block_impl.h"

enum {
	STRINGS = 1u << DS_JT_STR | 1u << DS_JT_ESC,
	BOOLS = 1u << DS_JT_TRUE | 1u << DS_JT_FALSE,
	NUMBERS = 1u << DS_JT_INT | 1u << DS_JT_FLOAT,
};

typedef struct {
	ds_json_columns *c;
	const ds_json_cells *cells;
	uint32_t kinds; /* of the values that are not null, a bit each */
	uint32_t *off;  /* for the kinds of column that have it */
	ds_col *col;
	uint64_t lone;
} build;

static ds_str text_of(const build *b, const ds_json_cell *cell)
{
	return (ds_str){ b->c->text + cell->at, cell->n };
}

static ds_str inside_of(const build *b, const ds_json_cell *cell) /* without the quotes */
{
	return (ds_str){ b->c->text + cell->at + 1, cell->n - 2u };
}

static void set_bit(uint8_t *map, uint32_t i)
{
	map[i >> 3] |= (uint8_t)(1u << (i & 7));
}

static void make_presence(build *b)
{
	size_t bytes = (b->c->n_rows + 7u) / 8u;
	uint8_t *present = NULL, *nulls = NULL;
	if (b->cells->n < b->c->n_rows)
		b->col->present = present = ds_arena_zero(b->c->mem, bytes);
	for (size_t i = 0; i < b->cells->n; i++) {
		const ds_json_cell *cell = &b->cells->at[i];
		if (present)
			set_bit(present, cell->row);
		if (cell->kind == DS_JT_NULL) {
			if (!nulls)
				b->col->nulls = nulls = ds_arena_zero(b->c->mem, bytes);
			set_bit(nulls, cell->row);
		} else {
			b->kinds |= 1u << cell->kind;
		}
	}
}

static bool is_null(const ds_json_cell *cell)
{
	return cell->kind == DS_JT_NULL;
}

/* Offsets from where the last row ended up to this one's begin; rows without a value are empty. */
static uint32_t fill_to(build *b, uint32_t from, uint32_t row, size_t at)
{
	for (; from <= row; from++)
		b->off[from] = (uint32_t)at;
	return from;
}

static void finish_list(build *b, ds_type type, const void *data)
{
	b->col->type = type;
	b->col->off = b->off;
	b->col->data = data;
}

static char *reserve_for(build *b, bool (*wanted)(const ds_json_cell *))
{
	size_t bytes = 0;
	for (size_t i = 0; i < b->cells->n; i++)
		if (wanted(&b->cells->at[i]))
			bytes += b->cells->at[i].n;
	return ds_arena_get(b->c->mem, bytes + 64);
}

static bool has_bytes(const ds_json_cell *cell)
{
	return !is_null(cell);
}

static void make_utf8(build *b)
{
	char *data = reserve_for(b, has_bytes), *w = data;
	uint32_t row = 0;
	for (size_t i = 0; i < b->cells->n; i++) {
		const ds_json_cell *cell = &b->cells->at[i];
		row = fill_to(b, row, cell->row, (size_t)(w - data));
		if (is_null(cell))
			continue;
		ds_str s = inside_of(b, cell);
		if (cell->kind == DS_JT_ESC) {
			w += ds_json_unescape(w, s, &b->lone);
		} else {
			memcpy(w, s.at, s.n);
			w += s.n;
		}
	}
	fill_to(b, row, b->c->n_rows, (size_t)(w - data));
	finish_list(b, DS_T_UTF8, data);
}

static bool try_base64(build *b)
{
	char *data, *w;
	uint32_t row = 0;
	if (b->kinds & ~(1u << DS_JT_STR))
		return false;
	w = data = reserve_for(b, has_bytes);
	for (size_t i = 0; i < b->cells->n; i++) {
		const ds_json_cell *cell = &b->cells->at[i];
		row = fill_to(b, row, cell->row, (size_t)(w - data));
		size_t n = is_null(cell) ? 0 : ds_base64_decode(w, inside_of(b, cell));
		if (n == SIZE_MAX)
			return false;
		w += n;
	}
	fill_to(b, row, b->c->n_rows, (size_t)(w - data));
	finish_list(b, DS_T_BYTES, data);
	return true;
}

static bool has_line_end(ds_str s)
{
	return memchr(s.at, '\n', s.n) || memchr(s.at, '\r', s.n);
}

static void make_json(build *b)
{
	char *data = reserve_for(b, has_bytes), *w = data;
	uint32_t row = 0;
	for (size_t i = 0; i < b->cells->n; i++) {
		const ds_json_cell *cell = &b->cells->at[i];
		row = fill_to(b, row, cell->row, (size_t)(w - data));
		if (is_null(cell))
			continue;
		ds_str s = text_of(b, cell);
		bool nested = cell->kind == DS_JT_ARR || cell->kind == DS_JT_OBJ;
		if (nested && has_line_end(s)) { /* a value stays on one line of JSONL */
			w += ds_json_compact(w, s);
		} else {
			memcpy(w, s.at, s.n);
			w += s.n;
		}
	}
	fill_to(b, row, b->c->n_rows, (size_t)(w - data));
	finish_list(b, DS_T_JSON, data);
}

static void make_bools(build *b)
{
	uint8_t *data = ds_arena_zero(b->c->mem, b->c->n_rows + 1u);
	for (size_t i = 0; i < b->cells->n; i++)
		data[b->cells->at[i].row] = b->cells->at[i].kind == DS_JT_TRUE;
	b->col->type = DS_T_BOOL;
	b->col->data = data;
}

static bool try_i64(build *b)
{
	int64_t *data = ds_arena_zero(b->c->mem, sizeof(*data) * (b->c->n_rows + 1u));
	for (size_t i = 0; i < b->cells->n; i++) {
		const ds_json_cell *cell = &b->cells->at[i];
		if (!is_null(cell) && !ds_json_i64(text_of(b, cell), &data[cell->row]))
			return false;
	}
	b->col->type = DS_T_I64;
	b->col->data = data;
	return true;
}

static bool try_f64(build *b)
{
	double *data = ds_arena_zero(b->c->mem, sizeof(*data) * (b->c->n_rows + 1u));
	for (size_t i = 0; i < b->cells->n; i++) {
		const ds_json_cell *cell = &b->cells->at[i];
		bool exact = true;
		if (!is_null(cell) && !ds_json_f64(text_of(b, cell), &data[cell->row], &exact))
			return false;
		if (!exact)
			return false;
	}
	b->col->type = DS_T_F64;
	b->col->data = data;
	return true;
}

/* The next number of a checked array of anything; false at its end or at what is no number. */
static bool next_number(const char **p, const char *end, ds_str *out)
{
	const char *at = *p;
	while (at < end && (*at == ',' || *at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	*p = at;
	while (at < end && ((*at >= '0' && *at <= '9') || *at == '-' || *at == '+' || *at == '.' ||
				   (*at | 32) == 'e'))
		at++;
	*out = (ds_str){ *p, (size_t)(at - *p) };
	*p = at;
	return out->n > 0;
}

static size_t most_numbers(const build *b)
{
	size_t n = 0;
	for (size_t i = 0; i < b->cells->n; i++)
		n += b->cells->at[i].n / 2;
	return n;
}

static bool try_u32s(build *b)
{
	size_t most = most_numbers(b), n = 0;
	uint32_t *data = ds_arena_get(b->c->mem, most * sizeof(*data) + 64), row = 0, all = 0;
	for (size_t i = 0; i < b->cells->n; i++) {
		const ds_json_cell *cell = &b->cells->at[i];
		row = fill_to(b, row, cell->row, n);
		if (is_null(cell))
			continue;
		ds_str s = inside_of(b, cell), number;
		const char *p = s.at;
		while (next_number(&p, s.at + s.n, &number)) {
			uint64_t v = 0;
			for (size_t k = 0; k < number.n; k++) {
				uint8_t digit = (uint8_t)(number.at[k] - '0');
				if (digit > 9 || (v = v * 10 + digit) > UINT32_MAX)
					return false;
			}
			data[n++] = (uint32_t)v;
			all |= (uint32_t)v;
		}
		if (p < s.at + s.n)
			return false;
	}
	fill_to(b, row, b->c->n_rows, n);
	if (all <= UINT16_MAX) { /* in place: the narrow never overtakes the wide */
		uint16_t *narrow = (uint16_t *)(void *)data;
		for (size_t i = 0; i < n; i++) {
			uint16_t v = (uint16_t)data[i];
			memcpy(&narrow[i], &v, sizeof(v));
		}
	}
	finish_list(b, all <= UINT16_MAX ? DS_T_U16S : DS_T_U32S, data);
	return true;
}

static bool try_f32s(build *b)
{
	size_t n = 0;
	float *data = ds_arena_get(b->c->mem, most_numbers(b) * sizeof(*data) + 64);
	uint32_t row = 0;
	for (size_t i = 0; i < b->cells->n; i++) {
		const ds_json_cell *cell = &b->cells->at[i];
		row = fill_to(b, row, cell->row, n);
		if (is_null(cell))
			continue;
		ds_str s = inside_of(b, cell), number;
		const char *p = s.at;
		while (next_number(&p, s.at + s.n, &number)) {
			double v;
			bool exact;
			if (!ds_json_f64(number, &v, &exact) || !__builtin_isfinite((float)v))
				return false;
			data[n++] = (float)v;
		}
		if (p < s.at + s.n)
			return false;
	}
	fill_to(b, row, b->c->n_rows, n);
	finish_list(b, DS_T_F32S, data);
	return true;
}

/* Fields whose type is fixed; false where a value does not fit, or the field is another. */
static bool try_known(build *b)
{
	ds_str name = b->col->name;
	if (!b->kinds)
		return false;
	if (ds_str_is(name, "tokens") || ds_str_is(name, "docs"))
		return b->kinds == 1u << DS_JT_ARR && try_u32s(b);
	if (ds_str_is(name, "mask") || ds_str_is(name, "types") || ds_str_is(name, "image"))
		return !(b->kinds & ~STRINGS) && try_base64(b);
	if (ds_str_is(name, "score") && !(b->kinds & ~NUMBERS))
		return try_f64(b);
	if (ds_str_is(name, "score") || ds_str_is(name, "embedding"))
		return b->kinds == 1u << DS_JT_ARR && try_f32s(b);
	return false;
}

static bool fixed_bytes(ds_str name)
{
	return ds_str_is(name, "mask") || ds_str_is(name, "types") || ds_str_is(name, "image");
}

static void make_column(build *b)
{
	make_presence(b);
	b->off = ds_arena_get(b->c->mem, sizeof(*b->off) * (b->c->n_rows + 1u));
	b->col->decoded = true;
	if (try_known(b))
		return;
	if (b->kinds && !(b->kinds & ~STRINGS) && !fixed_bytes(b->col->name))
		make_utf8(b);
	else if (b->kinds && !(b->kinds & ~BOOLS))
		make_bools(b);
	else if (b->kinds != 1u << DS_JT_INT || !try_i64(b))
		if (b->kinds != 1u << DS_JT_FLOAT || !try_f64(b))
			make_json(b);
}

/* The object of a row out of its key and value cells; each cell ends with what joins it to the next. */
static void make_more(ds_json_columns *c, ds_col *col)
{
	ds_json_cells *m = &c->more;
	size_t bytes = 64;
	for (size_t i = 0; i < m->n; i++)
		bytes += m->at[i].n + 3u;
	char *data = ds_arena_get(c->mem, bytes), *w = data;
	build b = { .c = c, .col = col };
	uint8_t *present = ds_arena_zero(c->mem, (c->n_rows + 7u) / 8u);
	uint32_t row = 0;
	b.off = ds_arena_get(c->mem, sizeof(*b.off) * (c->n_rows + 1u));
	for (size_t i = 0; i < m->n; i++) {
		const ds_json_cell *cell = &m->at[i];
		bool first = i == 0 || cell[-1].row != cell->row;
		bool last = i + 1 == m->n || cell[1].row != cell->row;
		ds_str s = text_of(&b, cell);
		if (first) {
			row = fill_to(&b, row, cell->row, (size_t)(w - data));
			set_bit(present, cell->row);
			*w++ = '{';
		}
		w += ds_json_compact(w, s);
		*w++ = last ? '}' : i % 2 ? ',' : ':';
	}
	fill_to(&b, row, c->n_rows, (size_t)(w - data));
	finish_list(&b, DS_T_JSON, data);
	col->present = present;
	col->name = DS_S(DS_MORE);
}

ds_rc ds_json_columns_finish(ds_json_columns *c, ds_block **out, uint64_t *lone, ds_err *e)
{
	ds_block *block = ds_block_new(c->mem, c->n_rows);
	ds_block_reserve(block, c->n + 1);
	for (uint32_t i = 0; i < c->n; i++) {
		if (!c->cols[i].cells.n)
			continue; /* only a record that was refused had it */
		ds_col col = { .name = c->cols[i].name };
		build b = { .c = c, .cells = &c->cols[i].cells, .col = &col };
		make_column(&b);
		ds_block_add(block, &col);
		*lone += b.lone;
	}
	if (c->more.n) {
		ds_col col = { .decoded = true };
		make_more(c, &col);
		ds_block_add(block, &col);
	}
	*out = block;
	return DS_OK;
}
