/*
 * metric_accuracy.c - the share of records whose pred equals their label
 */
#include "metric.h"

static ds_rc record(
	const void *state, const metric_record *r, double *sums, ds_arena *mem, ds_err *e)
{
	sums[0] = ds_str_eq(r->pred_class, r->label);
	return DS_OK;
}

static ds_rc of_sums(
	const void *state, const double *sums, uint64_t n, metric_result *out, ds_err *e)
{
	out->score = sums[0] / (double)n;
	ds_buf_fmt(&out->detail, "%.0f of %llu", sums[0], (unsigned long long)n);
	return DS_OK;
}

const metric metric_accuracy = {
	.name = "accuracy",
	.help = "share of records whose pred equals their label",
	.needs = METRIC_LABEL,
	.n_sums = 1,
	.record = record,
	.of_sums = of_sums,
};
