/*
 * metric_prf.c - precision, recall and F1 of classes as scikit-learn computes them
 *
 * Averages: of two classes the positive one alone (the second in order, or pos=NAME); macro, micro or
 * weighted over the classes of label and pred together. Where a class divides by zero its value is zero=V
 * (0; nan leaves it out of the average), of F1 only where the class is on neither side.
 */
#include "metric.h"
#include "tally.h"

#include "base/mem.h"

#include <math.h>

typedef enum { AUTO, BINARY, MACRO, MICRO, WEIGHTED } average;
typedef enum { PRECISION, RECALL, F1 } kind;
static const char *const averages[] = { "auto", "binary", "macro", "micro", "weighted", NULL };

typedef struct {
	kind kind;
	average average;
	double zero;
	ds_str positive; /* n = 0: the second class */
	char *name;      /* as typed, which positive is a part of */
} settings;

static const char known[] = "binary, macro, micro, weighted, pos=NAME, zero=0|1|nan";

static ds_rc set_word(settings *s, ds_str word, ds_str value, ds_err *e)
{
	for (int i = 1; averages[i]; i++)
		if (ds_str_is(word, averages[i])) {
			s->average = (average)i;
			return DS_OK;
		}
	if (ds_str_is(word, "pos") && value.n) {
		s->positive = value;
		return DS_OK;
	}
	if (ds_str_is(word, "zero") &&
		(ds_str_is(value, "0") || ds_str_is(value, "1") || ds_str_is(value, "nan"))) {
		s->zero = ds_str_is(value, "nan") ? NAN : value.at[0] - '0';
		return DS_OK;
	}
	return metric_no_word("precision, recall and f1", word, known, e);
}

static void close_prf(void *state)
{
	settings *s = state;
	if (s)
		ds_mem_free(s->name);
	ds_mem_free(s);
}

static ds_rc open_prf(void **state, metric_args *a, ds_err *e)
{
	settings *s = DS_NEW(settings, 1);
	ds_str word, value;
	*state = s;
	s->name = ds_mem_text(a->variant);
	s->kind = a->name[0] == 'p' ? PRECISION : a->name[0] == 'r' ? RECALL : F1;
	for (const char *rest = s->name; metric_word(&rest, &word, &value);)
		DS_TRY(set_word(s, word, value, e));
	return DS_OK;
}

static double ratio(const settings *s, double hits, double support, double predicted)
{
	double over = s->kind == PRECISION ? predicted : s->kind == RECALL ? support : 0;
	if (s->kind == F1)
		return support + predicted > 0 ? 2 * hits / (support + predicted) : s->zero;
	return over > 0 ? hits / over : s->zero;
}

static double of_class(const settings *s, const metric_table *t, uint32_t c)
{
	return ratio(s, (double)t->hits[c], (double)t->support[c], (double)t->predicted[c]);
}

static ds_rc binary(const settings *s, const metric_table *t, metric_result *out, ds_err *e)
{
	uint32_t pos = t->n_classes - 1;
	if (t->n_classes > 2)
		return ds_fail(e, DS_BAD,
			"there are %u classes, not two: name :macro, :micro or :weighted",
			t->n_classes);
	if (t->n_classes < 2 && !s->positive.n)
		return ds_fail(e, DS_BAD,
			"there is one class, '%.*s', alone: name the positive one with :pos=",
			DS_FMT(t->classes[0]));
	if (s->positive.n) {
		for (pos = 0; pos < t->n_classes && !ds_str_eq(t->classes[pos], s->positive);)
			pos++;
		if (pos == t->n_classes)
			return ds_fail(
				e, DS_BAD, "no label and no pred is '%.*s'", DS_FMT(s->positive));
	}
	out->score = of_class(s, t, pos);
	ds_buf_fmt(&out->signature, "average:binary|pos:%.*s", DS_FMT(t->classes[pos]));
	return DS_OK;
}

static double mean(const settings *s, const metric_table *t)
{
	double sum = 0, weights = 0;
	for (uint32_t c = 0; c < t->n_classes; c++) {
		double v = of_class(s, t, c),
		       w = s->average == WEIGHTED ? (double)t->support[c] : 1;
		if (isnan(v))
			continue;
		sum += w * v;
		weights += w;
	}
	return weights > 0 ? sum / weights : s->zero;
}

static double micro(const settings *s, const metric_table *t)
{
	double hits = 0;
	for (uint32_t c = 0; c < t->n_classes; c++)
		hits += (double)t->hits[c];
	return ratio(s, hits, (double)t->n, (double)t->n);
}

static ds_rc of_table(const void *state, const metric_table *t, metric_result *out, ds_err *e)
{
	settings s = *(const settings *)state;
	if (s.average == AUTO)
		s.average = t->n_classes > 2 ? MACRO : BINARY;
	if (s.average == BINARY)
		return binary(&s, t, out, e);
	out->score = s.average == MICRO ? micro(&s, t) : mean(&s, t);
	ds_buf_fmt(&out->signature, "average:%s", averages[s.average]);
	if (isnan(out->score))
		return ds_fail(e, DS_BAD, "no class can be scored");
	return DS_OK;
}

#define PRF(id, text) \
	const metric metric_##id = { \
		.name = #id, \
		.help = text, \
		.needs = METRIC_LABEL, \
		.open = open_prf, \
		.close = close_prf, \
		.of_table = of_table, \
	}
PRF(precision,
	"share of what was predicted that is right; :macro :micro :weighted :pos=NAME :zero=V");
PRF(recall, "share of what there is that was predicted; the same variants");
PRF(f1, "harmonic mean of both; binary of two classes, macro of more");
