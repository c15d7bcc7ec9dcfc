/*
 * metric_probability.c - how good score is as a probability: log loss, Brier score, calibration error
 *
 * Log loss is scikit-learn's: probabilities are kept within [eps, 1 - eps], eps = 2^-52, and rows summed to
 * one; its logarithms are taken of products of probabilities, many at once. The calibration error is that of the class with the highest probability over bins of equal width
 * (Naeini et al., AAAI 2015; Guo et al., ICML 2017).
 */
#include "metric.h"
#include "tally.h"

#include "base/mem.h"

#include <float.h>
#include <math.h>

/* The probability that row i has class column c. */
static double probability(const metric_table *t, uint64_t i, uint32_t c)
{
	if (t->n_scores > 1)
		return t->scores[i * t->n_scores + c];
	return c ? t->scores[i] : 1 - t->scores[i];
}

static uint32_t columns(const metric_table *t)
{
	return t->n_scores > 1 ? t->n_scores : 2;
}

/* The column of row i's label. */
static uint32_t true_column(const metric_table *t, uint64_t i)
{
	if (t->n_scores == 1)
		return t->labels[i] == t->positive;
	for (uint32_t c = 0; c < t->n_scores; c++)
		if (t->column_class[c] == t->labels[i])
			return c;
	return 0; /* every label has a column: tally_table sees to it */
}

static ds_rc are_probabilities(const metric_table *t, ds_err *e)
{
	if (t->n_scores == 1 && t->n_classes > 2)
		return ds_fail(
			e, DS_BAD, "score is one number and there are %u classes", t->n_classes);
	if (t->n_scores == 1 && t->n_classes < 2)
		return ds_fail(e, DS_BAD, "there is one class, '%.*s', alone: two are needed",
			DS_FMT(t->classes[0]));
	for (uint64_t i = 0; i < t->n * t->n_scores; i++)
		if (t->scores[i] < 0 || t->scores[i] > 1)
			return ds_fail(
				e, DS_BAD, "score has %g, which is no probability", t->scores[i]);
	return DS_OK;
}

static double inside(double p)
{
	return p < DBL_EPSILON ? DBL_EPSILON : p > 1 - DBL_EPSILON ? 1 - DBL_EPSILON : p;
}

/* The true class's probability over the sum of all. */
static double likelihood(const metric_table *t, uint64_t i)
{
	double all = 0;
	if (t->n_scores == 1) {
		double p = inside(t->scores[i]), q = inside(1 - t->scores[i]);
		return (true_column(t, i) ? p : q) / (p + q);
	}
	for (uint32_t c = 0; c < t->n_scores; c++)
		all += inside(probability(t, i, c));
	return inside(probability(t, i, true_column(t, i))) / all;
}

static ds_rc log_loss(const void *state, const metric_table *t, metric_result *out, ds_err *e)
{
	double sum = 0, product = 1;
	DS_TRY(are_probabilities(t, e));
	for (uint64_t i = 0; i < t->n; i++) {
		product *= likelihood(t, i);
		if (product < 1e-260) { /* the next one is at least 2^-52 / classes */
			sum -= log(product);
			product = 1;
		}
	}
	out->score = (sum - log(product)) / (double)t->n;
	return DS_OK;
}

static ds_rc brier(const void *state, const metric_table *t, metric_result *out, ds_err *e)
{
	double sum = 0;
	DS_TRY(are_probabilities(t, e));
	for (uint64_t i = 0; i < t->n; i++)
		for (uint32_t c = 0, right = true_column(t, i); c < columns(t); c++) {
			double d = probability(t, i, c) - (c == right);
			sum += d * d;
		}
	out->score = sum / (double)t->n / (columns(t) == 2 ? 2 : 1);
	ds_buf_add_c(&out->signature, columns(t) == 2 ? "classes:2" : "classes:summed");
	return DS_OK;
}

enum { MAX_BINS = 1000 };

static ds_rc open_ece(void **state, metric_args *a, ds_err *e)
{
	int64_t *bins = DS_NEW(int64_t, 1);
	const char *rest = a->variant;
	ds_str word, value;
	*state = bins;
	*bins = 15;
	while (metric_word(&rest, &word, &value))
		if (!ds_str_is(word, "bins") || !ds_str_i64(value, bins) || *bins < 1 ||
			*bins > MAX_BINS)
			return metric_no_word("ece", word, "bins=N (1 to 1000)", e);
	return DS_OK;
}

static ds_rc ece(const void *state, const metric_table *t, metric_result *out, ds_err *e)
{
	int64_t bins = *(const int64_t *)state;
	double n[MAX_BINS] = { 0 }, sure[MAX_BINS] = { 0 }, right[MAX_BINS] = { 0 };
	DS_TRY(are_probabilities(t, e));
	for (uint64_t i = 0; i < t->n; i++) {
		uint32_t best = 0;
		for (uint32_t c = 1; c < columns(t); c++)
			if (probability(t, i, c) > probability(t, i, best))
				best = c;
		double p = probability(t, i, best);
		int64_t b =
			(int64_t)ceil(p * (double)bins) - 1; /* bins are open below, closed above */
		b = b < 0 ? 0 : b >= bins ? bins - 1 : b;
		n[b]++;
		sure[b] += p;
		right[b] += best == true_column(t, i);
	}
	for (int64_t b = 0; b < bins; b++)
		out->score += fabs(sure[b] - right[b]) / (double)t->n;
	ds_buf_fmt(&out->signature, "bins:%lld|norm:l1", (long long)bins);
	return DS_OK;
}

const metric metric_log_loss = {
	.name = "log-loss",
	.help = "mean negative log of the label's probability",
	.needs = METRIC_SCORE,
	.of_table = log_loss,
};

const metric metric_brier = {
	.name = "brier",
	.help = "mean squared error of the probabilities",
	.needs = METRIC_SCORE,
	.of_table = brier,
};

const metric metric_ece = {
	.name = "ece",
	.help = "expected calibration error over :bins=15",
	.needs = METRIC_SCORE,
	.open = open_ece,
	.close = ds_mem_free,
	.of_table = ece,
};
