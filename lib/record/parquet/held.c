/*
 * held.c - what values have in common, over the first blocks
 */
#include "record/parquet/held.h"

#include "base/hash.h"
#include "base/mem.h"

enum { HELD_BYTES = 32 << 20 };

void ds_pq_held_open(ds_pq_held *h)
{
	*h = (ds_pq_held){ .mem = ds_arena_new(1 << 20) };
}

void ds_pq_held_close(ds_pq_held *h)
{
	ds_arena_free(h->mem);
	ds_mem_free(h->at);
	*h = (ds_pq_held){ 0 };
}

ds_rc ds_pq_hold(ds_pq_held *h, ds_block *b, bool *enough, ds_err *e)
{
	ds_block *copy;
	DS_TRY(ds_block_copy(&copy, h->mem, b, NULL, b->n_rows, e));
	if (h->n == h->cap) {
		size_t cap = h->cap ? 2 * h->cap : 64;
		h->at = ds_mem_grow(h->at, h->cap * sizeof(*h->at), cap * sizeof(*h->at));
		h->cap = cap;
	}
	h->at[h->n++] = copy;
	h->bytes += ds_block_raw_bytes(copy);
	*enough = h->bytes >= HELD_BYTES;
	return DS_OK;
}

/* What the values of a field have in common over all blocks. */
static ds_rc learn_field(ds_pq_held *h, ds_pq_shredder *s, ds_str name, ds_err *e)
{
	ds_value_shape seen = { 0 };
	for (size_t i = 0; i < h->n; i++)
		for (uint32_t k = 0; k < h->at[i]->n_cols; k++)
			if (ds_str_eq(h->at[i]->cols[k].name, name))
				DS_TRY(ds_value_shape_see(
					&seen, h->at[i], &h->at[i]->cols[k], h->mem, e));
	if (seen.kind == DS_SHAPE_OPEN)
		ds_pq_note_open(s, name);
	else
		ds_pq_add_field(s, name, &seen);
	return DS_OK;
}

ds_rc ds_pq_learn(ds_pq_held *h, ds_pq_shredder *s, ds_err *e)
{
	DS_AUTO(ds_map) done = ds_map_new(64);
	for (size_t i = 0; i < h->n; i++)
		for (uint32_t k = 0; k < h->at[i]->n_cols; k++) {
			bool is_new;
			ds_map_put(done, h->at[i]->cols[k].name, &is_new);
			if (is_new)
				DS_TRY(learn_field(h, s, h->at[i]->cols[k].name, e));
		}
	return DS_OK;
}
