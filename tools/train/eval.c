/*
 * eval.c - the loss on data that is not trained on
 *
 * Rows in their own order; the mean over all targets, summed in double row by row, so it does not
 * depend on how rows fall into batches.
 */
#include "run.h"

/* Rows of training data never have such numbers. */
#define EVAL_NUMBER ((uint64_t)1 << 62)

static ds_rc fetch(train_run *r, int64_t row, int64_t n, int64_t *n_targets, ds_err *e)
{
	for (int64_t i = 0; i < r->micro_rows; i++) {
		/* A batch that is not full repeats its last row, which is not counted. */
		int64_t which = i < n ? row + i : row + n - 1, ignored = 0;
		DS_TRY(train_fetch_row(r, r->eval_rows, which, i, EVAL_NUMBER + (uint64_t)which,
			i < n ? n_targets : &ignored, e));
	}
	return DS_OK;
}

ds_rc train_eval(train_run *r, double *loss, ds_err *e)
{
	ds_engine *t = r->eval;
	int64_t rows = ds_rows_count(r->eval_rows), most = r->o->keys.eval_batches * r->micro_rows;
	int64_t n_targets = 0;
	double sum = 0;
	if (most && most < rows)
		rows = most;
	*(float *)ds_exec_input(t->x, t->b.inv) = 1;
	for (int64_t row = 0; row < rows; row += r->micro_rows) {
		int64_t n = rows - row < r->micro_rows ? rows - row : r->micro_rows;
		DS_TRY_AT(fetch(r, row, n, &n_targets, e), e, "eval_data");
		train_copy_rows(r, t, 0, r->micro_rows);
		DS_TRY(ds_exec_run(t->x, DS_PHASE_FWD, &(ds_run){ .step = r->state.step }, e));
		int64_t per_row = train_graph_targets(r);
		const void *nll;
		ds_arena_reset(r->row_mem);
		DS_TRY(ds_exec_view(t->x, t->b.nll, r->row_mem, &nll, e));
		for (int64_t i = 0; i < n * per_row; i++)
			sum += ((const float *)nll)[i];
	}
	if (!n_targets)
		return ds_fail(e, DS_BAD, "eval_data has no targets");
	*loss = sum / (double)n_targets;
	return DS_OK;
}
