/*
 * block_rows.c - blocks of other rows: selected, copied, joined
 */
#include "record/block_impl.h"

typedef struct {
	const uint32_t *at;
	uint32_t n;
} rows;

static void set_bit(uint8_t *map, uint32_t i)
{
	map[i >> 3] |= (uint8_t)(1u << (i & 7));
}

/* The bits of some rows; NULL where all of them are `usual`, which is what no bitmap means. */
static uint8_t *take_bits(ds_arena *mem, const uint8_t *map, rows r, bool usual)
{
	if (!map)
		return NULL;
	uint8_t *out = ds_arena_zero(mem, ds_pad(((uint64_t)r.n + 7) / 8));
	bool other = false;
	for (uint32_t i = 0; i < r.n; i++) {
		bool bit = ds_bit(map, r.at[i]);
		other |= bit != usual;
		if (bit)
			set_bit(out, i);
	}
	return other ? out : NULL;
}

/* Where the run of rows that follow one another ends. */
static uint32_t run_end(rows r, uint32_t i)
{
	uint32_t j = i + 1;
	while (j < r.n && r.at[j] == r.at[j - 1] + 1)
		j++;
	return j;
}

static void take_lists(ds_arena *mem, ds_col *out, const ds_col *c, rows r)
{
	size_t size = ds_type_size(c->type), n = 0;
	uint32_t *off = ds_arena_get(mem, ds_pad(4 * ((size_t)r.n + 1)));
	for (uint32_t i = 0; i < r.n; i++) {
		off[i] = (uint32_t)n;
		n += c->off[r.at[i] + 1] - c->off[r.at[i]];
	}
	off[r.n] = (uint32_t)n;
	char *data = ds_arena_get(mem, ds_pad(n * size));
	for (uint32_t i = 0, j; i < r.n; i = j) {
		j = run_end(r, i);
		memcpy(data + off[i] * size, (const char *)c->data + c->off[r.at[i]] * size,
			(off[j] - off[i]) * size);
	}
	out->off = off;
	out->data = data;
}

static void take_values(ds_arena *mem, ds_col *out, const ds_col *c, rows r)
{
	size_t size = ds_type_size(c->type);
	char *data = ds_arena_get(mem, ds_pad(r.n * size));
	for (uint32_t i = 0, j; i < r.n; i = j) {
		j = run_end(r, i);
		memcpy(data + i * size, (const char *)c->data + r.at[i] * size, (j - i) * size);
	}
	out->data = data;
}

/* Some rows of a decoded column; false where none of them has the field. */
static bool take_rows(ds_arena *mem, ds_col *out, const ds_col *c, rows r)
{
	if (c->present) {
		bool any = false;
		for (uint32_t i = 0; i < r.n && !any; i++)
			any = ds_bit(c->present, r.at[i]);
		if (!any)
			return false;
	}
	*out = (ds_col){ .name = c->name, .type = c->type, .decoded = true };
	out->present = take_bits(mem, c->present, r, true);
	out->nulls = take_bits(mem, c->nulls, r, false);
	if (c->off)
		take_lists(mem, out, c, r);
	else
		take_values(mem, out, c, r);
	return true;
}

static uint64_t *take_numbers(ds_arena *mem, const ds_block *b, rows r)
{
	uint64_t *of = ds_arena_get(mem, r.n * sizeof(*of));
	for (uint32_t i = 0; i < r.n; i++)
		of[i] = b->row_of ? b->row_of[r.at[i]] : r.at[i];
	return of;
}

ds_rc ds_block_select(ds_block *b, const uint32_t *keep, uint32_t n, ds_err *e)
{
	rows r = { keep, n };
	if (n == b->n_rows)
		return DS_OK;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < b->n_cols && n; i++) {
		DS_TRY(ds_col_decode(b, &b->cols[i], e));
		ds_col c;
		if (take_rows(b->mem, &c, &b->cols[i], r))
			b->cols[kept++] = c;
	}
	b->n_cols = kept;
	b->row_of = take_numbers(b->mem, b, r);
	b->n_rows = n;
	return DS_OK;
}

static const uint32_t *first_rows(ds_arena *mem, uint32_t n)
{
	uint32_t *all = ds_arena_get(mem, n * sizeof(*all));
	for (uint32_t i = 0; i < n; i++)
		all[i] = i;
	return all;
}

ds_rc ds_block_copy(
	ds_block **out, ds_arena *mem, ds_block *b, const uint32_t *keep, uint32_t n, ds_err *e)
{
	rows r = { keep ? keep : first_rows(mem, n), n };
	ds_block *to = ds_block_new(mem, n);
	*out = NULL;
	ds_block_reserve(to, b->n_cols);
	for (uint32_t i = 0; i < b->n_cols && n; i++) {
		DS_TRY(ds_col_decode(b, &b->cols[i], e));
		ds_col c;
		if (!take_rows(mem, &c, &b->cols[i], r))
			continue;
		c.name = ds_arena_str(mem, c.name);
		to->cols[to->n_cols++] = c;
	}
	to->first_record = b->first_record;
	to->origin = b->origin ? ds_arena_str(mem, ds_str_of(b->origin)).at : NULL;
	to->origin_record = b->origin_record;
	to->row_of = take_numbers(mem, b, r);
	*out = to;
	return DS_OK;
}

/* What a joined column is made of. */
typedef struct {
	ds_block *const *parts;
	size_t n;
	ds_str name;
	ds_type type;
	bool absent, nulls; /* some row is */
} join;

/* One type for all parts: their own, the wider list of ids, else json. */
static ds_type common_type(ds_type a, ds_type b)
{
	if (a == b)
		return a;
	if ((a == DS_T_U16S && b == DS_T_U32S) || (a == DS_T_U32S && b == DS_T_U16S))
		return DS_T_U32S;
	return DS_T_JSON;
}

static ds_rc look(join *j, ds_err *e)
{
	bool first = true;
	for (size_t p = 0; p < j->n; p++) {
		ds_block *b = j->parts[p];
		ds_col *c = ds_block_find_str(b, j->name);
		if (!c) {
			j->absent |= b->n_rows > 0;
			continue;
		}
		DS_TRY(ds_col_decode(b, c, e));
		j->type = first ? c->type : common_type(j->type, c->type);
		j->absent |= c->present != NULL;
		j->nulls |= c->nulls != NULL;
		first = false;
	}
	return DS_OK;
}

static void add_rows(ds_colb *to, const join *j, const ds_col *c, uint32_t n_rows, ds_arena *mem)
{
	unsigned size = ds_type_size(j->type);
	for (uint32_t i = 0; i < n_rows; i++) {
		size_t n;
		if (!c || !ds_col_has(c, i))
			ds_colb_absent(to);
		else if (ds_col_null(c, i))
			ds_colb_null(to);
		else if (c->type == DS_T_U16S && j->type == DS_T_U32S) {
			const uint16_t *v = ds_col_u16s(c, i, &n);
			uint32_t *wide = ds_colb_reserve(to, n);
			for (size_t k = 0; k < n; k++)
				wide[k] = v[k];
			ds_colb_wrote(to, n);
		} else if (c->type != j->type)
			ds_colb_bytes(to, ds_col_json(mem, c, i));
		else if (c->off)
			ds_colb_list(to, (const char *)c->data + (size_t)c->off[i] * size,
				c->off[i + 1] - c->off[i]);
		else if (c->type == DS_T_BOOL)
			ds_colb_bool(to, ds_col_bool(c, i));
		else if (c->type == DS_T_I64)
			ds_colb_i64(to, ds_col_i64(c, i));
		else
			ds_colb_f64(to, ds_col_f64(c, i));
	}
}

static ds_rc join_column(ds_block *out, join *j, ds_err *e)
{
	DS_TRY(look(j, e));
	ds_colb *to = ds_colb_new_n(out, j->name, j->type);
	for (size_t p = 0; p < j->n; p++)
		add_rows(to, j, ds_block_find_str(j->parts[p], j->name), j->parts[p]->n_rows,
			out->mem);
	return ds_colb_put(to, e);
}

static void join_numbers(ds_block *out, ds_block *const *parts, size_t n)
{
	uint64_t *of = ds_arena_get(out->mem, out->n_rows * sizeof(*of)), *w = of;
	for (size_t p = 0; p < n; p++)
		for (uint32_t i = 0; i < parts[p]->n_rows; i++)
			*w++ = ds_block_record(parts[p], i) - parts[0]->first_record;
	out->first_record = parts[0]->first_record;
	out->origin = parts[0]->origin;
	out->origin_record = parts[0]->origin_record;
	out->compressor = parts[0]->compressor;
	out->row_of = of;
}

ds_rc ds_block_join(ds_block **out, ds_arena *mem, ds_block *const *parts, size_t n, ds_err *e)
{
	uint64_t n_rows = 0;
	*out = NULL;
	for (size_t p = 0; p < n; p++)
		n_rows += parts[p]->n_rows;
	if (n_rows > DS_MAX_ROWS)
		return ds_fail(e, DS_BAD, "%llu records in a block, the limit is %d",
			(unsigned long long)n_rows, DS_MAX_ROWS);
	ds_block *to = ds_block_new(mem, (uint32_t)n_rows);
	for (size_t p = 0; p < n; p++) {
		for (uint32_t i = 0; i < parts[p]->n_cols; i++) {
			join j = { .parts = parts, .n = n, .name = parts[p]->cols[i].name };
			if (!ds_block_find_str(to, j.name))
				DS_TRY(join_column(to, &j, e));
		}
	}
	if (n)
		join_numbers(to, parts, n);
	*out = to;
	return DS_OK;
}
