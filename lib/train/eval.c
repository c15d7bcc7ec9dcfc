/*
 * eval.c - the loss on data that is not trained on
 *
 * Rows in their own order; the mean over all targets, summed in double row by row, so it does not
 * depend on how rows fall into batches. Replicas take batches round-robin. Replicas that share out experts meet in every
 * batch, so each runs as many: one that has no rows left runs one of blanks.
 */
#include "train/trainer.h"

#include <math.h>

static ds_rc fetch(ds_trainer *t, int64_t row, int64_t n, int64_t *n_targets, ds_err *e)
{
	for (int64_t i = 0; i < t->plan->micro_rows; i++) {
		/* A batch that is not full repeats its last row, which is not counted, or has nothing. */
		int64_t which = i < n ? row + i : row + n - 1, ignored = 0;
		if (n < 1 || (i >= n && t->plan->targets == DS_TARGETS_ROW)) {
			ds_feed_blank(t->feed, i); /* a pair must not compete with itself */
			continue;
		}
		DS_TRY(ds_feed_row(t->feed, t->eval_rows, which, i, DS_FEED_EVAL + (uint64_t)which,
			i < n ? n_targets : &ignored, e));
	}
	return ds_feed_ready(t->feed, e);
}

ds_rc ds_train_eval(ds_trainer *t, double *loss, ds_err *e)
{
	ds_engine *n = t->eval;
	int64_t at_once = t->plan->micro_rows, per_row = ds_train_plan_targets(t->plan);
	int64_t rows = ds_rows_count(t->eval_rows), most = t->keys->eval_batches * at_once;
	const ds_layout *l = &t->plan->layout;
	int64_t n_targets = 0;
	double sum = 0;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	if (most && most < rows)
		rows = most;
	int64_t step = l->dp * at_once, end = l->ep > 1 ? (rows + step - 1) / step * step : rows;
	for (int64_t row = ds_layout_copy(l) * at_once; row < end; row += step) {
		int64_t some = rows - row < at_once ? rows - row : at_once;
		const void *nll = NULL;
		DS_TRY_AT(fetch(t, row, some, &n_targets, e), e, "eval_data");
		ds_feed_give(t->feed, n, 0, at_once);
		*(float *)ds_exec_input(n->x, n->b.inv) = 1;
		DS_TRY(ds_exec_run(n->x, DS_PHASE_FWD, &(ds_run){ .step = t->state->step }, e));
		ds_arena_reset(mem);
		if (!ds_train_has_loss(l))
			continue;
		DS_TRY(ds_exec_view(n->x, n->b.nll, mem, &nll, e));
		for (int64_t i = 0; i < some * per_row; i++)
			sum += ((const float *)nll)[i];
	}
	double sums[] = { sum, (double)n_targets };
	DS_TRY(ds_train_sum(t, sums, 2, e));
	sum = sums[0];
	n_targets = (int64_t)sums[1];
	if (!n_targets)
		return ds_fail(e, DS_BAD, "eval_data has no targets");
	*loss = sum / (double)n_targets;
	return isfinite(*loss)
		       ? DS_OK
		       : ds_fail(e, DS_BAD, "step %lld: the loss of eval_data is not finite",
				 (long long)t->state->step);
}
