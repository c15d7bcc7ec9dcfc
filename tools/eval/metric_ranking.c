/*
 * metric_ranking.c - how well scores rank records: areas under ROC and precision-recall curves
 *
 * The area under the ROC curve is the share of pairs of a positive and a negative record that the score
 * orders rightly, ties counting one half (Mann and Whitney 1947). Of several classes: one against the rest,
 * or one against one (Hand and Till 2001), averaged as scikit-learn does. Average precision is its sum of
 * precision over the steps of recall.
 */
#include "metric.h"
#include "tally.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

typedef enum { UNSAID, OVR, OVO } scheme;

typedef struct {
	scheme scheme;
	bool weighted;
} settings;

typedef struct {
	uint64_t key; /* grows as the score falls; the same for the same score */
	bool positive;
} item;

static ds_rc open_auc(void **state, metric_args *a, ds_err *e)
{
	settings *s = DS_NEW(settings, 1);
	const char *rest = a->variant;
	ds_str word, value;
	*state = s;
	while (metric_word(&rest, &word, &value)) {
		if (ds_str_is(word, "ovr"))
			s->scheme = OVR;
		else if (ds_str_is(word, "ovo"))
			s->scheme = OVO;
		else if (ds_str_is(word, "weighted") || ds_str_is(word, "macro"))
			s->weighted = ds_str_is(word, "weighted");
		else
			return metric_no_word("auc", word, "ovr, ovo, macro, weighted", e);
	}
	return DS_OK;
}

/* The bits of a double order as the number does, once those of negative ones are inverted. */
static uint64_t key_of(double score)
{
	uint64_t bits;
	score += 0.0; /* -0 is 0 */
	memcpy(&bits, &score, sizeof(bits));
	return bits >> 63 ? bits : ~(bits | (uint64_t)1 << 63);
}

enum { DIGIT = 8, DIGITS = 64 / DIGIT, BUCKETS = 1 << DIGIT };

/* By descending score: a radix sort, from the lowest digit on; scratch has room for n. 200,000 scores take 3 ms, qsort 35. */
static void sort_items(item *at, item *scratch, size_t n)
{
	size_t count[DIGITS][BUCKETS] = { 0 };
	item *from = at, *to = scratch;
	for (size_t i = 0; i < n; i++)
		for (int d = 0; d < DIGITS; d++)
			count[d][at[i].key >> (DIGIT * d) & (BUCKETS - 1)]++;
	for (int d = 0; d < DIGITS && n; d++) {
		size_t *c = count[d], sum = 0;
		if (c[from[0].key >> (DIGIT * d) & (BUCKETS - 1)] == n)
			continue;
		for (int b = 0; b < BUCKETS; b++) {
			size_t here = c[b];
			c[b] = sum;
			sum += here;
		}
		for (size_t i = 0; i < n; i++)
			to[c[from[i].key >> (DIGIT * d) & (BUCKETS - 1)]++] = from[i];
		item *other = from;
		from = to;
		to = other;
	}
	if (from != at)
		memcpy(at, from, n * sizeof(*at));
}

static double area(const item *at, size_t n, double *positives)
{
	double pos = 0, neg = 0, pairs = 0;
	for (size_t i = 0; i < n;) {
		double p = 0, q = 0;
		size_t from = i;
		for (; i < n && at[i].key == at[from].key; i++) {
			p += at[i].positive;
			q += !at[i].positive;
		}
		pairs += q * (pos + p / 2);
		pos += p;
		neg += q;
	}
	*positives = pos;
	return pos > 0 && neg > 0 ? pairs / (pos * neg) : NAN;
}

static double precision_area(const item *at, size_t n, double *positives)
{
	double pos = 0, sum = 0;
	for (size_t i = 0; i < n;) {
		double p = 0;
		size_t from = i;
		for (; i < n && at[i].key == at[from].key; i++)
			p += at[i].positive;
		pos += p;
		sum += p * pos / (double)i;
	}
	*positives = pos;
	return pos > 0 ? sum / pos : NAN;
}

/* Rows of the classes a and b alone (b = UINT32_MAX: of all), a positive, scored by column; out has room for twice as many. */
static size_t items(item *out, const metric_table *t, uint32_t column, uint32_t a, uint32_t b)
{
	size_t n = 0;
	for (uint64_t i = 0; i < t->n; i++)
		if (b == UINT32_MAX || t->labels[i] == a || t->labels[i] == b)
			out[n++] = (item){ key_of(t->scores[i * t->n_scores + column]),
				t->labels[i] == a };
	sort_items(out, out + n, n);
	return n;
}

static ds_rc two_classes(const metric_table *t, ds_err *e)
{
	if (t->n_classes < 2)
		return ds_fail(e, DS_BAD, "there is one class, '%.*s', alone: two are needed",
			DS_FMT(t->classes[0]));
	return DS_OK;
}

static uint32_t positive_column(const metric_table *t, uint32_t *positive)
{
	*positive = t->n_scores == 1 ? t->positive : t->column_class[1];
	return t->n_scores == 1 ? 0 : 1;
}

static double one_to_rest(const settings *s, const metric_table *t, item *tmp,
	double (*f)(const item *, size_t, double *))
{
	double sum = 0, weights = 0;
	for (uint32_t c = 0; c < t->n_scores; c++) {
		double positives = 0, v = NAN;
		if (t->column_class[c] != UINT32_MAX)
			v = f(tmp, items(tmp, t, c, t->column_class[c], UINT32_MAX), &positives);
		double w = s->weighted ? positives : 1;
		sum += w * v;
		weights += w;
	}
	return sum / weights;
}

static double one_to_one(const settings *s, const metric_table *t, item *tmp)
{
	double sum = 0, weights = 0, pos;
	for (uint32_t a = 0; a < t->n_scores; a++)
		for (uint32_t b = a + 1; b < t->n_scores; b++) {
			uint32_t x = t->column_class[a], y = t->column_class[b];
			size_t n = items(tmp, t, a, x, y);
			double v = area(tmp, n, &pos);
			v += area(tmp, items(tmp, t, b, y, x), &pos);
			double w = s->weighted ? (double)n / (double)t->n : 1;
			sum += w * v / 2;
			weights += w;
		}
	return sum / weights;
}

static ds_rc defined(double v, metric_result *out, ds_err *e)
{
	out->score = v;
	if (isnan(v))
		return ds_fail(e, DS_BAD, "a class has no records: it is not defined");
	return DS_OK;
}

static ds_rc auc(const void *state, const metric_table *t, metric_result *out, ds_err *e)
{
	const settings *s = state;
	DS_AUTO(ds_arena) mem = ds_arena_new(0);
	item *tmp = ds_arena_get(mem, (2 * t->n + 1) * sizeof(*tmp));
	double pos;
	DS_TRY(two_classes(t, e));
	if (t->n_scores == 1 && t->n_classes > 2)
		return ds_fail(
			e, DS_BAD, "score is one number and there are %u classes", t->n_classes);
	if (t->n_scores <= 2) {
		uint32_t positive, column = positive_column(t, &positive);
		ds_buf_fmt(&out->signature, "pos:%.*s", DS_FMT(t->classes[positive]));
		return defined(
			area(tmp, items(tmp, t, column, positive, UINT32_MAX), &pos), out, e);
	}
	if (s->scheme == UNSAID)
		return ds_fail(
			e, DS_BAD, "there are %u classes: name auc:ovr or auc:ovo", t->n_classes);
	ds_buf_fmt(&out->signature, "%s|average:%s", s->scheme == OVR ? "ovr" : "ovo",
		s->weighted ? "weighted" : "macro");
	return defined(
		s->scheme == OVR ? one_to_rest(s, t, tmp, area) : one_to_one(s, t, tmp), out, e);
}

static ds_rc average_precision(
	const void *state, const metric_table *t, metric_result *out, ds_err *e)
{
	static const settings macro;
	DS_AUTO(ds_arena) mem = ds_arena_new(0);
	item *tmp = ds_arena_get(mem, (2 * t->n + 1) * sizeof(*tmp));
	double pos;
	DS_TRY(two_classes(t, e));
	if (t->n_scores == 1 && t->n_classes > 2)
		return ds_fail(
			e, DS_BAD, "score is one number and there are %u classes", t->n_classes);
	if (t->n_scores <= 2) {
		uint32_t positive, column = positive_column(t, &positive);
		ds_buf_fmt(&out->signature, "pos:%.*s", DS_FMT(t->classes[positive]));
		return defined(
			precision_area(tmp, items(tmp, t, column, positive, UINT32_MAX), &pos), out,
			e);
	}
	ds_buf_add_c(&out->signature, "average:macro");
	return defined(one_to_rest(&macro, t, tmp, precision_area), out, e);
}

const metric metric_auc = {
	.name = "auc",
	.help = "area under the ROC curve of score; of more classes :ovr :ovo, :weighted",
	.needs = METRIC_SCORE,
	.open = open_auc,
	.close = ds_mem_free,
	.of_table = auc,
};

const metric metric_average_precision = {
	.name = "average-precision",
	.help = "mean precision over the steps of recall, by score",
	.needs = METRIC_SCORE,
	.of_table = average_precision,
};
