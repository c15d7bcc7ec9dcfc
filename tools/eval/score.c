/*
 * score.c - scores, bootstrap intervals and paired tests
 *
 * Every resample is a tally made of the rows drawn, so any metric can be resampled. The rows are drawn
 * once for all metrics, in one order; the samples are then scored on all threads.
 */
#include "score.h"

#include "numpy_rng.h"

#include "base/mem.h"
#include "base/thread.h"

#include <math.h>
#include <stdlib.h>

enum { BATCH = 64 }; /* resamples drawn at a time */

void scored_release(scored *s, size_t n)
{
	for (size_t i = 0; s && i < n; i++) {
		ds_buf_free(&s[i].r.signature);
		ds_buf_free(&s[i].r.detail);
		ds_buf_free(&s[i].r.matrix);
	}
}

static ds_rc compute(metric_result *out, const wanted *w, const tally *t, const score_opts *o,
	ds_arena *mem, ds_err *e)
{
	metric_table table;
	if (w->m->compute)
		return w->m->compute(w->state, w->total, out, e);
	if (t->n == 0)
		return ds_fail(e, DS_BAD, "there are no records");
	if (w->m->of_sums)
		return w->m->of_sums(w->state, t->sums + w->first_sum, t->n, out, e);
	DS_TRY(tally_table(&table, t, w->m->needs & METRIC_SCORE, o->order, o->n_order, mem, e));
	return w->m->of_table(w->state, &table, out, e);
}

static ds_rc score_one(metric_result *out, const wanted *w, const tally *t, const score_opts *o,
	ds_arena *mem, ds_err *e)
{
	DS_TRY(compute(out, w, t, o, mem, e));
	return isfinite(out->score) ? DS_OK : ds_fail(e, DS_BAD, "the score is %g", out->score);
}

ds_rc score_all(scored *out, const wanted_list *l, const tally *t, const score_opts *o, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(0);
	for (size_t i = 0; i < l->n; i++) {
		ds_arena_reset(mem);
		DS_TRY_AT(score_one(&out[i].r, &l->at[i], t, o, mem, e), e, "%s", l->at[i].name);
	}
	return DS_OK;
}

/* Scores of one resample; a metric that cannot be computed of it is NaN and left out. */
static void score_sample(
	double *out, const wanted_list *l, const tally *sample, const score_opts *o, ds_arena *mem)
{
	ds_err ignored;
	for (size_t i = 0; i < l->n; i++) {
		scored s = { 0 };
		ds_arena_reset(mem);
		out[i] = NAN;
		if (!l->at[i].m->compute &&
			score_one(&s.r, &l->at[i], sample, o, mem, &ignored) == DS_OK)
			out[i] = s.r.score;
		scored_release(&s, 1);
	}
}

typedef struct {
	const wanted_list *l;
	const score_opts *o;
	const tally *pool; /* of one system, or of two one after another */
	uint64_t n;        /* records of a system */
	size_t systems;    /* 1, 2 */
	uint32_t *rows;    /* BATCH × systems × n */
	double *scores;    /* BATCH × systems × metrics */
	ds_arena **mems;
} batch;

static void run_sample(void *context, size_t i, unsigned worker)
{
	batch *b = context;
	tally *sample = tally_resample(b->pool, b->rows + i * b->n, b->n);
	score_sample(b->scores + i * b->l->n, b->l, sample, b->o, b->mems[worker]);
	tally_free(sample);
}

/* The rows of one trial: drawn with replacement, or each from either system. */
static void draw(const batch *b, size_t trial, numpy_rng *r, bool swap)
{
	uint32_t *first = b->rows + trial * b->systems * b->n, *second = first + b->n;
	uint32_t n = (uint32_t)b->n;
	for (uint32_t i = 0; i < n; i++) {
		if (swap)
			first[i] = numpy_rng_coin(r) ? n + i : i;
		else
			first[i] = numpy_rng_below(r, n);
		if (b->systems == 2)
			second[i] = first[i] < n ? first[i] + n : first[i] - n;
	}
}

/* Scores of trials × systems × metrics; the caller frees them. */
static double *resample(const wanted_list *l, const tally *pool, size_t systems, size_t trials,
	bool swap, const score_opts *o)
{
	DS_AUTO(ds_pool) threads = ds_pool_new(o->threads);
	unsigned n_mems = ds_pool_threads(threads);
	numpy_rng r = numpy_rng_of(o->seed);
	size_t a_trial = systems * l->n;
	double *all = DS_NEW(double, trials *a_trial + 1);
	batch b = { .l = l, .o = o, .pool = pool, .n = pool->n / systems, .systems = systems };
	b.rows = DS_NEW(uint32_t, BATCH * pool->n);
	b.mems = DS_NEW(ds_arena *, n_mems);
	for (unsigned i = 0; i < n_mems; i++)
		b.mems[i] = ds_arena_new(0);
	for (size_t done = 0; done < trials; done += BATCH) {
		size_t now = trials - done < BATCH ? trials - done : BATCH;
		for (size_t i = 0; i < now; i++)
			draw(&b, i, &r, swap);
		b.scores = all + done * a_trial;
		ds_pool_run(threads, now * systems, run_sample, &b);
	}
	for (unsigned i = 0; i < n_mems; i++)
		ds_arena_free(b.mems[i]);
	ds_mem_free(b.mems);
	ds_mem_free(b.rows);
	return all;
}

static ds_rc not_too_many(const tally *t, ds_err *e)
{
	if (t->n > UINT32_MAX / 2)
		return ds_fail(e, DS_BAD, "%llu records are too many to resample",
			(unsigned long long)t->n);
	return DS_OK;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The mean and half of the range without the lowest and highest fortieth. */
static bool interval(double *v, size_t n, double *mean, double *half)
{
	size_t k = 0;
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		if (!isnan(v[i])) {
			sum += v[i];
			v[k++] = v[i];
		}
	if (k < 2)
		return false;
	qsort(v, k, sizeof(*v), ascending);
	*mean = sum / (double)k;
	*half = (v[k - 1 - k / 40] - v[k / 40]) / 2;
	return true;
}

ds_rc score_intervals(
	scored *out, const wanted_list *l, const tally *t, const score_opts *o, ds_err *e)
{
	size_t trials = (size_t)o->resamples;
	DS_TRY(not_too_many(t, e));
	double *all = resample(l, t, 1, trials, false, o);
	double *one = DS_NEW(double, trials + 1);
	for (size_t m = 0; m < l->n; m++) {
		for (size_t i = 0; i < trials; i++)
			one[i] = all[i * l->n + m];
		out[m].has_interval = interval(one, trials, &out[m].mean, &out[m].half);
	}
	ds_mem_free(one);
	ds_mem_free(all);
	return DS_OK;
}

/*
 * The share, add-one, of trials whose difference is greater than the real one; the bootstrap's differences
 * are taken about their mean, as under the hypothesis that there is none.
 */
static double p_of(const double *diffs, size_t n, double real, bool centred)
{
	double mean = 0;
	size_t more = 0;
	for (size_t i = 0; centred && i < n; i++)
		mean += diffs[i] / (double)n;
	for (size_t i = 0; i < n; i++)
		more += diffs[i] - mean > real;
	return (double)(more + 1) / (double)(n + 1);
}

ds_rc score_paired(scored *out, const wanted_list *l, const tally *t, const tally *baseline,
	const score_opts *o, ds_err *e)
{
	DS_AUTO(tally) pool = tally_new(&t->shape);
	scored *base = DS_NEW(scored, l->n);
	size_t trials = (size_t)o->trials;
	ds_rc rc = score_all(base, l, baseline, o, e);
	for (size_t m = 0; m < l->n; m++)
		out[m].baseline = base[m].r.score;
	scored_release(base, l->n);
	ds_mem_free(base);
	DS_TRY(rc);
	DS_TRY(not_too_many(t, e));
	if (t->n != baseline->n)
		return ds_fail(e, DS_BAD, "the baseline has %llu record%s, the input %llu",
			(unsigned long long)baseline->n, ds_s(baseline->n),
			(unsigned long long)t->n);
	DS_TRY(tally_merge(pool, t, e));
	DS_TRY(tally_merge(pool, baseline, e));
	double *all = resample(l, pool, 2, trials, o->swap, o);
	double *diffs = DS_NEW(double, trials + 1);
	for (size_t m = 0; m < l->n; m++) {
		for (size_t i = 0; i < trials; i++)
			diffs[i] = fabs(all[2 * i * l->n + m] - all[(2 * i + 1) * l->n + m]);
		out[m].p = p_of(diffs, trials, fabs(out[m].r.score - out[m].baseline), !o->swap);
		out[m].has_p = !l->at[m].m->compute;
	}
	ds_mem_free(diffs);
	ds_mem_free(all);
	return DS_OK;
}
