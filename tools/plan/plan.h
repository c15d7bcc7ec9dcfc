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
	double bytes, bandwidth, flops, link, net;
} plan_gpu;

enum { PLAN_NODE = 8 }; /* GPUs in a machine */

typedef struct {
	ds_request ask;
	const char *params, *gpu;
	int64_t gpus;
	bool host;
} plan_opts;

typedef struct {
	ds_layout layout;
	ds_recompute recompute;
	int64_t micro_rows, n_micro;
	uint64_t bytes; /* of the fullest rank */
	double speed;   /* tokens a second; 0: it does not fit, or it is this machine */
	bool fits;
} plan_row;

typedef struct {
	const ds_common *c;
	plan_opts *o;
	ds_arena *mem;
	ds_train_plan plan;
	const plan_gpu *gpu; /* NULL: this machine */
	int n;               /* ranks */
	double have;         /* bytes of one */
	int64_t params;
	plan_row *rows;
	size_t n_rows, cap_rows;
} plan_run;

/* shape.c */
DS_MUST ds_rc plan_find_gpu(plan_run *r, ds_err *e);
DS_MUST ds_rc plan_model(plan_run *r, ds_err *e); /* config, sequence, a step's tokens */
/* search.c */
DS_MUST ds_rc plan_search(plan_run *r, ds_err *e); /* the best that fits first */
/* print.c */
DS_MUST ds_rc plan_print(const plan_run *r, ds_err *e);

#endif
