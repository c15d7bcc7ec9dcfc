/*
 * seen_find.c - which earlier text an item repeats
 *
 * Bound by a cache miss a band and text; those of the texts to come are started early.
 */
#include "text/seen_impl.h"
#include "text/simhash.h"

enum { AHEAD = 6 };

/* The first with the same text; else the item is the first one. */
static uint32_t find_same(ds_seen *s, const ds_seen_item *it, uint32_t number)
{
	uint32_t out[DS_BUCKET_MOST];
	bool filled;
	size_t n = ds_lsh_find(s->same, 0, ds_seen_key(it->key), out);
	for (size_t i = 0; i < n; i++) {
		ds_h128 k = ds_seen_get(s, out[i])->key;
		if (k.lo == it->key.lo && k.hi == it->key.hi)
			return out[i];
	}
	ds_lsh_add(s->same, 0, ds_seen_key(it->key), number, out, &filled);
	return DS_NO_TEXT;
}

static uint64_t fingerprint(const ds_seen_text *t)
{
	return (uint64_t)t->sketch[1] << 32 | t->sketch[0];
}

static bool confirm(const ds_seen *s, const ds_seen_text *a, const ds_seen_text *b)
{
	if (!a->n_sketch || !b->n_sketch)
		return false;
	if (s->plan.simhash)
		return ds_simhash_distance(fingerprint(a), fingerprint(b)) <= s->plan.distance;
	uint32_t less = a->n_sketch < b->n_sketch ? a->n_sketch : b->n_sketch;
	uint32_t more = a->n_sketch < b->n_sketch ? b->n_sketch : a->n_sketch;
	size_t k = s->plan.verify ? 0 : DS_SKETCH_MOST;
	/* Whole sets of too different sizes cannot be alike. */
	if ((!k || more < k) && (double)less / more < s->plan.threshold)
		return false;
	return ds_sketch_jaccard(a->sketch, a->n_sketch, b->sketch, b->n_sketch, k) >=
	       s->plan.threshold;
}

/* The least record that is left in the lists of all bands, taken out of them. */
static uint32_t next_found(ds_seen *s)
{
	unsigned bands = s->plan.bands.bands;
	uint32_t least = DS_NO_TEXT;
	for (unsigned b = 0; b < bands; b++)
		if (s->at_found[b] < s->n_found[b] &&
			s->found[b * DS_BUCKET_MOST + s->at_found[b]] < least)
			least = s->found[b * DS_BUCKET_MOST + s->at_found[b]];
	for (unsigned b = 0; least != DS_NO_TEXT && b < bands; b++)
		s->at_found[b] += s->at_found[b] < s->n_found[b] &&
				  s->found[b * DS_BUCKET_MOST + s->at_found[b]] == least;
	return least;
}

/* Enters the record into its buckets; the earliest that is confirmed, or DS_NO_TEXT. */
static uint32_t find_near(ds_seen *s, const ds_seen_item *it, uint32_t number, bool known)
{
	const ds_seen_text *me = ds_seen_get(s, number);
	bool join = s->plan.join;
	uint32_t other, dup = DS_NO_TEXT;
	for (unsigned b = 0; b < s->plan.bands.bands; b++) {
		bool filled;
		s->n_found[b] = ds_lsh_add(
			s->near, b, it->bands[b], number, s->found + b * DS_BUCKET_MOST, &filled);
		s->at_found[b] = 0;
		s->n_full += filled;
	}
	if (known && !join)
		return DS_NO_TEXT;
	while ((other = next_found(s)) != DS_NO_TEXT) {
		if (join && ds_seen_first(s, other) == ds_seen_first(s, number))
			continue;
		if (!confirm(s, ds_seen_get(s, other), me))
			continue;
		if (dup == DS_NO_TEXT)
			dup = other;
		if (!join)
			break;
		ds_seen_join(s, other, number);
	}
	return dup;
}

static ds_rc add(ds_seen *s, ds_seen_item *it, ds_err *e)
{
	ds_seen_text *t = ds_seen_next(s);
	if (!t)
		return ds_fail(e, DS_BAD, "more than %u texts to compare", DS_LSH_RECORDS);
	uint32_t number = t->parent;
	t->key = it->key;
	t->sketch = it->sketch;
	t->n_sketch = it->n_sketch;
	uint32_t same = s->same ? find_same(s, it, number) : DS_NO_TEXT;
	if (same != DS_NO_TEXT && s->plan.join)
		ds_seen_join(s, same, number);
	uint32_t near = it->n_sketch ? find_near(s, it, number, same != DS_NO_TEXT) : DS_NO_TEXT;
	it->same = same != DS_NO_TEXT;
	it->dup_of = it->same ? same : near;
	return DS_OK;
}

static void fetch(const ds_seen *s, const ds_seen_item *it)
{
	uint64_t key = ds_seen_key(it->key);
	if (s->same)
		ds_lsh_prefetch(s->same, &key);
	if (it->n_sketch)
		ds_lsh_prefetch(s->near, it->bands);
}

ds_rc ds_seen_add(ds_seen *s, ds_seen_item *items, size_t n, ds_err *e)
{
	for (size_t i = 0; i < n && i < AHEAD; i++)
		fetch(s, &items[i]);
	for (size_t i = 0; i < n; i++) {
		if (i + AHEAD < n)
			fetch(s, &items[i + AHEAD]);
		DS_TRY(add(s, &items[i], e));
	}
	return DS_OK;
}
