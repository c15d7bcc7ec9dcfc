/*
 * comm.c - a collective on operands in host memory
 */
#include "graph/comm_impl.h"
#include "graph/op.h"

#include <string.h>

static size_t row_bytes(const ds_operand *a)
{
	return (size_t)a->cols * ds_dtype_bytes(a->dtype);
}

static char *row_at(const ds_operand *a, int64_t i)
{
	return (char *)a->data + (size_t)(i * a->ld) * ds_dtype_bytes(a->dtype);
}

static void copy_rows(
	const ds_operand *to, int64_t at, const ds_operand *from, int64_t first, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (row_at(to, at + i) != row_at(from, first + i))
			memcpy(row_at(to, at + i), row_at(from, first + i), row_bytes(from));
}

static ds_rc number(const ds_operand *a, ds_num *t, ds_err *e)
{
	if (a->dtype != DS_F32 && a->dtype != DS_F64)
		return ds_fail(e, DS_BAD, "a sum over ranks of %s", ds_dtype_name(a->dtype));
	*t = a->dtype == DS_F32 ? DS_NUM_F32 : DS_NUM_F64;
	return DS_OK;
}

/* Vectors are shared out by their elements, as rows of one. */
static ds_operand upright(ds_operand a, int rank)
{
	if (rank == 1)
		a = (ds_operand){ a.data, a.dtype, a.cols, 1, 1 };
	return a;
}

static void shares(int64_t *starts, const ds_operand *whole, int n)
{
	for (int k = 0; k <= n; k++)
		starts[k] = whole->rows * k / n * whole->ld;
}

static ds_rc gather(ds_world *w, const ds_group *g, ds_operand in, ds_operand out, ds_err *e)
{
	int64_t starts[DS_MAX_RANKS + 1];
	int me = ds_group_me(w, g);
	size_t size = ds_dtype_bytes(out.dtype);
	shares(starts, &out, g->n);
	copy_rows(&out, starts[me] / out.ld, &in, 0, in.rows);
	for (int k = 0; k <= g->n; k++)
		starts[k] *= (int64_t)size;
	return ds_world_all_gather(w, g, out.data, starts, DS_NUM_BYTES, e);
}

static ds_rc scatter(ds_world *w, const ds_group *g, ds_operand in, ds_operand out, ds_err *e)
{
	int64_t starts[DS_MAX_RANKS + 1];
	ds_num t = DS_NUM_F32;
	DS_TRY(number(&in, &t, e));
	shares(starts, &in, g->n);
	DS_TRY(ds_world_reduce_scatter(w, g, in.data, starts, t, e));
	copy_rows(&out, 0, &in, starts[ds_group_me(w, g)] / in.ld, out.rows);
	return DS_OK;
}

static ds_rc reduce(ds_world *w, const ds_group *g, ds_operand in, ds_operand out, ds_err *e)
{
	ds_num t = DS_NUM_F32;
	DS_TRY(number(&out, &t, e));
	copy_rows(&out, 0, &in, 0, in.rows);
	return ds_world_all_reduce(w, g, out.data, out.rows * out.ld, t, e);
}

static ds_rc pass_on(ds_world *w, int peer, const ds_operand *a, bool send, ds_err *e)
{
	bool dense = a->ld == a->cols;
	int64_t rows = dense ? 1 : a->rows;
	size_t n = row_bytes(a) * (size_t)(dense ? a->rows : 1);
	for (int64_t i = 0; i < rows; i++)
		DS_TRY(send ? ds_world_send(w, peer, row_at(a, i), n, e)
			    : ds_world_recv(w, peer, row_at(a, i), n, e));
	return DS_OK;
}

ds_rc ds_comm_run(ds_world *w, const ds_graph *g, const ds_node *n, const ds_operand in[DS_MAX_IN],
	const ds_operand out[DS_MAX_OUT], ds_err *e)
{
	const ds_comm_attr *a = &n->attr.comm;
	ds_tid t = n->out[0] ? n->out[0] : n->in[0];
	int rank = g->tensors[t].rank;
	if (!w)
		return ds_fail(e, DS_BAD, "%s of '%s': the device has joined no job",
			ds_op_of(n->op)->name, g->tensors[t].name);
	ds_world_say(w, ds_op_of(n->op)->name, g->tensors[t].name);
	switch (n->op) {
	case DS_OP_all_reduce:
		return reduce(w, &a->group, in[0], out[0], e);
	case DS_OP_all_gather:
		return gather(w, &a->group, upright(in[0], rank), upright(out[0], rank), e);
	case DS_OP_reduce_scatter:
		return scatter(w, &a->group, upright(in[0], rank), upright(out[0], rank), e);
	case DS_OP_expert_counts:
		return ds_comm_expert_counts(w, &a->group, in, out, e);
	case DS_OP_expert_send:
		return ds_comm_expert_send(w, &a->group, in, out, e);
	case DS_OP_expert_return:
		return ds_comm_expert_return(w, &a->group, in, out, e);
	case DS_OP_send:
		return pass_on(w, a->peer, &in[0], true, e);
	default:
		return pass_on(w, a->peer, &out[0], false, e);
	}
}
