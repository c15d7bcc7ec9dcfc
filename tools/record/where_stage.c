/*
 * where_stage.c - dsrec where: the records for which an expression holds
 */
#include "record.h"

#include "record/run.h"
#include "where.h"

static void *scratch_new(void *state)
{
	return where_run_new(state);
}

static void scratch_free(void *scratch)
{
	where_run_free(scratch);
}

static ds_rc work(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	where_run *r = ds_work_scratch(w);
	for (uint32_t row = 0; row < b->n_rows; row++) {
		bool holds;
		ds_err why;
		if (where_holds(r, b, row, &holds, &why) != DS_OK)
			DS_TRY(ds_work_bad(w, b, row, e, "%s", why.msg));
		else if (!holds)
			ds_work_drop(w, row, 0);
	}
	return DS_OK;
}

ds_rc run_where(const ds_common *c, ds_err *e)
{
	static const char *const counters[] = { "dropped", NULL };
	worded_run with;
	DS_AUTO(where) w = NULL;
	ds_rc rc = worded_open(&with, c, "an expression", e);
	if (rc == DS_OK)
		rc = where_parse(&w, ds_str_of(with.word), e);
	if (rc == DS_OK)
		rc = ds_run_stage(&with.common,
			&(ds_stage){ .name = "where",
				.state = w,
				.counters = counters,
				.scratch_new = scratch_new,
				.scratch_free = scratch_free,
				.work = work,
				.reads = where_fields(w) },
			e);
	worded_close(&with);
	return rc;
}
