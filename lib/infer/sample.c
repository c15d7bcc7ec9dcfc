/*
 * sample.c - greedy, temperature, top-k and nucleus sampling
 *
 * Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR 2020 (top-p). Sums run in double and in one
 * order: by id where nothing is cut, else by logit downwards and by id among equals.
 */
#include "infer/sample.h"

#include "base/finite.h"
#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

typedef struct {
	float logit;
	uint32_t id;
} candidate;

ds_rc ds_sampling_check(const ds_sampling *s, ds_err *e)
{
	if (!(s->temperature >= 0 && s->temperature <= 100))
		return ds_fail(
			e, DS_USAGE, "temperature %g is not between 0 and 100", s->temperature);
	if (!(s->top_p > 0 && s->top_p <= 1))
		return ds_fail(e, DS_USAGE, "top-p %g is not above 0 and at most 1", s->top_p);
	if (!(s->min_p >= 0 && s->min_p <= 1))
		return ds_fail(e, DS_USAGE, "min-p %g is not between 0 and 1", s->min_p);
	if (s->top_k < 0)
		return ds_fail(e, DS_USAGE, "top-k %lld is negative", (long long)s->top_k);
	return DS_OK;
}

static uint32_t best(const float *logits, size_t n)
{
	uint32_t at = 0;
	for (size_t i = 1; i < n; i++)
		if (logits[i] > logits[at])
			at = (uint32_t)i;
	return at;
}

static int downwards(const void *a, const void *b)
{
	const candidate *x = a, *y = b;
	if (x->logit != y->logit)
		return x->logit < y->logit ? 1 : -1;
	return (x->id > y->id) - (x->id < y->id);
}

typedef struct { /* what may be drawn: logits that are not below `least` */
	const float *logits;
	size_t n;
	float top, least;
	double heat;
} field;

/* Below e^-40 of the best one a token is never drawn in practice. */
static field field_of(const ds_sampling *s, const float *logits, size_t n, float top)
{
	double span = 40 * s->temperature;
	if (s->min_p > 0 && -log(s->min_p) * s->temperature < span)
		span = -log(s->min_p) * s->temperature;
	return (field){ logits, n, top, top - (float)span, s->temperature };
}

static double weight(const field *f, float logit)
{
	return exp(((double)logit - f->top) / f->heat);
}

static double weigh_all(const field *f)
{
	double sum = 0;
	for (size_t i = 0; i < f->n; i++)
		sum += f->logits[i] >= f->least ? weight(f, f->logits[i]) : 0;
	return sum;
}

/* Without cuts nothing has to be sorted: the id at which the sum of those before reaches the draw. */
static uint32_t draw_any(const field *f, double unit)
{
	double wanted = unit * weigh_all(f), at = 0;
	uint32_t last = 0;
	for (size_t i = 0; i < f->n; i++) {
		if (f->logits[i] < f->least)
			continue;
		last = (uint32_t)i;
		at += weight(f, f->logits[i]);
		if (wanted < at)
			break;
	}
	return last;
}

/* Sorted candidates, as many as a cut needs and somewhat more: those near the best are looked at first. */
static size_t gather(const ds_sampling *s, const field *f, double all, candidate *c)
{
	size_t m;
	for (double span = 4 * f->heat;; span *= 2) {
		float least = f->top - (float)span > f->least ? f->top - (float)span : f->least;
		double sum = 0;
		m = 0;
		for (size_t i = 0; i < f->n; i++)
			if (f->logits[i] >= least)
				c[m++] = (candidate){ f->logits[i], (uint32_t)i };
		for (size_t i = 0; !s->top_k && i < m; i++)
			sum += weight(f, c[i].logit);
		if (least <= f->least || (s->top_k ? m >= (size_t)s->top_k : sum >= s->top_p * all))
			break;
	}
	qsort(c, m, sizeof(*c), downwards);
	return s->top_k && m > (size_t)s->top_k ? (size_t)s->top_k : m;
}

static uint32_t draw_cut(const ds_sampling *s, const field *f, double unit, ds_arena *mem)
{
	candidate *c = ds_arena_get(mem, f->n * sizeof(*c));
	double all = s->top_k ? 0 : weigh_all(f), kept = 0, at = 0;
	size_t m = gather(s, f, all, c), last = 0;
	for (size_t i = 0; s->top_k && i < m; i++)
		all += weight(f, c[i].logit);
	for (; last < m && kept < s->top_p * all; last++)
		kept += weight(f, c[last].logit);
	for (size_t i = 0; i < last; i++) {
		at += weight(f, c[i].logit);
		if (unit * kept < at)
			return c[i].id;
	}
	return c[last - 1].id;
}

static uint32_t draw(
	const ds_sampling *s, const float *logits, size_t n, float top, double unit, ds_arena *mem)
{
	field f = field_of(s, logits, n, top);
	return s->top_k || s->top_p < 1 ? draw_cut(s, &f, unit, mem) : draw_any(&f, unit);
}

uint32_t ds_sample(const ds_sampling *s, const float *logits, size_t n, uint64_t key, uint64_t step,
	ds_arena *mem)
{
	assert(ds_f32_finite(logits, n) == n);
	size_t drawn = s->n_ids && s->n_ids < n ? s->n_ids : n;
	uint32_t top = best(logits, drawn);
	if (!(s->temperature > 0))
		return top;
	return draw(s, logits, drawn, logits[top], ds_rng_unit(ds_rng_of(s->seed, key), step), mem);
}

double ds_log_sum(const float *logits, size_t n)
{
	double sum = 0, most = logits[best(logits, n)];
	for (size_t i = 0; i < n; i++)
		sum += exp((double)logits[i] - most);
	return most + log(sum);
}

void ds_most_likely(const float *logits, size_t n, double log_sum, size_t k, ds_likely *out)
{
	size_t have = 0;
	for (size_t i = 0; i < n && k; i++) {
		if (have == k && logits[i] <= logits[out[k - 1].id])
			continue;
		size_t at = have < k ? have++ : k - 1;
		for (; at > 0 && logits[out[at - 1].id] < logits[i]; at--)
			out[at] = out[at - 1];
		out[at].id = (uint32_t)i;
	}
	for (size_t i = 0; i < have; i++)
		out[i].logprob = (float)((double)logits[out[i].id] - log_sum);
}
