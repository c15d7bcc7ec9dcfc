/*
 * sample.c - greedy, temperature, top-k and nucleus sampling
 *
 * Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR 2020 (top-p). Sums run in double
 * over candidates in one order: by logit downwards, by id among equals.
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

/* Candidates that matter, sorted: below e^-40 of the best one a token is never drawn in practice. */
static size_t gather(const ds_sampling *s, const float *logits, size_t n, float top, candidate *c)
{
	float least = top - (float)(40 * s->temperature);
	if (s->min_p > 0 && top + (float)(log(s->min_p) * s->temperature) > least)
		least = top + (float)(log(s->min_p) * s->temperature);
	size_t m = 0;
	for (size_t i = 0; i < n; i++)
		if (logits[i] >= least)
			c[m++] = (candidate){ logits[i], (uint32_t)i };
	qsort(c, m, sizeof(*c), downwards);
	return s->top_k && m > (size_t)s->top_k ? (size_t)s->top_k : m;
}

static uint32_t draw(
	const ds_sampling *s, const float *logits, size_t n, float top, double unit, ds_arena *mem)
{
	candidate *c = ds_arena_get(mem, n * sizeof(*c));
	size_t m = gather(s, logits, n, top, c);
	double *p = ds_arena_get(mem, m * sizeof(*p)), sum = 0, kept = 0, at = 0;
	for (size_t i = 0; i < m; i++)
		sum += p[i] = exp(((double)c[i].logit - top) / s->temperature);
	size_t last = 0;
	for (; last < m && kept < s->top_p * sum; last++)
		kept += p[last];
	for (size_t i = 0; i < last; i++) {
		at += p[i];
		if (unit * kept < at)
			return c[i].id;
	}
	return c[last - 1].id;
}

uint32_t ds_sample(const ds_sampling *s, const float *logits, size_t n, uint64_t key, uint64_t step,
	ds_arena *mem, float *logprob)
{
	assert(ds_f32_finite(logits, n) == n);
	size_t drawn = s->n_ids && s->n_ids < n ? s->n_ids : n;
	uint32_t top = best(logits, drawn), id = top;
	if (s->temperature > 0)
		id = draw(s, logits, drawn, logits[top], ds_rng_unit(ds_rng_of(s->seed, key), step),
			mem);
	if (logprob)
		*logprob = (float)((double)logits[id] - ds_log_sum(logits, n));
	return id;
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
