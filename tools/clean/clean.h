/*
 * clean.h - rules over blocks
 *
 * A cleaner is a run's; its threads each have a worker. Records are taken one by one through all rules,
 * so that a text stays in the cache; what a rule makes goes by turns into two arenas, so that no more
 * than two copies of a record exist beside the block. A column that no rule changed is left as it is.
 */
#ifndef DS_CLEAN_CLEAN_H
#define DS_CLEAN_CLEAN_H

#include "origin.h"
#include "record/run.h"
#include "rules.h"
#include "sample.h"

struct rejected; /* rejected.h */

typedef struct {
	const ds_common *c;
	rules rules;
	ds_buf recorded; /* the arguments, and by content the files that rule files name */
	struct rejected *rejected; /* NULL: what is dropped is gone */
	bool explain;              /* records are shown instead of written */
	ds_out *explain_out;
	sample sample; /* max > 0: what each rule did to as many records is shown at the end */
	bool colour;
	bool tag;        /* nothing is dropped: rules write what they found as fields */
	char **counters; /* the names of rules and of their reasons, NULL-ended */
	unsigned n_counters;
	unsigned reads;  /* what the rules work on: RULE_NEEDS_… */
	unsigned needs;  /* and what their conditions look at besides */
	ds_buf left_out; /* set at the end: a sentence for the summary */
} cleaner;

typedef struct {
	const cleaner *c;
	void **threads; /* by rule */
	ds_arena *side[2];
	unsigned turn;                /* the one to write to */
	ds_sink_part rejected;        /* of the block at hand; n_rows 0: none */
	ds_buf shown;                 /* --explain: of the block at hand */
	sample sample;                /* the same of --sample */
	ds_buf steps;                 /* of the record at hand, by rule */
	bool sampling;                /* it is one of the sample, if a rule changes it */
	rule_tag tags[RULE_TAGS_MAX]; /* of the record at hand */
	ds_buf failed;                /* --tag: the rules that would have dropped it */
	origin_history history;       /* of the stream that the last block came from */
} worker;

void cleaner_prepare(cleaner *c); /* once its rules are open */
void cleaner_release(cleaner *c);
worker *worker_new(const cleaner *c);
void worker_free(worker *k);
DS_MUST ds_rc worker_block(worker *k, ds_work *w, ds_block *b, ds_err *e);

#endif
