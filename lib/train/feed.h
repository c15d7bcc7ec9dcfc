/*
 * feed.h - rows of data into steps, and a step's rows into the graph
 *
 * Causal modelling takes a row's targets as they are. Masked modelling replaces tokens and has a fixed number of targets a
 * row, so the output layer is computed for those alone. A feed keeps the rows of one step, where ranks share it those of one copy.
 */
#ifndef DS_TRAIN_FEED_H
#define DS_TRAIN_FEED_H

#include "model/mlm.h"
#include "model/rows.h"
#include "train/pictures.h"
#include "train/plan.h"

typedef struct ds_feed ds_feed;

#define DS_FEED_EVAL \
	((uint64_t)1 << 62) /* numbers from here on are of rows that are not trained on */

/* mlm: with targets that are picked; it and the plan are borrowed. */
ds_feed *ds_feed_new(const ds_train_plan *p, const ds_mlm *mlm);
void ds_feed_free(ds_feed *f); /* NULL is fine */
/* Where the model takes pictures: how they are prepared, varied in training, on so many threads. */
void ds_feed_take_pictures(ds_feed *f, const ds_prep *prep, const ds_vary *vary, unsigned threads);

/* Row i of the step gets that row; number: of the row among all that are ever used. *n_targets goes up. */
DS_MUST ds_rc ds_feed_row(ds_feed *f, ds_rows *rows, int64_t row, int64_t i, uint64_t number,
	int64_t *n_targets, ds_err *e);
void ds_feed_blank(ds_feed *f, int64_t i); /* it has no targets */
/* The step's pictures are there when it returns. */
DS_MUST ds_rc ds_feed_ready(ds_feed *f, ds_err *e);
/* Row i of the step after this one; then its pictures are made meanwhile. */
DS_MUST ds_rc ds_feed_foresee(
	ds_feed *f, ds_rows *rows, int64_t row, int64_t i, uint64_t number, ds_err *e);
DS_MUST ds_rc ds_feed_begin(ds_feed *f, ds_err *e);
bool ds_feed_looks_ahead(const ds_feed *f);
/* Rows [row, row + n) of the step into the inputs of an engine. */
void ds_feed_give(const ds_feed *f, ds_engine *t, int64_t row, int64_t n);

#endif
