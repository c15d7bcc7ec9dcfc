/*
 * gather.h - reading records once for all metrics
 */
#ifndef DS_EVAL_GATHER_H
#define DS_EVAL_GATHER_H

#include "infer/predict.h"
#include "metric.h"
#include "tally.h"

enum { MAX_METRICS = 64 };

typedef struct {
	const metric *m;
	char *name;         /* as typed */
	void *state;        /* of the metric */
	uint32_t first_sum; /* where its sums begin in a tally's */
	uint32_t n_sums;
	void *total; /* of a metric that reads blocks */
} wanted;

typedef struct {
	wanted at[MAX_METRICS];
	size_t n;
	unsigned needs; /* of all */
	tally_shape shape;
	tally_sums sums[MAX_METRICS];
} wanted_list;

wanted_list *wanted_new(void);
void wanted_free(wanted_list *l);
DS_AUTO_WITH(wanted_list, wanted_free)
/* NULL: there is no such metric. */
const metric *metric_find(ds_str typed);
void metric_list(ds_buf *out); /* "bleu, chrf, …" */
struct plugin;
/* Opens the metric; args->name is what was typed, args->variant is set here. */
DS_MUST ds_rc wanted_add(wanted_list *l, const metric *m, const metric_args *args, ds_err *e);

/* Tallies of all records and of each value of the field `by`. */
typedef struct {
	tally *all;
	names *values; /* NULL: no field */
	tally **by;    /* one a value */
	uint32_t n, cap;
} gathered;

gathered *gathered_new(const tally_shape *shape, bool by);
void gathered_free(gathered *g);
DS_AUTO_WITH(gathered, gathered_free)
DS_MUST ds_rc gathered_merge(gathered *into, const gathered *from, ds_err *e);

/* Reads every record of the input. by: a field's name, or NULL. */
/* model: adds pred and score to every record first; NULL: they are there. */
DS_MUST ds_rc gather(gathered *g, wanted_list *l, const ds_common *c, const char *by,
	ds_predictor *model, ds_err *e);

#endif
