/*
 * options.h - what stands on the command line, for main.c and the stages
 */
#ifndef DSDEDUP_OPTIONS_H
#define DSDEDUP_OPTIONS_H

#include "dedup.h"

/* In the order of ds_unit and scope. */
#define UNITS "auto|word|char"
#define PRESETS "datatrove|fineweb|redpajama|olmo"
#define SCOPES "text|line|para|span"

typedef struct {
	const char *preset, *method, *unit, *keep, *scope, *clusters, *against, *against_field,
		*index, *bits;
	double threshold, share;
	int ngram, perm, bands, distance;
	const char *rehydrate;
	bool verify, mark, tag, sizes, keep_labels;
	int64_t shard, part; /* of exchange; -1: not said */
	uint64_t parts;
	ds_size memory, limit; /* of a stage; of a whole run, 0: none */
} options;
extern options opt;

bool wants_report(const ds_common *c); /* of the largest clusters */
DS_MUST ds_rc read_plan(plan *p, const ds_common *c, ds_err *e);

/* All in one. *over: it failed because the tables take more than limit bytes. */
DS_MUST ds_rc run_streaming(const ds_common *c, uint64_t limit, bool *over, ds_err *e);
DS_MUST ds_rc run_limited(const ds_common *c, ds_err *e); /* by opt.limit */

/* The staged run: each a run of its own over a folder. */
ds_rc run_sign(const ds_common *c, ds_err *e);
ds_rc run_band(const ds_common *c, ds_err *e);
ds_rc run_cluster(const ds_common *c, ds_err *e);
ds_rc run_filter(const ds_common *c, ds_err *e);
ds_rc run_exchange(const ds_common *c, ds_err *e); /* the same, by an engine: exchange.h */

#endif
