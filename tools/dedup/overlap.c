/*
 * overlap.c - how much of a text of the evaluation set stands in another text: sample, then expand
 *
 * The set is a sorted list of pairs (hash of OVERLAP_UNITS units, text) and the weight of each hash, ln(1 + texts /
 * texts that have it), so that common phrases count little. Every `step`th run of a text is looked up; where a
 * text of the set has it, runs before and behind are taken in until MISSES in a row are not of that text.
 * The weight of what was found, over the weight of the whole text, is the share. As decon of AI2 does it.
 */
#include "base/mem.h"
#include "dedup.h"

#include <math.h>
#include <stdlib.h>

enum { STEP = 10, MISSES = 11 };

typedef struct {
	uint64_t hash;
	uint32_t text;
} pair;

struct overlap {
	double share;
	ds_buf pairs;   /* pair, sorted and unique once finished */
	size_t n;       /* of them */
	double *weight; /* of each pair's hash */
	double *total;  /* of each text */
	uint32_t n_texts, step;
};

struct overlap_reader {
	ds_buf runs;    /* uint64_t, of the text at hand */
	uint32_t *mark; /* per pair: the expansion that has counted it */
	uint32_t round;
	size_t *until; /* per text: runs before this are in an expansion */
};

overlap *overlap_new(double share)
{
	overlap *o = DS_NEW(overlap, 1);
	o->share = share;
	o->step = STEP;
	return o;
}

void overlap_free(overlap *o)
{
	if (!o)
		return;
	ds_buf_free(&o->pairs);
	ds_mem_free(o->weight);
	ds_mem_free(o->total);
	ds_mem_free(o);
}

static void runs_of(ds_buf *out, ds_ngram *units, ds_str text)
{
	uint64_t x[DS_NGRAM_BATCH];
	size_t n;
	ds_buf_clear(out);
	ds_ngram_start(units, text);
	while ((n = ds_ngram_next64(units, x)))
		if (ds_ngram_units(units) >= OVERLAP_UNITS)
			ds_buf_add(out, x, n * sizeof(*x));
}

void overlap_add(overlap *o, ds_ngram *units, ds_str text)
{
	ds_buf runs = { 0 };
	runs_of(&runs, units, text);
	const uint64_t *x = (const uint64_t *)(const void *)runs.at;
	size_t n = runs.n / sizeof(*x);
	for (size_t i = 0; i < n; i++) {
		pair p = { .hash = x[i], .text = o->n_texts };
		ds_buf_add(&o->pairs, &p, sizeof(p));
	}
	/* A text that is contained whole is met by a sample however short it is. */
	if (n && n < o->step)
		o->step = (uint32_t)n;
	o->n_texts += n > 0;
	ds_buf_free(&runs);
}

static int by_hash(const void *a, const void *b)
{
	const pair *x = a, *y = b;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->text < y->text ? -1 : x->text > y->text;
}

static const pair *pairs_of(const overlap *o)
{
	return (const pair *)(const void *)o->pairs.at;
}

void overlap_finish(overlap *o)
{
	pair *p = (pair *)(void *)o->pairs.at;
	size_t n = o->pairs.n / sizeof(*p), k = 0;
	if (n)
		qsort(p, n, sizeof(*p), by_hash);
	for (size_t i = 0; i < n; i++)
		if (!k || by_hash(&p[i], &p[k - 1]) != 0)
			p[k++] = p[i];
	o->n = k;
	o->weight = DS_NEW(double, k + 1);
	o->total = DS_NEW(double, o->n_texts + 1);
	for (size_t i = 0, end; i < k; i = end) {
		for (end = i + 1; end < k && p[end].hash == p[i].hash;)
			end++;
		for (size_t j = i; j < end; j++) {
			o->weight[j] = log1p((double)o->n_texts / (double)(end - i));
			o->total[p[j].text] += o->weight[j];
		}
	}
}

/* The first pair that is not less. */
static size_t find(const overlap *o, uint64_t hash, uint32_t text)
{
	const pair *p = pairs_of(o), want = { .hash = hash, .text = text };
	size_t low = 0, high = o->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (by_hash(&p[mid], &want) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

overlap_reader *overlap_reader_new(const overlap *o)
{
	overlap_reader *r = DS_NEW(overlap_reader, 1);
	r->mark = DS_NEW(uint32_t, o->n + 1);
	r->until = DS_NEW(size_t, o->n_texts + 1);
	return r;
}

void overlap_reader_free(overlap_reader *r)
{
	if (!r)
		return;
	ds_buf_free(&r->runs);
	ds_mem_free(r->mark);
	ds_mem_free(r->until);
	ds_mem_free(r);
}

/* The weight that a run adds to the expansion at hand; *is: the text has it. */
static double take(const overlap *o, overlap_reader *r, uint64_t hash, uint32_t text, bool *is)
{
	size_t at = find(o, hash, text);
	const pair *p = pairs_of(o);
	*is = at < o->n && p[at].hash == hash && p[at].text == text;
	if (!*is || r->mark[at] == r->round)
		return 0;
	r->mark[at] = r->round;
	return o->weight[at];
}

static bool expand(const overlap *o, overlap_reader *r, size_t from, uint32_t text)
{
	const uint64_t *x = (const uint64_t *)(const void *)r->runs.at;
	size_t n = r->runs.n / sizeof(*x), i;
	double found = 0;
	bool is;
	if (++r->round == 0) { /* marks of rounds long ago must not count */
		memset(r->mark, 0, o->n * sizeof(*r->mark));
		r->round = 1;
	}
	unsigned misses = 0;
	for (i = from; i < n && misses <= MISSES; i++) {
		found += take(o, r, x[i], text, &is);
		misses = is ? 0 : misses + 1;
	}
	r->until[text] = i;
	misses = 0;
	for (i = from; i-- > 0 && misses <= MISSES;) {
		found += take(o, r, x[i], text, &is);
		misses = is ? 0 : misses + 1;
	}
	return found >= o->share * o->total[text] * (1 - 1e-9);
}

bool overlap_hits(const overlap *o, overlap_reader *r, ds_ngram *units, ds_str text)
{
	runs_of(&r->runs, units, text);
	const uint64_t *x = (const uint64_t *)(const void *)r->runs.at;
	const pair *p = pairs_of(o);
	size_t n = r->runs.n / sizeof(*x);
	memset(r->until, 0, o->n_texts * sizeof(*r->until));
	for (size_t i = 0; i < n; i += o->step)
		for (size_t k = find(o, x[i], 0); k < o->n && p[k].hash == x[i]; k++)
			if (i >= r->until[p[k].text] && expand(o, r, i, p[k].text))
				return true;
	return false;
}
