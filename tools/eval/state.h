/*
 * state.h - what was gathered, as a file: dseval --state FILE, dseval merge FILE…
 *
 * "DSEVAL01", then little-endian: the metrics as typed, --tok and --by, what is kept row by row, the tally of
 * all records and one a group; at the end the XXH3-64 of everything before it. A metric that reads blocks
 * itself (ppl, unigram) cannot be stored.
 */
#ifndef DS_EVAL_STATE_H
#define DS_EVAL_STATE_H

#include "gather.h"

typedef struct {
	const char *tok; /* --tok, or NULL */
	const char *by;  /* --by, or NULL */
} state_opts;

/* DS_USAGE where a metric cannot be stored: asked before anything is read. */
DS_MUST ds_rc state_can_store(const wanted_list *l, ds_err *e);
DS_MUST ds_rc state_write(
	const char *path, const wanted_list *l, const gathered *g, const state_opts *o, ds_err *e);
/*
 * Adds a file's records to *g; the first one opens its metrics into l, each later one must have the same.
 * *by and *tok live as long as l. DS_SHORT: damaged, DS_BAD: of other metrics.
 */
typedef struct {
	wanted_list *l;
	gathered *g; /* NULL before the first */
	ds_buf head; /* of the first: what all must share */
	char *tok, *by;
	const ds_common *common;
	/* The metric of a name, and what else args needs of it; NULL: metric_find. */
	const metric *(*named)(const void *context, const char *typed, metric_args *args);
	const void *context;
} state_sum;
DS_MUST ds_rc state_add(state_sum *s, const char *path, ds_err *e);
DS_MUST ds_rc state_add_bytes(state_sum *s, ds_str bytes, ds_err *e);
void state_sum_release(state_sum *s);

#endif
