/*
 * plan.h - what will be trained and how: shapes of a step, the graph, the optimizer, the bytes it takes
 *
 * A plan is a plain value; nothing of it is allocated or opened. A trainer, a rank and a planner without the device make
 * the same engine of it, so the bytes it predicts are those that are taken.
 */
#ifndef DS_TRAIN_PLAN_H
#define DS_TRAIN_PLAN_H

#include "model/engine.h"
#include "train/settings.h"
#include "train/strategy.h"

typedef enum {
	DS_TARGETS_TOKENS, /* one a token */
	DS_TARGETS_PICKED, /* per_row positions of a row: the output layer is computed for them alone */
	DS_TARGETS_ROW     /* one a row */
} ds_targets;

typedef struct {
	ds_config config;
	ds_lora lora; /* r 0: none */
	ds_soft soft; /* kind NONE: none */
	ds_compile compile;
	bool docs;         /* attention stays inside documents */
	bool evaluates;    /* a second graph, which shares the weights */
	int64_t seq, wide; /* tokens of a row; with the virtual ones in front: the graph's seq */
	ds_layout
		layout; /* set before ds_train_plan_batch; the rank may be set later: ds_train_plan_rank */
	int64_t step_rows;           /* of all copies */
	int64_t micro_rows, n_micro; /* of one copy at once, and how often in a step */
	ds_targets targets;
	int64_t per_row;    /* targets of a row */
	int64_t limit_rows; /* over all epochs; INT64_MAX where only steps are counted */
	int64_t steps;      /* of the whole run */
	ds_schedule schedule;
} ds_train_plan;

/* Rows of a step and its micro-batches; seq and soft are known. Fills what k left open. DS_USAGE: does not divide. */
DS_MUST ds_rc ds_train_plan_batch(ds_train_plan *p, ds_settings *k, ds_err *e);
/* Steps over n_rows of data (0: unknown) and the learning rate; from: the weights come from a model directory. */
DS_MUST ds_rc ds_train_plan_steps(
	ds_train_plan *p, ds_settings *k, int64_t n_rows, bool from, ds_err *e);

/* The plan as one rank has it. */
void ds_train_plan_rank(ds_train_plan *p, int rank);
/* Micro-batches that are on their way in this rank's stage at once. */
int64_t ds_train_slots(const ds_train_plan *p);
/* The number in a step of the first row of a copy's micro-batch. */
int64_t ds_train_plan_row(const ds_train_plan *p, int64_t micro);
/* The engine of a plan, as it is trained or evaluated; it borrows the plan. */
ds_engine_opts ds_train_plan_engine(const ds_train_plan *p, bool train, ds_exec_opts opts);
int64_t ds_train_plan_targets(const ds_train_plan *p); /* of a row, in the graph */

/* ---- memory (fit.c) ---- */

typedef struct {
	const ds_backend *backend;
	unsigned threads;
	uint64_t asked; /* bytes it may take (--memory); 0: what there is */
	double have;    /* what there is on the device; 0: what the machine has */
} ds_train_budget;

/* Chooses how much backward computes again, where bytes were asked; DS_IO, with the cheapest changes that would do, where the
 * plan does not fit. */
DS_MUST ds_rc ds_train_plan_fit(ds_train_plan *p, const ds_train_budget *m, ds_err *e);
/* What training takes on the plan's rank, all its executors together. */
DS_MUST ds_rc ds_train_plan_bytes(
	const ds_train_plan *p, const ds_train_budget *m, uint64_t *bytes, ds_err *e);
/* The same by class, scratch last. */
enum { DS_TRAIN_CLASSES = DS_N_CLASSES + 1 };
DS_MUST ds_rc ds_train_plan_classes(const ds_train_plan *p, const ds_train_budget *m,
	uint64_t bytes[DS_TRAIN_CLASSES], ds_err *e);
/* What evaluation takes beside the weights, 0 without. */
DS_MUST ds_rc ds_train_plan_eval_bytes(
	const ds_train_plan *p, const ds_train_budget *m, uint64_t *bytes, ds_err *e);
/* What each change would save, for people; activations: bytes of the plan's. */
DS_MUST ds_rc ds_train_plan_ways(const ds_train_plan *p, const ds_train_budget *m,
	uint64_t activations, ds_buf *b, ds_err *e);

/* ---- all ranks of a layout, without having them (ranks.c) ---- */

typedef struct {
	uint64_t bytes; /* of its arenas, evaluation included */
	double flops;   /* of a step, forward and backward */
	double sent;    /* bytes in a step */
} ds_train_rank;
/* out: of every rank. DS_BAD where two would not understand one another. */
DS_MUST ds_rc ds_train_plan_ranks(
	const ds_train_plan *p, const ds_train_budget *m, ds_train_rank *out, ds_err *e);

#endif
