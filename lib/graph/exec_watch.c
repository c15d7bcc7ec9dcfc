/*
 * exec_watch.c - looking at a run: the first number that is not finite, and where the time went
 */
#include "base/half.h"
#include "graph/exec_impl.h"
#include "graph/op.h"

#include <math.h>
#include <stdlib.h>

static bool is_finite(const ds_tensor *t, const void *values)
{
	for (int64_t i = 0; i < ds_t_count(t); i++) {
		double v = t->dtype == DS_F32 ? (double)((const float *)values)[i]
			   : t->dtype == DS_BF16
				   ? (double)ds_f32_of_bf16(((const uint16_t *)values)[i])
			   : t->dtype == DS_F16
				   ? (double)ds_f32_of_f16(((const uint16_t *)values)[i])
				   : ((const double *)values)[i];
		if (!isfinite(v))
			return false;
	}
	return true;
}

static ds_rc look_at(
	ds_exec *x, const ds_node *n, ds_tid id, const ds_run *r, ds_arena *mem, ds_err *e)
{
	const ds_tensor *t = &x->g->tensors[id];
	const void *values;
	if (t->dtype == DS_I32 || t->dtype == DS_U8)
		return DS_OK;
	ds_arena_reset(mem);
	DS_TRY(ds_exec_view(x, id, mem, &values, e));
	if (is_finite(t, values))
		return DS_OK;
	return ds_fail(e, DS_BAD,
		"step %lld: %s: %s: '%s' is not finite (the first op that made NaN or Inf)",
		(long long)r->step, n->origin, ds_op_of(n->op)->name, t->name);
}

/* A view has nothing of its own, and what it shows may not be written yet. */
ds_rc ds_exec_look(ds_exec *x, int32_t from, int32_t to, const ds_run *r, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	for (int32_t i = from; i < to; i++) {
		const ds_node *n = &x->g->nodes[i];
		bool is_view = ds_op_of(n->op)->traits & DS_OP_VIEW;
		for (int j = 0; j < DS_MAX_OUT; j++)
			if (n->out[j] && !is_view)
				DS_TRY(look_at(x, n, n->out[j], r, mem, e));
	}
	return DS_OK;
}

/* ---- profile ---- */

typedef struct {
	const char *op;
	double seconds, flops, bytes;
	int64_t nodes;
} row;

static int by_seconds(const void *a, const void *b)
{
	double x = ((const row *)a)->seconds, y = ((const row *)b)->seconds;
	return x < y ? 1 : x > y ? -1 : 0;
}

void ds_exec_profile(ds_exec *x, int64_t steps, ds_buf *out)
{
	row rows[DS_N_OPS] = { 0 };
	double all = 0;
	for (int32_t i = 0; x->seconds && i < x->g->n_nodes; i++) {
		const ds_node *n = &x->g->nodes[i];
		row *r = &rows[n->op];
		r->op = ds_op_of(n->op)->name;
		r->seconds += x->seconds[i];
		r->nodes++;
		if (x->seconds[i] > 0)
			r->flops += ds_op_of(n->op)->flops(x->g, n);
		if (x->seconds[i] > 0)
			r->bytes += ds_op_of(n->op)->bytes(x->g, n);
		all += x->seconds[i];
		x->seconds[i] = 0;
	}
	qsort(rows, DS_N_OPS, sizeof(*rows), by_seconds);
	for (int i = 0; i < DS_N_OPS && rows[i].seconds > 0; i++)
		ds_buf_fmt(out,
			"%-18s %4lld nodes %9.3f ms %5.1f %%  %8.3f gflop %7.1f gflop/s %6.1f "
			"GB/s\n",
			rows[i].op, (long long)rows[i].nodes, 1e3 * rows[i].seconds / (double)steps,
			100 * rows[i].seconds / all, 1e-9 * rows[i].flops,
			1e-9 * rows[i].flops * (double)steps / rows[i].seconds,
			1e-9 * rows[i].bytes * (double)steps / rows[i].seconds);
}
