/*
 * tag.c - what is known of each record, kept in it
 */
#include "dedup.h"

static ds_rc put_sketches(
	const char *name, const ds_seen *seen, ds_block *b, const signed_block *s, ds_err *e)
{
	ds_colb *to = ds_colb_new(b, name, DS_T_U32S);
	for (uint32_t row = 0; row < b->n_rows; row++) {
		const row_items *r = &s->rows[row];
		uint32_t n = 0;
		const uint32_t *v = NULL;
		if (r->n)
			v = ds_seen_sketch(seen, (uint32_t)(s->first + r->first), &n);
		if (n)
			ds_colb_list(to, v, n < DS_SKETCH_MOST ? n : DS_SKETCH_MOST);
		else
			ds_colb_absent(to);
	}
	return ds_colb_put(to, e);
}

static bool has_jaccard(const plan *p, const signed_block *s, const row_items *r)
{
	if (!r->n)
		return false;
	const ds_seen_item *it = &s->items[r->first];
	return it->dup_of != DS_NO_TEXT && (it->same || !p->seen.simhash);
}

static ds_rc put_jaccard(
	const plan *p, const ds_seen *seen, ds_block *b, const signed_block *s, ds_err *e)
{
	ds_colb *to = ds_colb_new(b, "jaccard", DS_T_F64);
	for (uint32_t row = 0; row < b->n_rows; row++) {
		const row_items *r = &s->rows[row];
		if (has_jaccard(p, s, r))
			ds_colb_f64(to, ds_seen_jaccard(seen, (uint32_t)(s->first + r->first),
						s->items[r->first].dup_of));
		else
			ds_colb_absent(to);
	}
	return ds_colb_put(to, e);
}

ds_rc tag_rows(const plan *p, const ds_seen *seen, ds_block *b, const signed_block *s, ds_err *e)
{
	const char *name = p->seen.simhash ? "simhash" : "minhash";
	bool any_sketch = false, any_jaccard = false;
	/* What an earlier run left goes. */
	ds_block_remove(b, name);
	ds_block_remove(b, "jaccard");
	for (uint32_t row = 0; row < b->n_rows; row++) {
		const row_items *r = &s->rows[row];
		uint32_t n = 0;
		if (r->n)
			ds_seen_sketch(seen, (uint32_t)(s->first + r->first), &n);
		any_sketch |= n > 0;
		any_jaccard |= has_jaccard(p, s, r);
	}
	if (any_sketch)
		DS_TRY(put_sketches(name, seen, b, s, e));
	return any_jaccard ? put_jaccard(p, seen, b, s, e) : DS_OK;
}
