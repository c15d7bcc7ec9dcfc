/*
 * metric_example.c - a metric for dseval as a shared library: words of pred for each word of ref
 *
 *	cc -shared -fPIC -I tools/eval -o words.so docs/metric_example.c
 *	dseval words answers.jsonl --plugin ./words.so
 */
#include "plugin.h"

static double words(ds_metric_text t)
{
	double n = 0;
	for (size_t i = 0; i < t.n; i++)
		n += t.at[i] != ' ' && (i == 0 || t.at[i - 1] == ' ');
	return n;
}

static int update(double *state, const ds_metric_record *r, const char **error)
{
	state[0] += words(r->pred);
	state[1] += words(r->refs[0]);
	return 0;
}

static int compute(const double *state, uint64_t n, double *score, const char **error)
{
	if (state[1] == 0) {
		*error = "ref has no words";
		return 1;
	}
	*score = state[0] / state[1];
	return 0;
}

extern const ds_metric ds_metric_plugin;
const ds_metric ds_metric_plugin = { DS_METRIC_ABI, "words", DS_METRIC_PRED | DS_METRIC_REF, 2,
	NULL, update, NULL, compute };
