/*
 * rows.c - records made of variants: the source's fields, the new text, id, aug and aug_of
 */
#include "augment.h"

enum { PART_BYTES = 256 << 20 }; /* of a block of copies, about: columns hold 4 GiB */

const char *const augment_counters[] = { "copies", "left out", "too far", "too near", "length",
	"language", "garbage", NULL };

void variants_add(variants *v, ds_arena *mem, variant one)
{
	if (v->n == v->cap) {
		size_t cap = v->cap ? 2 * v->cap : 256;
		variant *more = ds_arena_get(mem, cap * sizeof(*more));
		if (v->n)
			memcpy(more, v->at, v->n * sizeof(*more));
		v->at = more;
		v->cap = cap;
	}
	v->at[v->n++] = one;
}

ds_rc rows_value(ds_block *b, const ds_col *c, uint32_t row, ds_str *out, bool *has, ds_err *e)
{
	char number[32];
	*has = c && ds_col_has(c, row) && !ds_col_null(c, row);
	if (!*has)
		return DS_OK;
	if (c->type == DS_T_I64)
		*out = ds_arena_fmt(b->mem, "%lld", (long long)ds_col_i64(c, row));
	else if (c->type == DS_T_F64)
		*out = ds_arena_str(
			b->mem, (ds_str){ number, ds_f64_print(number, ds_col_f64(c, row)) });
	else if (c->type == DS_T_BOOL)
		*out = ds_str_of(ds_col_bool(c, row) ? "true" : "false");
	else if (c->type == DS_T_JSON && ds_col_bytes(c, row).n &&
		 ds_col_bytes(c, row).at[0] != '"')
		*out = ds_col_bytes(c, row);
	else
		return ds_block_text(b, c, row, out, has, e);
	return DS_OK;
}

typedef struct {
	ds_str text;
	bool has;
} id_value;

/* id#copy; by hand, for printf was a tenth of the time of a copy. */
static ds_str numbered(ds_arena *mem, ds_str id, uint32_t copy)
{
	char digits[12], *p = digits + sizeof(digits);
	for (; copy; copy /= 10)
		*--p = (char)('0' + copy % 10);
	*--p = '#';
	size_t n = (size_t)(digits + sizeof(digits) - p);
	char *to = ds_arena_bytes(mem, id.n + n);
	memcpy(to, id.at, id.n);
	memcpy(to + id.n, p, n);
	return (ds_str){ to, id.n + n };
}

/* What a column gets in the rows of a part. */
typedef struct {
	id_value *at;
	size_t n;
} values;

/* A copy's id is no number, so none is: a column has one type, whatever block a record is in. */
static ds_rc put_values(ds_block *to, const char *name, const values *v, ds_err *e)
{
	bool any = false;
	for (size_t i = 0; i < v->n; i++)
		any |= v->at[i].has;
	ds_block_remove(to, name);
	if (!any)
		return DS_OK;
	ds_colb *col = ds_colb_new(to, name, DS_T_UTF8);
	for (size_t i = 0; i < v->n; i++) {
		if (v->at[i].has)
			ds_colb_bytes(col, v->at[i].text);
		else
			ds_colb_absent(col);
	}
	return ds_colb_put(col, e);
}

static ds_rc old_value(ds_block *b, const char *name, uint32_t row, id_value *out, ds_err *e)
{
	const ds_col *col;
	DS_TRY(ds_block_get(b, name, &col, e));
	return rows_value(b, col, row, &out->text, &out->has, e);
}

static ds_rc put_texts(ds_block *to, ds_work *w, const variant *v, ds_err *e)
{
	ds_texts t;
	DS_TRY(ds_texts_open(&t, ds_work_field(w), to, NULL, e));
	for (uint32_t i = 0; i < to->n_rows; i++) {
		ds_text_part *parts = NULL;
		size_t n = 0;
		if (v[i].copy)
			DS_TRY(ds_texts_parts(&t, i, &parts, &n, e));
		for (size_t k = 0; k < n && k < v[i].n; k++)
			parts[k].now = v[i].texts[k];
		ds_texts_put(&t, i, parts, n);
	}
	return ds_texts_finish(&t, e);
}

/* The rows without their texts, which would be copied to be thrown away. */
static ds_rc copy_bare(ds_block **to, ds_arena *mem, ds_block *b, ds_str name, const uint32_t *rows,
	uint32_t n, ds_err *e)
{
	uint32_t i = 0;
	while (!ds_str_eq(b->cols[i].name, name))
		i++;
	ds_col was = b->cols[i];
	b->cols[i].off = ds_arena_zero(mem, (b->n_rows + 1) * sizeof(*was.off));
	ds_rc rc = ds_block_copy(to, mem, b, rows, n, e);
	b->cols[i] = was;
	return rc;
}

static ds_rc put_column(ds_block *to, const ds_col *from, const variant *v, ds_err *e)
{
	ds_colb *col = ds_colb_new_n(to, from->name, from->type);
	for (uint32_t i = 0; i < to->n_rows; i++) {
		if (v[i].copy && v[i].n && v[i].texts[0].at)
			ds_colb_bytes(col, v[i].texts[0]);
		else if (!ds_col_has(from, v[i].row))
			ds_colb_absent(col);
		else if (ds_col_null(from, v[i].row))
			ds_colb_null(col);
		else
			ds_colb_bytes(col, ds_col_bytes(from, v[i].row));
	}
	return ds_colb_put(col, e);
}

static ds_rc make_part(
	ds_block **out, ds_work *w, ds_block *b, const variant *v, uint32_t n, ds_err *e)
{
	ds_arena *mem = ds_work_mem(w);
	uint32_t *rows = ds_arena_get(mem, n * sizeof(*rows));
	values id = { ds_arena_zero(mem, n * sizeof(*id.at)), n };
	values aug = { ds_arena_zero(mem, n * sizeof(*aug.at)), n };
	values of = { ds_arena_zero(mem, n * sizeof(*of.at)), n };
	for (uint32_t i = 0; i < n; i++) {
		rows[i] = v[i].row;
		DS_TRY(ds_block_id(b, v[i].row, &id.at[i].text, e));
		id.at[i].has = true;
		if (v[i].copy) {
			of.at[i] = id.at[i];
			aug.at[i] = (id_value){ v[i].how, true };
			id.at[i] = (id_value){ numbered(mem, id.at[i].text, v[i].copy), true };
		} else { /* of an earlier run */
			DS_TRY(old_value(b, "aug", v[i].row, &aug.at[i], e));
			DS_TRY(old_value(b, "aug_of", v[i].row, &of.at[i], e));
		}
	}
	ds_block *to;
	ds_texts texts;
	DS_TRY(ds_texts_open(&texts, ds_work_field(w), b, NULL, e));
	if (texts.whole) {
		DS_TRY(copy_bare(&to, mem, b, texts.whole->name, rows, n, e));
		DS_TRY(put_column(to, texts.whole, v, e));
	} else {
		DS_TRY(ds_block_copy(&to, mem, b, rows, n, e));
		DS_TRY(put_texts(to, w, v, e));
	}
	DS_TRY(put_values(to, "id", &id, e));
	DS_TRY(put_values(to, "aug", &aug, e));
	DS_TRY(put_values(to, "aug_of", &of, e));
	*out = to;
	return DS_OK;
}

ds_rc rows_make(made_blocks *out, ds_work *w, ds_block *b, const variants *v, ds_err *e)
{
	*out = (made_blocks){ ds_arena_get(ds_work_mem(w), (v->n + 1) * sizeof(*out->at)), 0 };
	size_t from = 0;
	while (from < v->n) {
		uint64_t sum = 0, bytes = 0;
		size_t to = from;
		for (; to < v->n && (to == from || sum < PART_BYTES); to++) {
			DS_TRY(ds_block_row_bytes(b, v->at[to].row, &bytes, e));
			sum += bytes;
			for (size_t k = 0; k < v->at[to].n; k++)
				sum += v->at[to].texts[k].n;
		}
		DS_TRY(make_part(&out->at[out->n++], w, b, v->at + from, (uint32_t)(to - from), e));
		from = to;
	}
	return DS_OK;
}
