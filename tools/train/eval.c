/*
 * eval.c - the loss on data that is not trained on
 *
 * Rows in their own order; the mean over all targets, summed in double row by row, so it does not
 * depend on how rows fall into batches.
 */
#include "run.h"

static ds_rc fetch(train_run *r, int64_t row, int64_t n, int64_t *n_targets, ds_err *e)
{
	for (int64_t i = 0; i < r->micro_rows; i++) {
		int64_t to = i * r->seq;
		ds_row out = { r->ids + to, r->targets + to, r->positions + to, r->first + to, 0 };
		/* A batch that is not full repeats its last row without targets. */
		DS_TRY(ds_rows_get(r->eval_rows, i < n ? row + i : row + n - 1, &out, e));
		if (i < n)
			*n_targets += out.n_targets;
	}
	return DS_OK;
}

ds_rc train_eval(train_run *r, double *loss, ds_err *e)
{
	train_engine *t = &r->eval;
	int64_t rows = ds_rows_count(r->eval_rows), most = r->o->keys.eval_batches * r->micro_rows;
	int64_t n_targets = 0;
	double sum = 0;
	if (most && most < rows)
		rows = most;
	*(float *)ds_exec_data(t->x, t->b.inv) = 1;
	for (int64_t row = 0; row < rows; row += r->micro_rows) {
		int64_t n = rows - row < r->micro_rows ? rows - row : r->micro_rows;
		DS_TRY_AT(fetch(r, row, n, &n_targets, e), e, "eval_data");
		train_copy_rows(r, t, 0, r->micro_rows);
		DS_TRY(ds_exec_run(t->x, DS_PHASE_FWD, &(ds_run){ .step = r->state.step }, e));
		const float *nll = ds_exec_data(t->x, t->b.nll);
		for (int64_t i = 0; i < n * r->wide; i++)
			sum += nll[i];
	}
	if (!n_targets)
		return ds_fail(e, DS_BAD, "eval_data has no targets");
	*loss = sum / (double)n_targets;
	return DS_OK;
}
