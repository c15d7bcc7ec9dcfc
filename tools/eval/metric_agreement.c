/*
 * metric_agreement.c - how label and pred go together: Matthews' correlation, Cohen's kappa, the matrix
 *
 * MCC of several classes: Gorodkin, "Comparing two K-category assignments by a K-category correlation
 * coefficient", 2004. Kappa: Cohen 1960; weighted ones 1968.
 */
#include "metric.h"
#include "tally.h"

#include "base/mem.h"
#include "json/json.h"

#include <math.h>

static ds_rc mcc(const void *state, const metric_table *t, metric_result *out, ds_err *e)
{
	double n = (double)t->n, hits = 0, both = 0, labels = 0, preds = 0;
	for (uint32_t c = 0; c < t->n_classes; c++) {
		double s = (double)t->support[c], p = (double)t->predicted[c];
		hits += (double)t->hits[c];
		both += s * p;
		labels += s * s;
		preds += p * p;
	}
	double over = (n * n - labels) * (n * n - preds);
	out->score = over > 0 ? (hits * n - both) / sqrt(over) : 0;
	return DS_OK;
}

const metric metric_mcc = {
	.name = "mcc",
	.help = "Matthews' correlation of label and pred",
	.needs = METRIC_LABEL,
	.of_table = mcc,
};

typedef enum { PLAIN, LINEAR, QUADRATIC } weights;

static ds_rc open_kappa(void **state, metric_args *a, ds_err *e)
{
	weights *w = DS_NEW(weights, 1);
	const char *rest = a->variant;
	ds_str word, value;
	*state = w;
	while (metric_word(&rest, &word, &value)) {
		if (ds_str_is(word, "linear"))
			*w = LINEAR;
		else if (ds_str_is(word, "quadratic"))
			*w = QUADRATIC;
		else
			return metric_no_word("kappa", word, "linear, quadratic", e);
	}
	return DS_OK;
}

static double weight(weights w, uint32_t a, uint32_t b)
{
	double d = a > b ? a - b : b - a;
	return w == PLAIN ? a != b : w == LINEAR ? d : d * d;
}

static ds_rc kappa(const void *state, const metric_table *t, metric_result *out, ds_err *e)
{
	weights w = *(const weights *)state;
	double seen = 0, chance = 0;
	for (uint32_t i = 0; i < t->n_cells; i++)
		seen += weight(w, t->cells[i].label, t->cells[i].pred) * (double)t->cells[i].n;
	for (uint32_t a = 0; a < t->n_classes; a++)
		for (uint32_t b = 0; b < t->n_classes; b++)
			chance += weight(w, a, b) * (double)t->support[a] * (double)t->predicted[b];
	if (chance == 0)
		return ds_fail(e, DS_BAD, "label and pred are one class alone: it is not defined");
	out->score = 1 - seen * (double)t->n / chance;
	return DS_OK;
}

const metric metric_kappa = {
	.name = "kappa",
	.help = "Cohen's kappa of label and pred; :linear :quadratic weights",
	.needs = METRIC_LABEL,
	.open = open_kappa,
	.close = ds_mem_free,
	.of_table = kappa,
};

enum { MAX_SHOWN = 1000 };

static ds_rc confusion(const void *state, const metric_table *t, metric_result *out, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(0);
	uint64_t hits = 0, n = t->n_classes;
	if (n > MAX_SHOWN)
		return ds_fail(e, DS_BAD, "there are %llu classes, the limit is %d",
			(unsigned long long)n, MAX_SHOWN);
	uint64_t *m = ds_arena_zero(mem, (n * n + 1) * sizeof(*m));
	for (uint32_t i = 0; i < t->n_cells; i++)
		m[t->cells[i].label * n + t->cells[i].pred] += t->cells[i].n;
	ds_buf_add_c(&out->matrix, "{\"labels\":[");
	for (uint32_t c = 0; c < n; c++) {
		hits += t->hits[c];
		ds_buf_add_c(&out->matrix, c ? "," : "");
		ds_json_add_str(&out->matrix, t->classes[c]);
	}
	ds_buf_add_c(&out->matrix, "],\"counts\":[");
	for (uint32_t a = 0; a < n; a++) {
		ds_buf_add_c(&out->matrix, a ? ",[" : "[");
		ds_buf_fmt(&out->detail, "%s%.*s:", a ? "; " : "", DS_FMT(t->classes[a]));
		for (uint32_t b = 0; b < n; b++) {
			ds_buf_fmt(&out->matrix, b ? ",%llu" : "%llu",
				(unsigned long long)m[a * n + b]);
			ds_buf_fmt(&out->detail, " %llu", (unsigned long long)m[a * n + b]);
		}
		ds_buf_add_c(&out->matrix, "]");
	}
	ds_buf_add_c(&out->matrix, "]}");
	out->score = (double)hits / (double)t->n;
	return DS_OK;
}

const metric metric_confusion = {
	.name = "confusion",
	.help = "how often each label met each pred, a row a label; the score is the accuracy",
	.needs = METRIC_LABEL,
	.of_table = confusion,
};
