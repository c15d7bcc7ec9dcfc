/*
 * scalar_column.c - values as the column of a block
 */
#include "record/block_impl.h"
#include "record/scalar.h"

#define MOST_BYTES (((uint64_t)1 << 32) - 65536)

typedef struct {
	ds_block *b;
	const ds_scalar *k;
	const ds_scalars *v;
	const uint8_t *valid; /* NULL: all rows */
	ds_col col;
} column;

static const uint8_t *nulls_of(ds_block *b, const uint8_t *valid)
{
	if (!valid || !memchr(valid, 0, b->n_rows))
		return NULL;
	uint8_t *map = ds_arena_zero(b->mem, ds_pad(((uint64_t)b->n_rows + 7) / 8));
	for (uint32_t i = 0; i < b->n_rows; i++)
		map[i / 8] |= (uint8_t)(!valid[i] << i % 8);
	return map;
}

static bool has(const column *c, uint32_t row)
{
	return !c->col.nulls || c->valid[row];
}

/* Numbers where there are no gaps are the column already. */
static const void *spread(const column *c, const void *values)
{
	if (!c->col.nulls)
		return values;
	uint64_t *out = ds_arena_get(c->b->mem, ((size_t)c->b->n_rows + 8) * sizeof(*out));
	const uint64_t *in = values;
	for (uint32_t i = 0; i < c->b->n_rows; i++)
		out[i] = c->valid[i] ? *in++ : 0;
	return out;
}

static void put_bools(column *c)
{
	uint8_t *out = ds_arena_get(c->b->mem, (size_t)c->b->n_rows + 64);
	const int64_t *in = c->v->i;
	for (uint32_t i = 0; i < c->b->n_rows; i++)
		out[i] = has(c, i) ? *in++ != 0 : 0;
	c->col.type = DS_T_BOOL;
	c->col.data = out;
}

static ds_rc too_large(const column *c, ds_err *e)
{
	return ds_fail(e, DS_BAD, "column '%.*s': over %llu bytes in a block", DS_FMT(c->col.name),
		(unsigned long long)MOST_BYTES);
}

static ds_rc put_bytes(column *c, ds_err *e)
{
	size_t n = c->v->n_values, all = 0;
	const ds_str *s = c->v->s;
	uint32_t *off = ds_arena_get(c->b->mem, ds_pad(4 * ((size_t)c->b->n_rows + 1)));
	for (size_t i = 0; i < n; i++) {
		all += s[i].n;
		if (all > MOST_BYTES)
			return too_large(c, e);
	}
	char *data = ds_arena_get(c->b->mem, all + 64), *w = data;
	off[0] = 0;
	for (uint32_t i = 0; i < c->b->n_rows; i++) {
		if (has(c, i)) {
			memcpy(w, s->at, s->n);
			w += s->n;
			s++;
		}
		off[i + 1] = (uint32_t)(w - data);
	}
	c->col.off = off;
	c->col.data = data;
	return DS_OK;
}

typedef void add_value(ds_text *t, const ds_scalar *k, const ds_scalars *v, size_t at);

static ds_rc put_printed(column *c, add_value *add, ds_err *e)
{
	uint32_t *off = ds_arena_get(c->b->mem, ds_pad(4 * ((size_t)c->b->n_rows + 1)));
	ds_text t = ds_text_new(c->b->mem, c->v->n_values * 28);
	size_t at = 0;
	off[0] = 0;
	for (uint32_t i = 0; i < c->b->n_rows; i++) {
		if (has(c, i))
			add(&t, c->k, c->v, at++);
		if (t.n > MOST_BYTES)
			return too_large(c, e);
		off[i + 1] = (uint32_t)t.n;
	}
	c->col.off = off;
	c->col.data = t.at;
	return DS_OK;
}

/* i64, or digits where one is over it. */
static ds_rc put_unsigned(column *c, ds_err *e)
{
	int64_t any = 0;
	for (size_t i = 0; i < c->v->n_values; i++)
		any |= c->v->i[i];
	if (any < 0) {
		c->col.type = DS_T_JSON;
		return put_printed(c, ds_scalar_json, e);
	}
	c->col.type = DS_T_I64;
	c->col.data = spread(c, c->v->i);
	return DS_OK;
}

/* JSON where all of it is, else it is text. */
static ds_rc put_json(column *c, ds_err *e)
{
	c->col.type = DS_T_JSON;
	for (size_t i = 0; i < c->v->n_values; i++)
		if (!ds_scalar_is_json(c->v->s[i])) {
			c->col.type = DS_T_UTF8;
			return put_bytes(c, e);
		}
	return put_printed(c, ds_scalar_json, e);
}

/* Nothing but nulls, whatever values say. */
static void put_nothing(column *c)
{
	uint32_t n = c->b->n_rows;
	uint8_t *map = ds_arena_zero(c->b->mem, ds_pad(((uint64_t)n + 7) / 8));
	for (uint32_t i = 0; i < n; i++)
		map[i / 8] |= (uint8_t)(1u << i % 8);
	c->col.type = DS_T_UTF8;
	c->col.nulls = map;
	c->col.off = ds_arena_zero(c->b->mem, ds_pad(4 * ((size_t)n + 1)));
	c->col.data = "";
}

static ds_rc put_values(column *c, ds_err *e)
{
	switch (c->k->kind) {
	case DS_SC_BOOL:
		put_bools(c);
		return DS_OK;
	case DS_SC_I64:
		c->col.type = DS_T_I64;
		c->col.data = spread(c, c->v->i);
		return DS_OK;
	case DS_SC_U64:
		return put_unsigned(c, e);
	case DS_SC_F64:
	case DS_SC_F32:
		c->col.type = DS_T_F64;
		c->col.data = spread(c, c->v->f);
		return DS_OK;
	case DS_SC_JSON:
		return put_json(c, e);
	case DS_SC_BYTES:
		c->col.type = DS_T_BYTES;
		return put_bytes(c, e);
	case DS_SC_NULL:
		put_nothing(c);
		return DS_OK;
	case DS_SC_TEXT:
		c->col.type = DS_T_UTF8;
		return put_bytes(c, e);
	default:
		c->col.type = DS_T_UTF8;
		return put_printed(c, ds_scalar_text, e);
	}
}

ds_rc ds_scalar_column(ds_block *b, ds_str name, const ds_scalar *k, const ds_scalars *v,
	const uint8_t *valid, ds_err *e)
{
	column c = { b, k, v, valid, { .name = name, .decoded = true } };
	c.col.nulls = nulls_of(b, valid);
	DS_TRY(put_values(&c, e));
	ds_block_add(b, &c.col);
	return DS_OK;
}

void ds_ready_column(ds_block *b, ds_col col, const uint8_t *valid)
{
	col.decoded = true;
	col.nulls = nulls_of(b, valid);
	ds_block_add(b, &col);
}
