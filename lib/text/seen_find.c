/*
 * seen_find.c - which earlier text an item repeats
 *
 * Items are taken in batches, and a batch goes through one band after the other, so that one table
 * at a time is in use, or several lanes of bands on as many threads. What an item met is kept as a chain in `hits`: next, n, n records. Then items
 * decide in order. Bound by a cache miss a band and text (a third of a run over a million texts of 100
 * shingles); those of the texts to come are started early.
 */
#include "text/seen_impl.h"
#include "text/simhash.h"

enum { AHEAD = 12 };

/* The first with the same text; else the item is the first one. */
static uint32_t find_same(ds_seen *s, const ds_seen_item *it, uint32_t number)
{
	uint32_t out[DS_BUCKET_MOST];
	bool filled;
	size_t n = ds_lsh_find(s->same, 0, ds_seen_bucket(it->key), out);
	for (size_t i = 0; i < n; i++) {
		ds_h128 k = ds_seen_get(s, out[i])->key;
		if (k.lo == it->key.lo && k.hi == it->key.hi)
			return out[i];
	}
	ds_lsh_add(s->same, 0, ds_seen_bucket(it->key), number, out, &filled);
	return DS_NO_TEXT;
}

static bool few_differ(const ds_seen_plan *p, const uint32_t *a, const uint32_t *b)
{
	unsigned n = 0;
	for (unsigned i = 0; i < p->bits / 32; i++)
		n += ds_simhash_distance(a[i], b[i]);
	return n <= p->distance;
}

bool ds_seen_alike(
	const ds_seen_plan *p, const uint32_t *a, uint32_t n_a, const uint32_t *b, uint32_t n_b)
{
	if (!n_a || !n_b)
		return false;
	if (p->simhash)
		return few_differ(p, a, b);
	uint32_t less = n_a < n_b ? n_a : n_b, more = n_a < n_b ? n_b : n_a;
	size_t k = p->verify ? 0 : DS_SKETCH_MOST;
	/* Whole sets of too different sizes cannot reach the threshold. */
	if ((!k || more < k) && (double)less / more < p->threshold)
		return false;
	return ds_sketch_jaccard(a, n_a, b, n_b, k) >= p->threshold;
}

static bool confirm(const ds_seen *s, const ds_seen_text *a, const ds_seen_text *b)
{
	return ds_seen_alike(&s->plan, a->sketch, a->n_sketch, b->sketch, b->n_sketch);
}

double ds_seen_jaccard(const ds_seen *s, uint32_t a, uint32_t b)
{
	const ds_seen_text *x = ds_seen_get(s, a), *y = ds_seen_get(s, b);
	if (ds_seen_same(s, a, b))
		return 1;
	if (!x->n_sketch || !y->n_sketch)
		return 0;
	return ds_sketch_jaccard(x->sketch, x->n_sketch, y->sketch, y->n_sketch,
		s->plan.verify ? 0 : DS_SKETCH_MOST);
}

/* The least record that is left in the lists of all buckets, taken out of them. */
static uint32_t next_found(ds_seen *s, unsigned n_lists)
{
	uint32_t least = DS_NO_TEXT;
	for (unsigned i = 0; i < n_lists; i++)
		if (s->list[i].at < s->list[i].end && *s->list[i].at < least)
			least = *s->list[i].at;
	for (unsigned i = 0; least != DS_NO_TEXT && i < n_lists; i++)
		s->list[i].at += s->list[i].at < s->list[i].end && *s->list[i].at == least;
	return least;
}

/* The earliest of those it met that is confirmed, or DS_NO_TEXT. */
static uint32_t find_near(ds_seen *s, size_t item, uint32_t number)
{
	const ds_seen_text *me = ds_seen_get(s, number);
	bool join = s->plan.join;
	uint32_t other, dup = DS_NO_TEXT;
	unsigned n = 0;
	for (unsigned i = 0; i < s->n_lanes; i++) {
		const uint32_t *hits = (const uint32_t *)(const void *)s->lane[i].hits.at;
		for (uint32_t at = s->lane[i].chain[item]; at; at = hits[at - 1])
			s->list[n++] = (ds_seen_list){ hits + at + 1, hits + at + 1 + hits[at] };
	}
	while ((other = next_found(s, n)) != DS_NO_TEXT) {
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

/* Puts a batch into the buckets of one band and notes who was there. */
static void meet(ds_seen *s, ds_seen_lane *lane, unsigned band)
{
	const ds_seen_item *items = s->now;
	size_t n = s->n_now;
	uint32_t out[2 + DS_BUCKET_MOST];
	for (size_t i = 0; i < n; i++) {
		if (i + AHEAD < n && items[i + AHEAD].n_sketch)
			ds_lsh_prefetch(s->near, band, items[i + AHEAD].bands[band]);
		if (!items[i].n_sketch)
			continue;
		bool filled;
		size_t found = ds_lsh_add(s->near, band, items[i].bands[band],
			s->number_now + (uint32_t)i, out + 2, &filled);
		lane->n_full += filled;
		if (!found)
			continue;
		out[0] = lane->chain[i];
		out[1] = (uint32_t)found;
		lane->chain[i] = (uint32_t)(lane->hits.n / sizeof(*out)) + 1;
		ds_buf_add(&lane->hits, out, (2 + found) * sizeof(*out));
	}
}

/* The bands of one lane; they share nothing with those of another. */
static void meet_lane(void *context, size_t task, unsigned worker)
{
	ds_seen *s = context;
	ds_seen_lane *lane = &s->lane[task];
	(void)worker;
	ds_buf_clear(&lane->hits);
	lane->n_full = 0;
	memset(lane->chain, 0, s->n_now * sizeof(*lane->chain));
	for (unsigned b = (unsigned)task; s->near && b < s->plan.bands.bands; b += s->n_lanes)
		meet(s, lane, b);
}

static void meet_all(ds_seen *s, const ds_seen_item *items, size_t n, uint32_t number)
{
	s->now = items;
	s->n_now = n;
	s->number_now = number;
	if (s->pool)
		ds_pool_run(s->pool, s->n_lanes, meet_lane, s);
	else
		meet_lane(s, 0, 0);
	for (unsigned i = 0; i < s->n_lanes; i++)
		s->n_full += s->lane[i].n_full;
}

static bool met_any(const ds_seen *s, size_t item)
{
	for (unsigned i = 0; i < s->n_lanes; i++)
		if (s->lane[i].chain[item])
			return true;
	return false;
}

static void decide(ds_seen *s, ds_seen_item *it, size_t item, uint32_t number)
{
	uint32_t same = s->same ? find_same(s, it, number) : DS_NO_TEXT, near = DS_NO_TEXT;
	it->same = same != DS_NO_TEXT;
	if (it->same && s->plan.join)
		ds_seen_join(s, same, number);
	if ((!it->same || s->plan.join) && met_any(s, item))
		near = find_near(s, item, number);
	it->dup_of = it->same ? same : near;
}

static ds_rc add_batch(ds_seen *s, ds_seen_item *items, size_t n, ds_err *e)
{
	uint32_t number = (uint32_t)s->n;
	for (size_t i = 0; i < n; i++) {
		ds_seen_text *t = ds_seen_next(s);
		if (!t)
			return ds_fail(e, DS_BAD, "more than %u texts to compare", DS_LSH_RECORDS);
		t->key = items[i].key;
		t->sketch = items[i].sketch;
		t->n_sketch = items[i].n_sketch;
		s->sketch_bytes += t->n_sketch * sizeof(*t->sketch);
	}
	meet_all(s, items, n, number);
	for (size_t i = 0; i < n; i++) {
		if (s->same && i + AHEAD < n)
			ds_lsh_prefetch(s->same, 0, ds_seen_bucket(items[i + AHEAD].key));
		decide(s, &items[i], i, number + (uint32_t)i);
	}
	return DS_OK;
}

ds_rc ds_seen_add(ds_seen *s, ds_seen_item *items, size_t n, ds_err *e)
{
	for (size_t i = 0; i < n; i += s->batch)
		DS_TRY(add_batch(s, items + i, n - i < s->batch ? n - i : s->batch, e));
	return DS_OK;
}
