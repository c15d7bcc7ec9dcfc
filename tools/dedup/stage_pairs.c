/*
 * stage_pairs.c - pairs out of buckets, a range of records at a time
 *
 * A bucket's records are neighbours in its band's file. Records are cut into SLICES slices; first the
 * pairs of each slice are counted, then as many slices as fit are filled at once and each is sorted and
 * handed on by a thread.
 */
#include "stage_pairs.h"

#include "base/mem.h"
#include "base/sort.h"

#include <stdio.h>

enum { SLICES = 4096 };

struct pairs {
	const signs *s;
	stage_file *bands;
	unsigned n_bands, jobs;
	uint64_t memory;
};

static ds_rc check_sorted(const pairs *p, const stage_file *f, ds_err *e)
{
	int64_t key = -1, number = -1;
	for (size_t i = 0; i < f->n_blocks; i++) {
		const ds_col *k = ds_block_find(f->blocks[i], "key"),
			     *n = ds_block_find(f->blocks[i], "number");
		if (!k || !n || k->type != DS_T_I64 || n->type != DS_T_I64 || k->present ||
			n->present)
			return ds_fail(e, DS_BAD, "%s: no file of a band", f->path);
		for (uint32_t row = 0; row < f->blocks[i]->n_rows; row++) {
			int64_t a = ds_col_i64(k, row), b = ds_col_i64(n, row);
			if (b < 0 || (uint64_t)b >= p->s->n)
				return ds_fail(
					e, DS_BAD, "%s: a number that no record has", f->path);
			if (a < key || (a == key && b <= number))
				return ds_fail(
					e, DS_BAD, "%s: not sorted by key and number", f->path);
			key = a;
			number = b;
		}
	}
	return DS_OK;
}

static ds_rc open_band(pairs *p, unsigned band, ds_err *e)
{
	static const char *const columns[] = { "key", "number", NULL };
	char name[32];
	snprintf(name, sizeof(name), "band-%05u.dsr", band);
	stage_file *f = &p->bands[p->n_bands++];
	DS_TRY(stage_open(f, p->s->dir, name, STAGE_BAND, columns, e));
	if (f->head.part != band || memcmp(&f->head.from, &p->s->sum, sizeof(p->s->sum)) != 0)
		return ds_fail(e, DS_BAD,
			"%s: made from other signatures, run `dsdedup band` again", f->path);
	return check_sorted(p, f, e);
}

ds_rc pairs_open(pairs **out, const signs *s, unsigned jobs, uint64_t memory, ds_err *e)
{
	pairs *p = *out = DS_NEW(pairs, 1);
	p->s = s;
	p->jobs = jobs;
	p->memory = memory;
	p->bands = DS_NEW(stage_file, signs_bands(s) + 1);
	for (unsigned i = 0; i < signs_bands(s); i++)
		DS_TRY(open_band(p, i, e));
	return DS_OK;
}

void pairs_close(pairs *p)
{
	for (unsigned i = 0; p && i < p->n_bands; i++)
		stage_close(&p->bands[i]);
	if (p)
		ds_mem_free(p->bands);
	ds_mem_free(p);
}

typedef void take_bucket(void *context, const bucket *b);

/* Buckets may go on from one block of the file to the next, so their numbers are copied. */
static void each_bucket(const stage_file *f, take_bucket *take, void *context)
{
	ds_buf numbers = { 0 };
	int64_t key = -1;
	for (size_t i = 0; i < f->n_blocks; i++) {
		const ds_col *k = ds_block_find(f->blocks[i], "key"),
			     *n = ds_block_find(f->blocks[i], "number");
		for (uint32_t row = 0; row < f->blocks[i]->n_rows; row++) {
			int64_t number = ds_col_i64(n, row);
			if (ds_col_i64(k, row) != key) {
				if (numbers.n)
					take(context,
						&(bucket){
							(const int64_t *)(const void *)numbers.at,
							numbers.n / sizeof(number) });
				ds_buf_clear(&numbers);
				key = ds_col_i64(k, row);
			}
			ds_buf_add(&numbers, &number, sizeof(number));
		}
	}
	if (numbers.n)
		take(context, &(bucket){ (const int64_t *)(const void *)numbers.at,
				      numbers.n / sizeof(key) });
	ds_buf_free(&numbers);
}

ds_rc pairs_exact(pairs *p, take_bucket *take, void *context, ds_err *e)
{
	if (p->s->plan.exact)
		each_bucket(&p->bands[p->n_bands - 1], take, context);
	return DS_OK;
}

typedef struct {
	const pairs *p;
	uint64_t width;                  /* records of a slice */
	_Atomic uint64_t counts[SLICES]; /* of pairs */
	_Atomic uint64_t full;
	unsigned first, last;       /* slices that are filled now */
	uint64_t *at[SLICES + 1];   /* their pairs */
	_Atomic uint64_t n[SLICES]; /* that are in */
	void (*met)(void *context, uint32_t me, const uint64_t *others, size_t n);
	void *context;
} meeting;

static uint64_t met_before(size_t place)
{
	return place < DS_BUCKET_MOST ? place : DS_BUCKET_MOST;
}

static void count_bucket(void *context, const bucket *b)
{
	meeting *m = context;
	m->full += b->n >= DS_BUCKET_MOST;
	for (size_t i = 1; i < b->n; i++)
		m->counts[(uint64_t)b->number[i] / m->width] += met_before(i);
}

static void fill_bucket(void *context, const bucket *b)
{
	meeting *m = context;
	for (size_t i = 1; i < b->n; i++) {
		uint64_t me = (uint64_t)b->number[i], slice = me / m->width, n = met_before(i);
		if (slice < m->first || slice >= m->last)
			continue;
		uint64_t *to = m->at[slice] + atomic_fetch_add(&m->n[slice], n);
		for (size_t k = 0; k < n; k++)
			*to++ = me << 32 | (uint64_t)b->number[k];
	}
}

static void count_band(void *context, size_t task, unsigned worker)
{
	meeting *m = context;
	each_bucket(&m->p->bands[task], count_bucket, m);
}

static void fill_band(void *context, size_t task, unsigned worker)
{
	meeting *m = context;
	each_bucket(&m->p->bands[task], fill_bucket, m);
}

static void meet_slice(void *context, size_t task, unsigned worker)
{
	meeting *m = context;
	uint64_t *v = m->at[m->first + task];
	size_t n = m->counts[m->first + task], kept = 0;
	ds_sort_u64(v, n);
	for (size_t i = 0; i < n; i++)
		if (!kept || v[kept - 1] != v[i])
			v[kept++] = v[i];
	for (size_t i = 0, end; i < kept; i = end) {
		for (end = i + 1; end < kept && v[end] >> 32 == v[i] >> 32;)
			end++;
		m->met(m->context, (uint32_t)(v[i] >> 32), v + i, end - i);
	}
}

/* The next slices that fit, at least one; sorting takes as much again for each thread's slice. */
static uint64_t fit(meeting *m, uint64_t most)
{
	uint64_t total = 0;
	m->last = m->first;
	while (m->last < SLICES && (m->last == m->first || total + m->counts[m->last] <= most))
		total += m->counts[m->last++];
	return total;
}

ds_rc pairs_near(pairs *p, void (*met)(void *, uint32_t, const uint64_t *, size_t), void *context,
	uint64_t *full, ds_err *e)
{
	if (!p->s->plan.near)
		return DS_OK;
	DS_AUTO(ds_pool) pool = ds_pool_new(p->jobs);
	meeting *m = DS_NEW(meeting, 1);
	unsigned bands = p->s->plan.bands.bands;
	m->p = p;
	m->met = met;
	m->context = context;
	m->width = p->s->n / SLICES + 1;
	ds_pool_run(pool, bands, count_band, m);
	for (m->first = 0; m->first < SLICES; m->first = m->last) {
		uint64_t total = fit(m, p->memory / (2 * sizeof(total)));
		uint64_t *all = ds_mem_get((total + 1) * sizeof(*all));
		m->at[m->first] = all;
		for (unsigned i = m->first; i < m->last; i++)
			m->at[i + 1] = m->at[i] + m->counts[i];
		ds_pool_run(pool, total ? bands : 0, fill_band, m);
		ds_pool_run(pool, m->last - m->first, meet_slice, m);
		ds_mem_free(all);
	}
	*full = m->full;
	ds_mem_free(m);
	return DS_OK;
}
