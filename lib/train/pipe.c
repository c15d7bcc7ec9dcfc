/*
 * pipe.c - the order in which a stage works on a step's micro-batches
 *
 * One forward, one backward (Narayanan et al., 2019): a stage begins as many micro-batches as there are stages behind
 * it, then finishes one for each that it begins, so that so many and one more are on their way at once, however many
 * the step has. Each has inputs and activations of its own; weights and gradients are the same. One stage alone does
 * forward and backward alternately.
 */
#include "train/trainer.h"

#include <stdio.h>

int64_t ds_train_slots(const ds_train_plan *p)
{
	int64_t behind = p->layout.pp - 1 - ds_layout_stage(&p->layout);
	return behind + 1 < p->n_micro ? behind + 1 : p->n_micro;
}

typedef struct {
	ds_trainer *t;
	ds_engine *first;
	int64_t n_slots, step;
	float inv;
	double loss;
} pipe_state;

static ds_engine *slot(const pipe_state *s, int64_t micro)
{
	int64_t k = micro % s->n_slots;
	return k ? s->t->slots[k - 1] : s->first;
}

static ds_run run_of(const pipe_state *s, int64_t micro)
{
	const ds_train_plan *p = s->t->plan;
	return (ds_run){ (uint64_t)s->t->keys->seed, s->step, micro,
		ds_train_plan_row(p, micro) * p->wide };
}

static void note(const pipe_state *s, const char *what, int64_t micro, double began)
{
	char of[48];
	snprintf(of, sizeof(of), "%lld.%lld", (long long)s->step, (long long)micro);
	ds_trace_add(s->t->trace, what, of, began, -1);
}

static ds_rc forward(pipe_state *s, int64_t micro, ds_err *e)
{
	ds_engine *n = slot(s, micro);
	ds_run r = run_of(s, micro);
	int64_t rows = s->t->plan->micro_rows;
	ds_feed_give(s->t->feed, n, micro * rows, rows);
	*(float *)ds_exec_input(n->x, n->b.inv) = s->inv;
	double began = ds_trace_now();
	DS_TRY(ds_exec_run(n->x, DS_PHASE_FWD, &r, e));
	note(s, "forward", micro, began);
	return DS_OK;
}

static ds_rc backward(pipe_state *s, int64_t micro, ds_err *e)
{
	ds_engine *n = slot(s, micro);
	ds_run r = run_of(s, micro);
	float part;
	double began = ds_trace_now();
	DS_TRY(ds_exec_run(n->x, DS_PHASE_BWD, &r, e));
	note(s, "backward", micro, began);
	DS_TRY(ds_router_add(s->t->router, s->t, n, e));
	if (!ds_train_has_loss(&s->t->plan->layout))
		return DS_OK;
	DS_TRY(ds_exec_read(n->x, n->b.loss, 0, 1, &part, e));
	s->loss += (double)part;
	return DS_OK;
}

ds_rc ds_train_micros(ds_trainer *t, ds_engine *n, int64_t step, float inv, double *loss, ds_err *e)
{
	int64_t slots = n == t->train ? ds_train_slots(t->plan) : 1;
	pipe_state s = { t, n, slots, step, inv, 0 };
	int64_t micro = t->plan->n_micro, done = 0;
	for (int64_t m = 0; m < micro; m++) {
		DS_TRY(forward(&s, m, e));
		if (m + 1 >= slots)
			DS_TRY(backward(&s, done++, e));
	}
	while (done < micro)
		DS_TRY(backward(&s, done++, e));
	*loss = s.loss;
	return DS_OK;
}
