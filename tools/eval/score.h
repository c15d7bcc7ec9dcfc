/*
 * score.h - from what was gathered to scores, their intervals and their differences
 */
#ifndef DS_EVAL_SCORE_H
#define DS_EVAL_SCORE_H

#include "gather.h"

typedef struct {
	metric_result r;
	bool has_interval, has_p;
	double mean, half; /* of the resamples: their mean, half of the 95 % interval */
	double baseline, p;
} scored;

typedef struct {
	int64_t resamples; /* 0: no intervals */
	int64_t trials;    /* of the paired test */
	bool swap;         /* approximate randomization rather than the bootstrap */
	uint64_t seed;
	const ds_str *order; /* classes in the order of score's values */
	size_t n_order;
	unsigned threads;
} score_opts;

void scored_release(scored *s, size_t n);
/* out: l->n of them, zeroed. DS_BAD where a metric cannot be computed of these records. */
DS_MUST ds_rc score_all(
	scored *out, const wanted_list *l, const tally *t, const score_opts *o, ds_err *e);
/* Intervals by resampling records with replacement (Koehn, EMNLP 2004); t has rows. */
DS_MUST ds_rc score_intervals(
	scored *out, const wanted_list *l, const tally *t, const score_opts *o, ds_err *e);
/*
 * p-values of the differences from a baseline over the same records: paired bootstrap (Koehn 2004), or
 * approximate randomization (Riezler and Maxwell 2005), as sacreBLEU 2.6 computes them.
 */
DS_MUST ds_rc score_paired(scored *out, const wanted_list *l, const tally *t, const tally *baseline,
	const score_opts *o, ds_err *e);

#endif
