/*
 * metric_correlation.c - Pearson's and Spearman's correlation of pred with label (else ref) as numbers
 */
#include "metric.h"
#include "tally.h"

#include <math.h>
#include <stdlib.h>

static ds_rc correlation(const double *pairs, uint64_t n, double *out, ds_err *e)
{
	double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
	if (n < 2)
		return ds_fail(e, DS_BAD, "two records are needed");
	for (uint64_t i = 0; i < n; i++) {
		mx += pairs[2 * i];
		my += pairs[2 * i + 1];
	}
	mx /= (double)n;
	my /= (double)n;
	for (uint64_t i = 0; i < n; i++) {
		double x = pairs[2 * i] - mx, y = pairs[2 * i + 1] - my;
		xx += x * x;
		yy += y * y;
		xy += x * y;
	}
	if (xx == 0 || yy == 0)
		return ds_fail(e, DS_BAD, "one side is constant: it is not defined");
	*out = xy / (sqrt(xx) * sqrt(yy));
	*out = *out > 1 ? 1 : *out < -1 ? -1 : *out;
	return DS_OK;
}

static ds_rc pearson(const void *state, const metric_table *t, metric_result *out, ds_err *e)
{
	return correlation(t->pairs, t->n, &out->score, e);
}

typedef struct {
	double v;
	uint64_t row;
} ranked;

static int ascending(const void *a, const void *b)
{
	double x = ((const ranked *)a)->v, y = ((const ranked *)b)->v;
	return (x > y) - (x < y);
}

/* Column side of the pairs becomes ranks, ties the mean of theirs. */
static void rank(double *out, const double *pairs, uint64_t n, int side, ranked *tmp)
{
	for (uint64_t i = 0; i < n; i++)
		tmp[i] = (ranked){ pairs[2 * i + side], i };
	qsort(tmp, n, sizeof(*tmp), ascending);
	for (uint64_t i = 0; i < n;) {
		uint64_t from = i;
		while (i < n && tmp[i].v == tmp[from].v)
			i++;
		for (uint64_t k = from; k < i; k++)
			out[2 * tmp[k].row + side] = (double)(from + i + 1) / 2;
	}
}

static ds_rc spearman(const void *state, const metric_table *t, metric_result *out, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(0);
	double *ranks = ds_arena_get(mem, 2 * (t->n + 1) * sizeof(*ranks));
	ranked *tmp = ds_arena_get(mem, (t->n + 1) * sizeof(*tmp));
	for (int side = 0; side < 2; side++)
		rank(ranks, t->pairs, t->n, side, tmp);
	return correlation(ranks, t->n, &out->score, e);
}

const metric metric_pearson = {
	.name = "pearson",
	.help = "linear correlation of pred with label (or ref), as numbers",
	.needs = METRIC_NUMBERS,
	.of_table = pearson,
};

const metric metric_spearman = {
	.name = "spearman",
	.help = "the same of their ranks",
	.needs = METRIC_NUMBERS,
	.of_table = spearman,
};
