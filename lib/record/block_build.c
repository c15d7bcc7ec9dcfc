/*
 * block_build.c - building a column row by row
 *
 * Bitmaps are made when the first row is absent or null. Memory grows by doubling in the block's
 * arena, what was outgrown stays there until the reset.
 */
#include "record/block_impl.h"

#include <assert.h>

enum { FIRST_BYTES = 4096, LARGE_BYTES = 64 << 20 };
/* So that sums of offsets and paddings stay within 32 bits. */
#define MAX_ELEMENTS (((uint64_t)1 << 32) - 65536)

struct ds_colb {
	ds_block *b;
	ds_str name;
	ds_type type;
	unsigned size; /* of an element */
	uint32_t row, n_present;
	uint8_t *present, *nulls;
	uint32_t *off;
	char *data;
	uint64_t n, cap; /* elements */
	bool too_large;
};

static uint64_t first_cap(const ds_block *b, const ds_colb *c)
{
	if (!c->off)
		return b->n_rows;
	/* A column that takes the place of another is mostly of about its size. */
	const ds_col *old = ds_block_find_str(b, c->name);
	uint64_t n = old && old->decoded && old->off ? old->off[b->n_rows] : 0;
	return n + n / 8 + FIRST_BYTES / c->size;
}

ds_colb *ds_colb_new_n(ds_block *b, ds_str name, ds_type type)
{
	ds_colb *c = ds_arena_zero(b->mem, sizeof(*c));
	c->b = b;
	c->name = ds_arena_str(b->mem, name);
	c->type = type;
	c->size = ds_type_size(type);
	if (ds_type_lists(type)) {
		c->off = ds_arena_get(b->mem, ds_pad(4 * ((size_t)b->n_rows + 1)));
		c->off[0] = 0;
	}
	c->cap = first_cap(b, c);
	c->data = ds_arena_get(b->mem, ds_pad(c->cap * c->size));
	return c;
}

ds_colb *ds_colb_new(ds_block *b, const char *name, ds_type type)
{
	return ds_colb_new_n(b, ds_str_of(name), type);
}

static void grow(ds_colb *c, size_t n)
{
	uint64_t want = 2 * c->cap;
	if (want * c->size > LARGE_BYTES) /* then what is outgrown is dear */
		want = c->n + n + (c->n + n) / 4;
	if (want < c->n + n)
		want = c->n + n;
	char *more = ds_arena_get(c->b->mem, ds_pad(want * c->size));
	memcpy(more, c->data, c->n * c->size);
	c->data = more;
	c->cap = want;
}

void *ds_colb_reserve(ds_colb *c, size_t n)
{
	if (n > MAX_ELEMENTS - c->n) {
		c->too_large = true;
		return ds_arena_get(c->b->mem, n * c->size); /* to be written to and forgotten */
	}
	if (n > c->cap - c->n)
		grow(c, n);
	return c->data + c->n * c->size;
}

static uint8_t *new_map(const ds_colb *c, uint8_t fill)
{
	size_t bytes = ds_pad(((uint64_t)c->b->n_rows + 7) / 8);
	uint8_t *map = ds_arena_zero(c->b->mem, bytes);
	if (fill) {
		memset(map, fill, c->row / 8);
		if (c->row % 8)
			map[c->row / 8] = (uint8_t)((1u << c->row % 8) - 1);
	}
	return map;
}

static void set_bit(uint8_t *map, uint32_t i)
{
	map[i >> 3] |= (uint8_t)(1u << (i & 7));
}

/* Ends a row; its elements are in place. */
static void end_row(ds_colb *c, bool present)
{
	assert(c->row < c->b->n_rows);
	if (present) {
		if (c->present)
			set_bit(c->present, c->row);
		c->n_present++;
	} else if (!c->present) {
		c->present = new_map(c, 0xff);
	}
	c->row++;
	if (c->off)
		c->off[c->row] = (uint32_t)c->n;
}

/* The zero that holds the place of a row without a value. */
static void blank(ds_colb *c)
{
	if (!c->off)
		memset(c->data + c->n++ * c->size, 0, c->size);
}

void ds_colb_absent(ds_colb *c)
{
	assert(c->row < c->b->n_rows);
	blank(c);
	end_row(c, false);
}

void ds_colb_null(ds_colb *c)
{
	assert(c->row < c->b->n_rows);
	if (!c->nulls)
		c->nulls = new_map(c, 0);
	set_bit(c->nulls, c->row);
	blank(c);
	end_row(c, true);
}

void ds_colb_wrote(ds_colb *c, size_t n)
{
	if (!c->too_large)
		c->n += n;
	end_row(c, true);
}

void ds_colb_list(ds_colb *c, const void *v, size_t n)
{
	void *to = ds_colb_reserve(c, n);
	if (n)
		memcpy(to, v, n * c->size);
	ds_colb_wrote(c, n);
}

void ds_colb_bytes(ds_colb *c, ds_str v)
{
	ds_colb_list(c, v.at, v.n);
}

void ds_colb_bool(ds_colb *c, bool v)
{
	assert(c->row < c->b->n_rows);
	((uint8_t *)c->data)[c->n++] = v;
	end_row(c, true);
}

void ds_colb_i64(ds_colb *c, int64_t v)
{
	assert(c->row < c->b->n_rows);
	((int64_t *)(void *)c->data)[c->n++] = v;
	end_row(c, true);
}

void ds_colb_f64(ds_colb *c, double v)
{
	assert(c->row < c->b->n_rows);
	((double *)(void *)c->data)[c->n++] = v;
	end_row(c, true);
}

ds_rc ds_colb_put(ds_colb *c, ds_err *e)
{
	ds_block *b = c->b;
	assert(c->row == b->n_rows);
	if (c->too_large)
		return ds_fail(e, DS_BAD, "column '%.*s': over %llu elements in a block",
			DS_FMT(c->name), (unsigned long long)MAX_ELEMENTS);
	if (c->n_present == 0) { /* no record has the field: then there is no such column */
		ds_block_remove_str(b, c->name);
		return DS_OK;
	}
	ds_col made = { .name = c->name,
		.type = c->type,
		.decoded = true,
		.nulls = c->nulls,
		.present = c->present,
		.off = c->off,
		.data = c->data };
	ds_col *old = ds_block_find_str(b, c->name);
	if (old) {
		*old = made;
		return DS_OK;
	}
	if (b->n_cols == DS_MAX_COLUMNS)
		return ds_fail(e, DS_BAD, "column '%.*s': over %d columns in a block",
			DS_FMT(c->name), DS_MAX_COLUMNS);
	ds_block_add(b, &made);
	return DS_OK;
}
