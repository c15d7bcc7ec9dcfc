/*
 * plan.h - dsplan: what its parts share
 *
 * shape.c settles the model, search.c tries layouts with the trainer's own plan, print.c tells.
 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "base/args.h"
#include "train/plan.h"

typedef struct {
	const char *name;
	double bytes, bandwidth, flops, sustained, units, link, net; /* as gpus.def says */
} plan_gpu;

enum { PLAN_NODE = 8 }; /* GPUs in a machine */

typedef struct {
	ds_request ask;
	const char *params, *gpu;
	int64_t gpus, interleave;
	const char *tokens; /* of the whole run */
	const char *emit;
	bool unfused;
	double price; /* of an accelerator's hour */
	bool host;
} plan_opts;

typedef struct { /* seconds of a step, and what of it what takes on the slowest stage */
	double step, compute, cuts, sends, bubble, copies, update;
	double hidden; /* sums of copies behind the computing; no part of step */
} plan_time;

typedef struct {
	ds_layout layout;
	ds_recompute recompute;
	int64_t micro_rows, n_micro;
	uint64_t bytes;                      /* of the fullest rank */
	uint64_t by_class[DS_TRAIN_CLASSES]; /* its, with --gpu */
	double speed;                        /* tokens a second; 0: it was not asked */
	plan_time time;                      /* all 0 on this machine */
	bool fits;
} plan_row;

typedef struct {
	const ds_common *c;
	plan_opts *o;
	ds_arena *mem;
	ds_train_plan plan;
	const plan_gpu *gpu; /* NULL: this machine */
	bool many;           /* layouts are tried, not one that was asked for */
	int n;               /* ranks */
	double have;         /* bytes of one */
	int64_t params, trained;
	double flops
		[2]; /* of a token, forward and backward: attention in full, only what a causal one sees */
	double tokens; /* of the whole run; 0: not said */
	plan_row *rows;
	size_t n_rows, cap_rows;
} plan_run;

/* shape.c */
DS_MUST ds_rc plan_find_gpu(plan_run *r, ds_err *e);
/* A number such as 350M or 10B. */
DS_MUST ds_rc plan_number(
	const char *text, const char *option, double least, double most, double *out, ds_err *e);
DS_MUST ds_rc plan_model(plan_run *r, ds_err *e); /* config, sequence, a step's tokens */
/* price.c */
DS_MUST ds_rc plan_price(const plan_run *r, const ds_train_plan *p, const ds_train_budget *m,
	plan_time *out, ds_err *e);
/* Whether a stage between others has as many layers as the one in front of it, which then takes no less of anything. */
bool plan_like_before(const ds_train_plan *p, int stage);
/* search.c */
DS_MUST ds_rc plan_search(plan_run *r, ds_err *e); /* the best that fits first */
/* print.c */
DS_MUST ds_rc plan_print(const plan_run *r, ds_err *e);
/* The best layout as dstrain takes it. */
DS_MUST ds_rc plan_emit(const plan_run *r, const char *path, ds_err *e);

#endif
