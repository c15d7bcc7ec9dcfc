/*
 * metric_exact.c - the share of records whose pred is one of its references
 */
#include "answer.h"
#include "metric.h"

#include "base/mem.h"

static ds_rc open_exact(void **state, metric_args *a, ds_err *e)
{
	bool *squad = DS_NEW(bool, 1);
	const char *rest = a->variant;
	ds_str word, value;
	*state = squad;
	while (metric_word(&rest, &word, &value)) {
		if (!ds_str_is(word, "squad"))
			return metric_no_word("exact-match", word, "squad", e);
		*squad = true;
	}
	return DS_OK;
}

static ds_rc record(
	const void *state, const metric_record *r, double *sums, ds_arena *mem, ds_err *e)
{
	bool squad = *(const bool *)state;
	ds_str pred = squad ? answer_normal(r->pred, mem) : r->pred;
	for (size_t i = 0; i < r->n_refs && sums[0] == 0; i++)
		sums[0] = ds_str_eq(pred, squad ? answer_normal(r->refs[i], mem) : r->refs[i]);
	return DS_OK;
}

static ds_rc of_sums(
	const void *state, const double *sums, uint64_t n, metric_result *out, ds_err *e)
{
	out->score = sums[0] / (double)n;
	ds_buf_fmt(&out->signature, "norm:%s", *(const bool *)state ? "squad" : "no");
	ds_buf_fmt(&out->detail, "%.0f of %llu", sums[0], (unsigned long long)n);
	return DS_OK;
}

const metric metric_exact = {
	.name = "exact-match",
	.help = "share of records whose pred is one of its refs; :squad compares as SQuAD does",
	.needs = METRIC_PRED | METRIC_REF,
	.n_sums = 1,
	.open = open_exact,
	.close = ds_mem_free,
	.record = record,
	.of_sums = of_sums,
};
