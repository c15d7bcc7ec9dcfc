/*
 * loop.c - the steps
 *
 * Row i of step s is place (s - 1) * rows + i of an endless order of the data (ds_rows_order), so a step
 * knows its rows without any history. The loss is the mean over all
 * targets of the step: they are counted before its first part is computed.
 */
#include "run.h"
#include "signals.h"

#include <math.h>

static ds_rc fetch(train_run *r, int64_t step, int64_t *n_targets, ds_err *e)
{
	*n_targets = 0;
	for (int64_t i = 0; i < r->step_rows; i++) {
		int64_t at = (step - 1) * r->step_rows + i;
		if (at >= r->limit_rows) {
			train_blank_row(r, i);
			continue;
		}
		int64_t row = ds_rows_order(r->rows, (uint64_t)r->o->keys.seed, at);
		DS_TRY(train_fetch_row(r, r->rows, row, i, (uint64_t)at, n_targets, e));
		r->state.tokens += r->seq;
	}
	return DS_OK;
}

static ds_rc run_parts(train_run *r, ds_engine *t, int64_t step, double *loss, ds_err *e)
{
	*loss = 0;
	for (int64_t m = 0; m < r->n_micro; m++) {
		ds_run run = { (uint64_t)r->o->keys.seed, step, m, m * r->micro_rows };
		train_copy_rows(r, t, m * r->micro_rows, r->micro_rows);
		float part;
		DS_TRY(ds_exec_run(t->x, DS_PHASE_FWD, &run, e));
		DS_TRY(ds_exec_run(t->x, DS_PHASE_BWD, &run, e));
		DS_TRY(ds_exec_read(t->x, t->b.loss, 0, 1, &part, e));
		*loss += (double)part;
	}
	return DS_OK;
}

/* The step once more, looking at every tensor that is made; the weights are still those before it. */
static ds_rc find_culprit(train_run *r, int64_t step, float inv, const char *what, ds_err *e)
{
	DS_AUTO(ds_engine) t = NULL;
	ds_engine_opts o =
		train_engine_opts(r, true, (ds_exec_opts){ .share = r->train->x, .check = true });
	double loss;
	DS_TRY(ds_engine_open(&t, r->device, &o, e));
	*(float *)ds_exec_input(t->x, t->b.inv) = inv;
	DS_TRY(run_parts(r, t, step, &loss, e));
	return ds_fail(e, DS_BAD, "step %lld: the %s is not finite", (long long)step, what);
}

static ds_rc one_step(train_run *r, int64_t step, train_figures *f, ds_err *e)
{
	ds_engine *t = r->train;
	int64_t n_targets;
	DS_TRY(fetch(r, step, &n_targets, e));
	f->lr = ds_schedule_at(&r->schedule, step);
	if (!n_targets) { /* there is nothing to learn from, and no weight moves */
		r->state.empty++;
		f->empty = true;
		return DS_OK;
	}
	double scale = train_scale(r);
	float *hyper = ds_exec_input(t->x, t->g->hyper), norm;
	float inv = (float)scale / (float)n_targets;
	*(float *)ds_exec_input(t->x, t->b.inv) = inv;
	ds_hyper(hyper, &r->compile, step - r->state.skipped - r->state.empty, f->lr);
	hyper[3] = (float)(1 / scale);
	DS_TRY(run_parts(r, t, step, &f->loss, e));
	f->loss /= scale;
	DS_TRY(ds_exec_run(
		t->x, DS_PHASE_OPT, &(ds_run){ (uint64_t)r->o->keys.seed, step, 0, 0 }, e));
	DS_TRY(ds_exec_read(t->x, t->g->grad_norm, 0, 1, &norm, e));
	f->grad_norm = (double)norm;
	f->z = train_outlier(r, step - r->state.empty, f->loss);
	if (!train_scale_next(r, f))
		return find_culprit(r, step, inv, isfinite(f->loss) ? "gradient" : "loss", e);
	return DS_OK;
}

static bool eval_due(const train_run *r, int64_t step)
{
	int64_t every = r->o->keys.eval_every;
	if (!r->eval_rows)
		return false;
	if (step == r->steps)
		return true;
	if (every != EVERY_EPOCH)
		return step % every == 0;
	return step * r->step_rows / r->n_rows > (step - 1) * r->step_rows / r->n_rows;
}

static ds_rc evaluate(train_run *r, bool *enough, ds_err *e)
{
	double loss;
	DS_TRY(train_eval(r, &loss, e));
	if (loss < r->state.best) {
		r->state.best = loss;
		r->state.best_step = r->state.step;
		r->state.worse = 0;
	} else {
		r->state.worse++;
	}
	*enough = r->o->keys.patience && r->state.worse >= r->o->keys.patience;
	return train_report_eval(r, loss, e);
}

/* A checkpoint that cannot be written in the middle of a run costs that checkpoint, not the run. */
static ds_rc save(train_run *r, bool last, ds_err *e)
{
	ds_rc rc = train_save(r, e);
	if (rc == DS_OK || last)
		return rc;
	ds_warn(r->c, "checkpoint-%lld could not be written, training goes on: %s",
		(long long)r->state.step, e->msg);
	return DS_OK;
}

ds_rc train_loop(train_run *r, ds_err *e)
{
	const train_keys *k = &r->o->keys;
	bool enough = k->patience && r->state.worse >= k->patience;
	bool saved = true;
	train_signals_heed();
	while (r->state.step < r->steps && !enough && !train_signals_stop()) {
		int64_t step = r->state.step + 1;
		train_figures f = { 0 };
		DS_TRY(one_step(r, step, &f, e));
		r->state.step = step;
		DS_TRY(train_report_step(r, &f, e));
		if (eval_due(r, step))
			DS_TRY(evaluate(r, &enough, e));
		/* The best so far is saved where it is found, and kept. */
		saved = k->save_every && step < r->steps &&
			(step % k->save_every == 0 || r->state.best_step == step);
		if (saved)
			DS_TRY(save(r, false, e));
	}
	if (!saved)
		DS_TRY(save(r, true, e));
	const char *how = r->state.step == r->steps ? "done"
			  : enough                  ? "stopped early"
						    : "stopped by a signal, --resume goes on";
	return train_report_end(r, how, e);
}
