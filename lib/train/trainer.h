/*
 * trainer.h - the steps of a run: gradients, loss scale, evaluation, when to save and when to stop
 *
 * Row i of step s is place (s - 1) * rows + i of an endless order of the data (ds_rows_order), so a step knows its rows
 * without any history. The loss is the mean over all targets of the step: they are counted before its first micro-batch is
 * computed. What is said, written and saved is the caller's, through a table of functions.
 *
 * Ranks of a job (the device's world) call all of this together. Each copy of the plan's layout takes its rows of every
 * micro-batch; figures, evaluations and the end are the same on all.
 */
#ifndef DS_TRAIN_TRAINER_H
#define DS_TRAIN_TRAINER_H

#include "model/checkpoint.h"
#include "train/feed.h"

typedef struct { /* of a model with experts; else all 0 */
	int64_t experts;
	const double *
		load; /* [experts]: which part of all choices it got, mean over layers; the trainer's */
	double load_max;   /* the most that one got in a layer, over an even load */
	double balance, z; /* the routers' losses before their coefficients */
} ds_router_figures;

typedef struct {
	double loss, lr, grad_norm;
	double scale; /* of the loss; 0: there is none */
	double z;     /* of a loss far above those before: deviations from their mean; else 0 */
	bool skipped; /* the gradients were over fp16's range */
	bool empty;   /* no row had a target: nothing was computed */
	ds_router_figures router;
} ds_figures;

typedef struct { /* of the caller's; where one fails it ends the run */
	void *context;
	ds_rc (*stepped)(void *context, const ds_figures *f, ds_err *e);
	ds_rc (*evaluated)(void *context, double loss, ds_err *e);
	ds_rc (*save)(void *context, ds_err *e);
	bool (*stop)(void *context);
} ds_train_watch;

typedef struct { /* all is borrowed */
	const ds_train_plan *plan;
	const ds_settings *keys;
	ds_device *device;
	ds_engine *train, *eval; /* eval: NULL: nothing is measured */
	ds_engine **slots; /* twins of train, ds_train_slots(plan) - 1; NULL where that is 1 */
	ds_rows *rows, *eval_rows;
	ds_feed *feed;
	ds_ckpt *state;           /* step by step */
	ds_trace *trace;          /* NULL: nothing is noted */
	struct ds_router *router; /* ds_train's own */
} ds_trainer;

typedef enum { DS_TRAINED_ALL, DS_TRAINED_ENOUGH, DS_TRAINED_STOPPED } ds_trained;
/* From the state's step to the plan's last. */
DS_MUST ds_rc ds_train(ds_trainer *t, const ds_train_watch *w, ds_trained *how, ds_err *e);
/* The mean loss over the targets of eval_rows. */
DS_MUST ds_rc ds_train_eval(ds_trainer *t, double *loss, ds_err *e);

/* ---- pipe.c ---- */
/* Forward and backward of all micro-batches of a step: on t->train and its twins, or on another engine alone. inv: the
 * loss's factor; *loss: what this rank knows of it. */
DS_MUST ds_rc ds_train_micros(
	ds_trainer *t, ds_engine *n, int64_t step, float inv, double *loss, ds_err *e);
/* One rank a copy has its loss: the first cut of the last stage. */
bool ds_train_has_loss(const ds_layout *l);

/* ---- outlier.c: how many deviations a step's loss is above those before it; 0: it is no outlier ---- */
double ds_train_outlier(ds_ckpt *s, int64_t step, double loss);
/* ---- router.c: NULL where there are no experts, and then nothing is done ---- */
typedef struct ds_router ds_router;
ds_router *ds_router_new(const ds_engine *n, const ds_config *c);
void ds_router_free(ds_router *r);
DS_AUTO_WITH(ds_router, ds_router_free)
void ds_router_begin(ds_router *r);
DS_MUST ds_rc ds_router_add(
	ds_router *r, const ds_trainer *t, const ds_engine *n, ds_err *e); /* after a micro-batch */
DS_MUST ds_rc ds_router_finish(
	ds_router *r, const ds_trainer *t, double scale, ds_figures *f, ds_err *e);
/* ---- scale.c ---- */
double ds_train_scale(const ds_train_plan *p, ds_ckpt *s); /* what the loss is multiplied by */
/* The scale for the next step; false where this one is not finite, and that is no overflow. */
bool ds_train_scale_next(const ds_train_plan *p, ds_ckpt *s, ds_figures *f);
/* ---- sync.c: what ranks agree on ---- */
/* v[n] becomes the sum over copies of what the rank that has their loss gives; the same on all ranks. */
DS_MUST ds_rc ds_train_sum(const ds_trainer *t, double *v, int n, ds_err *e);
/* The same of what ranks of all stages give. */
DS_MUST ds_rc ds_train_sum_stages(const ds_trainer *t, double *v, int n, ds_err *e);
/* Does any rank say so? */
DS_MUST ds_rc ds_train_any(const ds_trainer *t, bool *says, ds_err *e);
/* Copies that went on alone take the mean of their weights and of the optimizer's state. */
DS_MUST ds_rc ds_train_average(const ds_trainer *t, ds_err *e);
/* ---- rate.c ---- */
double ds_now(void); /* seconds, monotonic */
/* Floating-point operations a second of a large matrix product, measured for `seconds`. */
DS_MUST ds_rc ds_device_rate(
	ds_device *d, ds_dtype product, double seconds, double *flops, ds_err *e);

#endif
