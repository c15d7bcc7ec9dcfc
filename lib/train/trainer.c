/*
 * trainer.c - the steps
 */
#include "train/trainer.h"

#include <math.h>

/* The place of row i of a copy's step in the endless order of rows. */
static int64_t place(const ds_train_plan *p, int64_t step, int64_t i)
{
	int64_t in_step = ds_train_plan_row(p, i / p->micro_rows) + i % p->micro_rows;
	return (step - 1) * p->step_rows + in_step;
}

/* What takes time before a step can begin is done while the one before runs. */
static ds_rc look_ahead(ds_trainer *t, int64_t step, ds_err *e)
{
	const ds_train_plan *p = t->plan;
	if (!ds_feed_looks_ahead(t->feed) || step > p->steps)
		return DS_OK;
	for (int64_t i = 0; i < p->micro_rows * p->n_micro; i++) {
		int64_t at = place(p, step, i);
		if (at >= p->limit_rows)
			continue;
		int64_t row = ds_rows_order(t->rows, (uint64_t)t->keys->seed, at);
		DS_TRY(ds_feed_foresee(t->feed, t->rows, row, i, (uint64_t)at, e));
	}
	return ds_feed_begin(t->feed, e);
}

static ds_rc fetch(ds_trainer *t, int64_t step, int64_t *n_targets, ds_err *e)
{
	const ds_train_plan *p = t->plan;
	int64_t targets = 0, rows = p->micro_rows;
	double sums[] = { 0, 0 }; /* targets, tokens */
	for (int64_t i = 0; i < rows * p->n_micro; i++) {
		int64_t at = place(p, step, i);
		if (at >= p->limit_rows) {
			ds_feed_blank(t->feed, i);
			continue;
		}
		int64_t row = ds_rows_order(t->rows, (uint64_t)t->keys->seed, at);
		DS_TRY(ds_feed_row(t->feed, t->rows, row, i, (uint64_t)at, &targets, e));
		sums[1] += (double)p->seq;
	}
	sums[0] = (double)targets;
	DS_TRY(ds_train_sum(t, sums, 2, e));
	*n_targets = (int64_t)sums[0];
	t->state->tokens += (int64_t)sums[1];
	DS_TRY(ds_feed_ready(t->feed, e));
	return look_ahead(t, step + 1, e);
}

/* The step once more, looking at every tensor that is made; the weights are still those before it. */
static ds_rc find_culprit(ds_trainer *t, int64_t step, float inv, const char *what, ds_err *e)
{
	DS_AUTO(ds_engine) n = NULL;
	ds_engine_opts o = ds_train_plan_engine(
		t->plan, true, (ds_exec_opts){ .share = t->train->x, .check = true });
	double loss;
	DS_TRY(ds_engine_open(&n, t->device, &o, e));
	DS_TRY(ds_train_micros(t, n, step, inv, &loss, e));
	return ds_fail(e, DS_BAD, "step %lld: the %s is not finite", (long long)step, what);
}

/* The loss is a sum over copies; where each goes on alone, the norm is the mean of theirs. */
static ds_rc share_figures(ds_trainer *t, ds_figures *f, ds_err *e)
{
	const ds_layout *l = &t->plan->layout;
	double sums[] = { f->loss, f->grad_norm };
	DS_TRY(ds_train_sum(t, sums, 2, e));
	f->loss = l->apart ? sums[0] / l->dp : sums[0];
	if (l->apart)
		f->grad_norm = sums[1] / l->dp;
	return DS_OK;
}

static ds_rc one_step(ds_trainer *t, int64_t step, ds_figures *f, ds_err *e)
{
	ds_engine *n = t->train;
	int64_t n_targets;
	DS_TRY(fetch(t, step, &n_targets, e));
	f->lr = ds_schedule_at(&t->plan->schedule, step);
	if (!n_targets) { /* there is nothing to learn from, and no weight moves */
		t->state->empty++;
		f->empty = true;
		return DS_OK;
	}
	double scale = ds_train_scale(t->plan, t->state);
	float *hyper = ds_exec_input(n->x, n->g->hyper), norm;
	/* A copy that goes on alone has about its share of the targets. */
	float alone = t->plan->layout.apart ? (float)t->plan->layout.dp : 1;
	float inv = (float)scale * alone / (float)n_targets;
	ds_hyper(hyper, &t->plan->compile, step - t->state->skipped - t->state->empty, f->lr);
	hyper[3] = (float)(1 / scale);
	ds_router_begin(t->router);
	DS_TRY(ds_train_micros(t, n, step, inv, &f->loss, e));
	f->loss /= scale;
	DS_TRY(ds_router_finish(t->router, t, scale, f, e));
	double began = ds_trace_now();
	DS_TRY(ds_exec_run(
		n->x, DS_PHASE_OPT, &(ds_run){ (uint64_t)t->keys->seed, step, 0, 0 }, e));
	ds_trace_add(t->trace, "optimizer", "", began, -1);
	DS_TRY(ds_exec_read(n->x, n->g->grad_norm, 0, 1, &norm, e));
	f->grad_norm = (double)norm;
	DS_TRY(share_figures(t, f, e));
	f->z = ds_train_outlier(t->state, step - t->state->empty, f->loss);
	if (!ds_train_scale_next(t->plan, t->state, f))
		return find_culprit(t, step, inv, isfinite(f->loss) ? "gradient" : "loss", e);
	return DS_OK;
}

static bool eval_due(const ds_trainer *t, int64_t step)
{
	int64_t every = t->keys->eval_every, rows = t->plan->step_rows;
	if (!t->eval)
		return false;
	if (step == t->plan->steps)
		return true;
	if (every != DS_EVERY_EPOCH)
		return step % every == 0;
	int64_t n = ds_rows_count(t->rows);
	return step * rows / n > (step - 1) * rows / n;
}

static bool is_enough(const ds_trainer *t)
{
	return t->keys->patience && t->state->worse >= t->keys->patience;
}

static ds_rc evaluate(ds_trainer *t, const ds_train_watch *w, ds_err *e)
{
	ds_ckpt *s = t->state;
	double loss;
	DS_TRY(ds_train_eval(t, &loss, e));
	if (loss < s->best) {
		s->best = loss;
		s->best_step = s->step;
		s->worse = 0;
	} else {
		s->worse++;
	}
	return w->evaluated(w->context, loss, e);
}

/* Are the copies one after this step? Only then are they measured and saved, and may the run end. */
static bool is_joined(const ds_trainer *t, int64_t step)
{
	const ds_layout *l = &t->plan->layout;
	return !l->apart || l->dp == 1 || step % t->keys->sync_every == 0 || step == t->plan->steps;
}

static ds_rc join(ds_trainer *t, ds_err *e)
{
	return t->plan->layout.apart && t->plan->layout.dp > 1 ? ds_train_average(t, e) : DS_OK;
}

/* Is there another step? *stop stays where it was said once. */
static ds_rc goes_on(ds_trainer *t, const ds_train_watch *w, bool *stop, bool *on, ds_err *e)
{
	*on = t->state->step < t->plan->steps && !is_enough(t);
	if (!*on || *stop)
		return DS_OK;
	*stop = w->stop(w->context);
	return ds_train_any(t, stop, e);
}

ds_rc ds_train(ds_trainer *t, const ds_train_watch *w, ds_trained *how, ds_err *e)
{
	DS_AUTO(ds_router) router = ds_router_new(t->train, &t->plan->config);
	ds_ckpt *s = t->state;
	int64_t steps = t->plan->steps, every = t->keys->save_every;
	bool saved = true, stop = false, eval = false, save = false;
	t->router = router;
	for (;;) {
		bool on;
		int64_t step = s->step + 1;
		DS_TRY(goes_on(t, w, &stop, &on, e));
		if (!on || (stop && is_joined(t, s->step)))
			break;
		ds_figures f = { 0 };
		DS_TRY(one_step(t, step, &f, e));
		s->step = step;
		DS_TRY(w->stepped(w->context, &f, e));
		eval |= eval_due(t, step);
		save |= every && step % every == 0;
		saved = false;
		if (!is_joined(t, step))
			continue;
		DS_TRY(join(t, e));
		if (eval)
			DS_TRY(evaluate(t, w, e));
		/* The best so far is saved where it is found, and kept. */
		saved = every && step < steps && (save || s->best_step == step);
		if (saved)
			DS_TRY(w->save(w->context, e));
		eval = save = false;
	}
	if (!saved)
		DS_TRY(w->save(w->context, e));
	*how = s->step == steps ? DS_TRAINED_ALL
	       : is_enough(t)   ? DS_TRAINED_ENOUGH
				: DS_TRAINED_STOPPED;
	return DS_OK;
}
